//! `cargo xtask deps`: how many crates the shipped binary is made of, for the notes of a release.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use crate::process;
use crate::workspace::Workspace;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let crates = tree(workspace, "bridgehead")?;
    let ours = crates.iter().filter(|(name, _)| workspace.packages.iter().any(|package| &package.name == name)).count();
    println!(
        "{} crates make the shipped binary, those that only run in the compiler included: {ours} ours, {} of others",
        crates.len(),
        crates.len() - ours
    );

    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in &crates {
        versions.entry(name).or_default().push(version);
    }
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        println!("more than once: {name} {}", versions.join(", "));
    }
    Ok(())
}

/// Name and version of everything that is compiled into the package, itself included; not what only its tests or
/// build scripts need.
pub(crate) fn tree(workspace: &Workspace, package: &str) -> Result<BTreeSet<(String, String)>> {
    let arguments = ["tree", "--locked", "--package", package, "--edges", "normal", "--prefix", "none"];
    let listed = process::output(&mut process::cargo(&workspace.root, &arguments))?;
    Ok(listed
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?.to_owned(), words.next()?.to_owned()))
        })
        .collect())
}
