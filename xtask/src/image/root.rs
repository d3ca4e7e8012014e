//! The root file system that the last stage describes, as a folder; and whether anything in a folder has changed.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::dockerfile::{Copied, Dockerfile};
use crate::clients::copy;
use crate::process;

/// Lays everything in place. `program` stands in for the one that the Dockerfile builds, together with the libraries
/// that it is linked to.
pub(super) fn assemble(file: &Dockerfile, repository: &Path, program: Option<&Path>, root: &Path) -> Result<()> {
    for copied in &file.copies {
        let stand_in = program.filter(|_| copied.to == file.program);
        for source in &copied.sources {
            let here =
                source.strip_prefix(&file.repository).map_or_else(|_| source.clone(), |path| repository.join(path));
            put(stand_in.unwrap_or(&here), copied, root)?;
        }
        if let Some(program) = stand_in {
            for library in libraries(program)? {
                copy(&library, &below(root, &library))?;
            }
        }
    }
    Ok(())
}

/// A path of the image as one of this machine.
pub(super) fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

fn put(from: &Path, copied: &Copied, root: &Path) -> Result<()> {
    let to = below(root, Path::new(&copied.to));
    let to = match (copied.to.ends_with('/'), from.file_name()) {
        (true, Some(name)) => to.join(name),
        _ => to,
    };
    if from.is_dir() {
        // It is empty: what is in a folder is not copied here.
        std::fs::create_dir_all(&to)?;
        std::fs::remove_dir(from).and_then(|()| std::fs::create_dir(from)).context("the folder is not empty")?;
    } else {
        copy(from, &to)?;
    }
    match &copied.owner {
        Some(owner) => process::run(Command::new("chown").arg(owner).arg(&to)),
        None => Ok(()),
    }
}

/// What the loader would load, and the loader itself; nothing for a static program.
fn libraries(program: &Path) -> Result<Vec<PathBuf>> {
    let told = process::output(Command::new("ldd").arg(program))?;
    let path = |line: &str| line.split_whitespace().find(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(told.lines().filter_map(path).collect())
}

/// Path, size, mode, owner and last change (nanoseconds since 1970) of everything in a folder.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) size: u64,
    mode: u32,
    owner: (u32, u32),
    changed: i128,
}

pub(super) fn entries(folder: &Path) -> Result<BTreeSet<Entry>> {
    let mut found = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let path = entry?.path();
            let data = path.symlink_metadata()?;
            if data.is_dir() {
                open.push(path.clone());
            }
            found.insert(Entry {
                path,
                size: if data.is_dir() { 0 } else { data.len() },
                mode: data.permissions().mode(),
                owner: (data.uid(), data.gid()),
                changed: i128::from(data.mtime()) * 1_000_000_000 + i128::from(data.mtime_nsec()),
            });
        }
    }
    Ok(found)
}
