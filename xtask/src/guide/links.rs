//! The links of a built site: each leads to a file of it and to a place that is there, and nothing is fetched from
//! elsewhere. It reads what browsers read, so it does not matter which tool wrote it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};

pub(crate) struct Checked {
    pub(crate) pages: usize,
    pub(crate) links: usize,
    /// Each in whole words, with the page.
    pub(crate) faults: Vec<String>,
}

struct Page {
    links: Vec<Link>,
    ids: BTreeSet<String>,
}

struct Link {
    /// Fetched with the page, not followed by a reader.
    is_part: bool,
    target: String,
}

/// All pages below `root`.
pub(crate) fn check(root: &Path) -> Result<Checked> {
    let mut files = BTreeSet::new();
    walk(root, root, &mut files)?;
    let mut pages = BTreeMap::new();
    for file in files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "html")) {
        let text =
            std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {}", file.display()))?;
        pages.insert(file.clone(), read(&text));
    }
    let mut checked = Checked { pages: pages.len(), links: 0, faults: Vec::new() };
    for (file, page) in &pages {
        checked.links += page.links.len();
        let faults = page.links.iter().filter_map(|link| fault(file, link, &files, &pages));
        checked.faults.extend(faults.map(|fault| format!("{}: {fault}", file.display())));
    }
    Ok(checked)
}

fn walk(root: &Path, folder: &Path, found: &mut BTreeSet<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            walk(root, &path, found)?;
        } else {
            found.insert(path.strip_prefix(root)?.to_owned());
        }
    }
    Ok(())
}

fn read(html: &str) -> Page {
    let mut page = Page { links: Vec::new(), ids: BTreeSet::new() };
    for tag in html.split('<').filter_map(|rest| Some(rest.split_once('>')?.0)) {
        let name = tag.split_whitespace().next().unwrap_or_default();
        if let Some(id) = attribute(tag, "id") {
            page.ids.insert(id);
        }
        let target = attribute(tag, if name == "a" || name == "link" { "href" } else { "src" });
        if let Some(target) = target.filter(|target| !target.starts_with("data:")) {
            page.links.push(Link { is_part: name != "a", target });
        }
    }
    page
}

/// The value of an attribute, in double quotes, as every writer of HTML has them.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(value.replace("&amp;", "&"))
}

fn fault(from: &Path, link: &Link, files: &BTreeSet<PathBuf>, pages: &BTreeMap<PathBuf, Page>) -> Option<String> {
    let target = &link.target;
    if target.contains("://") || target.starts_with("mailto:") || target.starts_with("//") {
        return link.is_part.then(|| format!("fetches {target}"));
    }
    let (path, place) = target.split_once('#').unwrap_or((target, ""));
    let Some(file) = leads_to(from, path, files) else {
        return Some(format!("{target} leads nowhere"));
    };
    let is_there = |page: &Page| page.ids.contains(&decoded(place));
    let is_missing = !place.is_empty() && pages.get(&file).is_some_and(|page| !is_there(page));
    is_missing.then(|| format!("{target}: there is no such place on that page"))
}

/// The file that a server of static files gives for the path.
fn leads_to(from: &Path, path: &str, files: &BTreeSet<PathBuf>) -> Option<PathBuf> {
    if path.is_empty() {
        return Some(from.to_owned());
    }
    let base = from.parent().unwrap_or(Path::new(""));
    let mut file = PathBuf::new();
    let joined = path.strip_prefix('/').map_or_else(|| base.join(path), PathBuf::from);
    for part in joined.components() {
        match part {
            Component::ParentDir => _ = file.pop(),
            Component::Normal(part) => file.push(part),
            _ => {}
        }
    }
    [file.clone(), file.join("index.html")].into_iter().find(|file| files.contains(file))
}

/// A fragment as it stands in a URL, with its percent signs.
fn decoded(place: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = place.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        let escaped = (byte == b'%').then(|| rest.as_slice().get(..2)).flatten();
        let value = escaped.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        if value.is_some() {
            rest.nth(1);
        }
        bytes.push(value.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::check;

    fn faults(pages: &[(&str, &str)]) -> anyhow::Result<Vec<String>> {
        let root = std::env::temp_dir().join(format!("bridgehead-links-{}-{}", std::process::id(), pages.len()));
        for (name, html) in pages {
            let file = root.join(name);
            std::fs::create_dir_all(file.parent().unwrap_or(&root))?;
            std::fs::write(file, html)?;
        }
        let checked = check(&root);
        std::fs::remove_dir_all(&root)?;
        Ok(checked?.faults)
    }

    #[test]
    fn what_leads_somewhere_is_no_fault() -> anyhow::Result<()> {
        let start = "<a href=\"/a/b.html#p%C3%A9\">b</a><a href=\"./a/\">a</a><a href=\"https://example.com/\">out</a>";
        let b = "<h2 class=\"x\" id=\"pé\">P</h2><a href=\"../index.html\">up</a><img src=\"data:x\"><script src=\"/x.js\">";
        let none: [&str; 0] = [];
        assert_eq!(faults(&[("index.html", start), ("a/index.html", ""), ("a/b.html", b), ("x.js", "")])?, none);
        Ok(())
    }

    #[test]
    fn what_leads_nowhere_is_named_with_its_page() -> anyhow::Result<()> {
        let html = "<a href=\"b.html\">b</a><a href=\"#gone\">c</a><script async src=\"https://cdn.example/x.js\">";
        assert_eq!(
            faults(&[("index.html", html)])?,
            [
                "index.html: b.html leads nowhere",
                "index.html: #gone: there is no such place on that page",
                "index.html: fetches https://cdn.example/x.js",
            ]
        );
        Ok(())
    }
}
