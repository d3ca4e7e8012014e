//! `cargo xtask guide`: the user guide under `docs/` as a static site in `target/guide`. The tool that builds it and its
//! lock stand in `docs/.vitepress`; it is installed under the target directory, again only when the lock changes. With
//! `--screenshots` the pictures of the guide are made anew instead.

mod links;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::clients::{self, Clients, NPM_FILES};
use crate::process;
use crate::workspace::Workspace;

/// The guide's pages, and in it what makes a site of them.
const DOCS: &str = "docs";
const TOOL: &str = "docs/.vitepress";
/// Its pictures, and what makes them.
const IMAGES: &str = "docs/images";
const CAMERA: &str = "pages/guide.mjs";
/// In bytes; more makes a page slow.
const LARGEST_IMAGE: u64 = 100_000;

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let site = Site::of(workspace);
    site.lay_out(workspace)?;
    site.install()?;
    site.build()?;
    let checked = links::check(&site.built)?;
    for fault in &checked.faults {
        println!("{fault}");
    }
    if !checked.faults.is_empty() {
        bail!("{} faults in the links of {} pages", checked.faults.len(), checked.pages);
    }
    println!("{} pages with {} links in {}", checked.pages, checked.links, workspace.relative(&site.built).display());
    Ok(())
}

/// Pictures of pages of the development binary, by a browser. Nothing compares them: look at them before they are kept.
pub(crate) fn screenshots(workspace: &Workspace) -> Result<()> {
    let clients = Clients::of(workspace);
    clients.set_up(workspace)?;
    process::run(&mut process::cargo(&workspace.root, &["build", "--quiet", "--locked", "--package", "bridgehead"]))?;
    let images = workspace.root.join(IMAGES);
    let mut camera = Command::new("node");
    camera.arg(clients.scripts.join(CAMERA)).arg(workspace.program("bridgehead")).arg(&images);
    process::run(&mut camera)?;
    for entry in std::fs::read_dir(&images).with_context(|| format!("cannot read {IMAGES}"))? {
        let entry = entry?;
        let size = entry.metadata()?.len();
        println!("{size:7}  {IMAGES}/{}", entry.file_name().to_string_lossy());
        if size > LARGEST_IMAGE {
            bail!("that one is larger than {LARGEST_IMAGE} bytes");
        }
    }
    Ok(())
}

struct Site {
    /// Where the tool runs: its packages, and a copy of the pages, so that nothing is left behind among these.
    workshop: PathBuf,
    built: PathBuf,
}

impl Site {
    fn of(workspace: &Workspace) -> Self {
        Self { workshop: workspace.target.join("guide-workshop"), built: workspace.target.join("guide") }
    }

    fn lay_out(&self, workspace: &Workspace) -> Result<()> {
        let pages = self.workshop.join(DOCS);
        if pages.exists() {
            std::fs::remove_dir_all(&pages).with_context(|| format!("cannot empty {}", pages.display()))?;
        }
        for file in workspace.files()?.iter().filter(|file| file.starts_with(DOCS)) {
            clients::copy(&workspace.root.join(file), &self.workshop.join(file))?;
        }
        Ok(())
    }

    fn install(&self) -> Result<()> {
        for name in NPM_FILES {
            clients::copy(&self.workshop.join(TOOL).join(name), &self.workshop.join(name))?;
        }
        clients::npm_packages(&self.workshop, &[])
    }

    fn build(&self) -> Result<()> {
        let program = self.workshop.join("node_modules/vitepress/bin/vitepress.js");
        let mut command = Command::new("node");
        command.current_dir(&self.workshop).arg(program).args(["build", DOCS, "--outDir"]).arg(&self.built);
        process::run(&mut command)
    }
}
