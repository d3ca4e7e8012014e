//! `cargo xtask paths`: every path of this repository that a guide names in code, and every relative link, leads
//! somewhere. Prose is not searched, and links to other sites are not followed.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, bail};

use crate::workspace::Workspace;

/// Folders whose names at the start of a word in code make it a path of ours.
const ROOTS: [&str; 9] = ["crates", "examples", "docs", "deploy", "tests", "xtask", "fuzz", ".ci", ".cargo"];
/// Folders whose Markdown files are guides, beside those in the root.
const GUIDES: [&str; 3] = ["docs", "examples", "deploy"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let files = workspace.files()?;
    let there: BTreeSet<&Path> = files.iter().flat_map(|file| file.ancestors()).collect();
    let mut count = 0;
    let mut dead = 0;
    for guide in files.iter().filter(|file| is_guide(file)) {
        for Named { line, path } in named(guide, &workspace.read(guide)?) {
            count += 1;
            if !there.contains(path.as_path()) {
                dead += 1;
                println!("{}:{line}: there is no {}", guide.display(), path.display());
            }
        }
    }
    if dead > 0 {
        bail!("{dead} of {count} paths in the guides lead nowhere");
    }
    println!("all {count} paths in the guides lead somewhere");
    Ok(())
}

fn is_guide(file: &Path) -> bool {
    let folder = file.components().next().map(|first| first.as_os_str().to_string_lossy().into_owned());
    file.extension().is_some_and(|extension| extension == "md")
        && (file.components().count() == 1 || folder.is_some_and(|folder| GUIDES.contains(&folder.as_str())))
}

#[derive(Debug, PartialEq)]
struct Named {
    line: usize,
    /// From the root of the repository.
    path: PathBuf,
}

fn named(guide: &Path, text: &str) -> Vec<Named> {
    let folder = guide.parent().unwrap_or(Path::new(""));
    let mut fenced = false;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let (code, prose) = if fenced { (line.to_owned(), String::new()) } else { apart(line) };
        let paths = code.split(|c: char| c.is_whitespace() || "\"'(),;=".contains(c)).filter_map(path_in_code);
        let links = prose.split("](").skip(1).filter_map(|rest| link(folder, rest.split_once(')')?.0));
        found.extend(paths.chain(links).map(|path| Named { line: number + 1, path }));
    }
    found
}

/// A line of prose as what stands between backticks, and the rest.
fn apart(line: &str) -> (String, String) {
    let mut parts = (String::new(), String::new());
    for (index, part) in line.split('`').enumerate() {
        let side = if index % 2 == 1 { &mut parts.0 } else { &mut parts.1 };
        side.push_str(part);
        side.push(' ');
    }
    parts
}

/// The path that a word of code names, up to the first part that is a placeholder (`NAME`, `*.md`, `{a,b}`, `…`).
fn path_in_code(word: &str) -> Option<PathBuf> {
    let word = word.trim_start_matches("./");
    let root = word.split_once('/')?.0;
    if !ROOTS.contains(&root) {
        return None;
    }
    let word = word.split([':', '#']).next()?.trim_end_matches('.');
    Some(word.split('/').take_while(|part| !is_placeholder(part)).filter(|part| !part.is_empty()).collect())
}

fn is_placeholder(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part);
    part.contains(['*', '{', '<', '…', '$']) || ["NAME", "NNNN"].iter().any(|word| stem.contains(word))
}

fn link(folder: &Path, target: &str) -> Option<PathBuf> {
    let target = target.split('#').next().filter(|target| !target.is_empty() && !target.contains(':'))?;
    let mut path = PathBuf::new();
    for part in folder.join(target).components() {
        match part {
            Component::ParentDir => _ = path.pop(),
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::named;

    fn paths(guide: &str, text: &str) -> Vec<String> {
        named(Path::new(guide), text).iter().map(|named| format!("{}:{}", named.line, named.path.display())).collect()
    }

    #[test]
    fn paths_are_found_in_code_and_links_in_prose() {
        let text = "See `crates/core/src/lib.rs:12` and [the guide](guide.md#top), crates/gone, `sources/src/`.\n\
                    ```sh\ncargo run -- serve examples/warehouse/bridgehead.toml\n```\n\
                    [up](../README.md) [out](https://example.com/docs/x) `cd ./tests/`.";
        assert_eq!(
            paths("docs/index.md", text),
            [
                "1:crates/core/src/lib.rs",
                "1:docs/guide.md",
                "3:examples/warehouse/bridgehead.toml",
                "5:tests",
                "5:README.md",
            ]
        );
    }

    #[test]
    fn a_placeholder_ends_the_path() {
        let text = "`crates/sources/src/NAME/` `docs/reference/*.md` `docs/adr/NNNN-title.md` `crates/{a,b}/src`";
        assert_eq!(paths("README.md", text), ["1:crates/sources/src", "1:docs/reference", "1:docs/adr", "1:crates"]);
    }
}
