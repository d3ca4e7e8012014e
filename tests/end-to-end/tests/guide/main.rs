//! The user guide under `docs/`, worked through as its readers do (P1): every configuration on a page is checked, every
//! command is run in the order of the page, what it shows is compared with what was said. Nothing on a page is left out
//! but what [`UNTRIED`] names.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

mod api;
mod blocks;
mod files;
mod output;
mod page;

use std::path::{Path, PathBuf};

use bridgehead_harness::process::repository;

use crate::page::{Tried, read};

/// What cannot be run here, by page; each block says so to its reader as well.
const UNTRIED: &[(&str, &str)] = &[
    ("first-call.md", "claude mcp add --transport http parcels http://127.0.0.1:8080/mcp"),
    ("operate/deploy.md", "docker build --file deploy/container/Dockerfile --tag bridgehead ."),
    ("sources/rust.md", "cargo run -p example-native -- 127.0.0.1:8080"),
    ("sources/rust.md", "cargo run -p example-rmcp-server -- 127.0.0.1:8080"),
    ("start.md", "cargo install --locked --path crates/bridgehead"),
    (
        "start.md",
        "claude mcp add --transport http stationer http://127.0.0.1:8080/mcp --header \"Authorization: Bearer $KEY\"",
    ),
    ("troubleshooting.md", "bridgehead doctor https://mcp.example.com/mcp --login"),
];
/// Not for those who use Bridgehead, or written by the program itself.
const NO_GUIDES: [&str; 6] = [
    "adr",
    "reference",
    "requirements.md",
    "lint-over-real-descriptions.md",
    "doctor-fault-garden.md",
    "doctor-over-real-servers.md",
];

/// Every page, by its path below `docs`.
fn pages() -> Vec<PathBuf> {
    let docs = repository().join("docs");
    let mut found = Vec::new();
    walk(&docs, &mut found);
    let mut pages: Vec<PathBuf> = found.iter().map(|page| page.strip_prefix(&docs).unwrap().to_owned()).collect();
    pages.retain(|page| !NO_GUIDES.iter().any(|other| page.starts_with(other)));
    pages.sort();
    pages
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

/// `E2E_GUIDE_PAGE` narrows it to pages whose name has this in it, for whoever writes one.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_guide_shows_is_so() {
    let only = std::env::var("E2E_GUIDE_PAGE").unwrap_or_default();
    let mut all = Tried::default();
    let mut untried = Vec::new();
    let mut faults = Vec::new();
    let mut pages = pages();
    pages.retain(|page| page.to_str().unwrap().contains(&only));
    assert!(!pages.is_empty(), "no page has {only} in its name");
    for page in pages {
        let name = page.to_str().unwrap();
        let text = std::fs::read_to_string(repository().join("docs").join(&page)).unwrap();
        match read(name, &text).await {
            Ok(tried) => {
                println!("{name}: {} files, {} commands, {} excerpts", tried.files, tried.commands, tried.excerpts);
                all.files += tried.files;
                all.commands += tried.commands;
                untried.extend(tried.untried.into_iter().map(|command| (name.to_owned(), command)));
            }
            Err(fault) => faults.push(fault),
        }
    }
    println!("{} files and {} commands; {} commands cannot be run here:", all.files, all.commands, untried.len());
    for (page, command) in &untried {
        println!("  {page}: {command}");
    }
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
    if only.is_empty() {
        let untried: Vec<(&str, &str)> = untried.iter().map(|(page, command)| (&**page, &**command)).collect();
        assert_eq!(untried, UNTRIED, "what is not tried is named here as well");
        assert!(all.files > 30 && all.commands > 80, "{} files, {} commands", all.files, all.commands);
    }
}

/// What the test is there to find, it finds.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_so_is_found() {
    const CONFIG: &str = "name = \"A\"\n[auth]\nmode = \"open\"\n[sources.a]\ntype = \"http\"\n[sources.a.tools.look]\n\
                          description = \"Looks.\"\nrequest = { url = \"http://parcels.internal/v1/me\" }\n";
    let wrong = CONFIG.replace("\"open\"", "\"opne\"");
    for (page, expected) in [
        (format!("```toml a.toml\n{wrong}```\n"), "a.toml does not hold"),
        (format!("```toml a.toml\n{wrong}```\n```console\n$ true\n```\n"), "a.md:11: a.toml does not hold"),
        (
            format!("```toml a.toml\n{CONFIG}```\n```toml in a.toml\n[auth]\nmode = \"x\"\n```\n"),
            "a.toml does not hold",
        ),
        (format!("```toml wrong a.toml\n{CONFIG}```\n"), "a.toml holds, and the page says"),
        ("```console\n$ bridgehead --nonsense\n```\n".to_owned(), "`bridgehead --nonsense` ended with"),
        ("```console fails\n$ true\n```\n".to_owned(), "`true` ended with"),
        ("```console\n$ echo 1\n2\n```\n".to_owned(), "`echo 1` says\n1\n\nand not\n2"),
        ("```rust from crates/core/src/lib.rs\nfn nonsense() {}\n```\n".to_owned(), "does not stand in crates/core"),
        ("```toml\n```\n".to_owned(), "a.md: line 1: `toml` says neither"),
    ] {
        let fault = read("a.md", &page).await.err().unwrap_or_else(|| panic!("nothing found in\n{page}"));
        assert!(fault.contains(expected), "{fault}");
    }
    let good = format!(
        "```toml a.toml\n{CONFIG}```\n```console\n$ export A=1\n$ echo $A\n1\n$ bridgehead config check a.toml\n…\n```\n"
    );
    let tried = read("a.md", &good).await.map_err(|fault| panic!("{fault}")).unwrap();
    assert_eq!((tried.files, tried.commands, tried.excerpts), (1, 3, 0));
}
