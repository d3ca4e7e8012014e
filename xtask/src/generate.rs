//! `cargo xtask generate [--check]`: files that the binary writes about itself, so that they cannot tell a different
//! story from it. To add one is one line in the table.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::Workspace;

struct Generated {
    file: &'static str,
    /// Arguments of the binary that make it write the file to stdout.
    by: &'static [&'static str],
}

const GENERATED: [Generated; 5] = [
    Generated { file: "crates/bridgehead/bridgehead.schema.json", by: &["config", "schema"] },
    Generated { file: "docs/reference/configuration.md", by: &["config", "reference"] },
    Generated { file: "docs/reference/doctor.md", by: &["config", "checks"] },
    Generated { file: "docs/reference/errors.md", by: &["config", "errors"] },
    Generated { file: "docs/reference/lint.md", by: &["config", "rules"] },
];

pub(crate) fn write(workspace: &Workspace) -> Result<()> {
    for generated in &GENERATED {
        let text = generated.text(workspace)?;
        let file = workspace.root.join(generated.file);
        if std::fs::read_to_string(&file).is_ok_and(|present| present == text) {
            println!("unchanged  {}", generated.file);
            continue;
        }
        std::fs::create_dir_all(file.parent().unwrap_or(&workspace.root))?;
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", generated.file))?;
        println!("written    {}", generated.file);
    }
    Ok(())
}

pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let mut stale = 0;
    for generated in &GENERATED {
        if let Some(difference) = difference(&workspace.root.join(generated.file), &generated.text(workspace)?) {
            stale += 1;
            println!("{}: {difference}", generated.file);
        }
    }
    if stale > 0 {
        bail!("{stale} generated files are not up to date; `cargo xtask generate` writes them");
    }
    println!("{} generated files are up to date", GENERATED.len());
    Ok(())
}

impl Generated {
    fn text(&self, workspace: &Workspace) -> Result<String> {
        let arguments = [&["run", "--quiet", "--locked", "--package", "bridgehead", "--"], self.by].concat();
        process::output(process::without_settings(&mut process::cargo(&workspace.root, &arguments)))
    }
}

fn difference(file: &Path, wanted: &str) -> Option<String> {
    let Ok(present) = std::fs::read_to_string(file) else {
        return Some("is missing".to_owned());
    };
    if present == wanted {
        return None;
    }
    let line = present.lines().zip(wanted.lines()).take_while(|(present, wanted)| present == wanted).count() + 1;
    Some(format!("differs from line {line} on"))
}
