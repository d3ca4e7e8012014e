//! The clients that the end-to-end tests drive: the SDKs, the conformance suite and what drives the browser from npm, with
//! a Node of their own, and the Python SDK in a virtual environment. Installed under the target directory, again only when a lock changes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

/// The lock of the npm packages and the scripts beside it.
const SCRIPTS: &str = "tests/end-to-end/clients";
/// Scripts in a folder below them, where they find the same packages.
const PAGES: &str = "tests/end-to-end/pages";

/// Where a test finds what is installed here; the same places before and after.
pub(crate) struct Clients {
    /// Everything that the tests keep outside of their temporary folders.
    pub(crate) folder: PathBuf,
    /// The scripts, with `node_modules` beside them.
    pub(crate) scripts: PathBuf,
    virtual_environment: PathBuf,
}

impl Clients {
    pub(crate) fn of(workspace: &Workspace) -> Self {
        let folder = workspace.target.join("e2e");
        Self { scripts: folder.join("clients"), virtual_environment: folder.join("venv"), folder }
    }

    pub(crate) fn python(&self) -> PathBuf {
        self.virtual_environment.join("bin/python")
    }

    /// Where the programs of ours are that the tests run.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// One of these programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs().join(name)
    }

    pub(crate) fn set_up(&self, workspace: &Workspace) -> Result<()> {
        self.copy_scripts(workspace)?;
        self.install_npm_packages()?;
        python_packages(&self.virtual_environment, &self.scripts.join("requirements.txt"))
    }

    fn copy_scripts(&self, workspace: &Workspace) -> Result<()> {
        for file in workspace.files()? {
            if let Ok(name) = file.strip_prefix(SCRIPTS) {
                copy(&workspace.root.join(&file), &self.scripts.join(name))?;
            } else if let Ok(name) = file.strip_prefix(PAGES) {
                copy(&workspace.root.join(&file), &self.scripts.join("pages").join(name))?;
            }
        }
        Ok(())
    }

    fn install_npm_packages(&self) -> Result<()> {
        npm_packages(&self.scripts, &[])?;
        let node = self.scripts.join("node_modules/node/bin/node");
        if !node.is_file() {
            bail!(
                "npm left out the install script of its package `node`, so {} is missing; \
                 {SCRIPTS}/package.json has to name it under `allowScripts`",
                node.display()
            );
        }
        Ok(())
    }
}

/// What makes npm install other packages.
pub(crate) const NPM_FILES: [&str; 3] = ["package.json", "package-lock.json", ".npmrc"];

/// Installs what the lock in `folder` names, there. `more`: further arguments for npm.
pub(crate) fn npm_packages(folder: &Path, more: &[&str]) -> Result<()> {
    let mut wanted = process::output(Command::new("node").arg("--version"))?;
    for file in NPM_FILES {
        wanted += &read(&folder.join(file))?;
    }
    once(&folder.join("installed"), &wanted, "npm packages", || {
        process::run(Command::new("npm").current_dir(folder).args(["ci", "--no-fund", "--no-audit"]).args(more))
    })
}

/// Installs what `requirements` names, in a virtual environment.
pub(crate) fn python_packages(environment: &Path, requirements: &Path) -> Result<()> {
    let wanted = process::output(Command::new("python3").arg("--version"))? + &read(requirements)?;
    once(&environment.join("installed"), &wanted, "Python packages", || {
        process::run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(environment))?;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        process::run(Command::new(environment.join("bin/python")).args(pip).arg(requirements))
    })
}

/// Installs unless the stamp says that exactly this is installed. The stamp is written last, so a run that was cut
/// short is repeated.
fn once(stamp: &Path, wanted: &str, what: &str, install: impl FnOnce() -> Result<()>) -> Result<()> {
    if std::fs::read_to_string(stamp).is_ok_and(|installed| installed == wanted) {
        println!("{what}: installed before");
        return Ok(());
    }
    if stamp.exists() {
        std::fs::remove_file(stamp)?;
    }
    install()?;
    std::fs::write(stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn read(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}
