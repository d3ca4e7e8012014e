//! `cargo xtask layers`: which crate may import which. The table here is the one that ARCHITECTURE.md explains; what
//! stands outside `crates/` is for tests and chores, may import everything and is imported by no crate that is shipped.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};

use crate::deps;
use crate::workspace::{Package, Workspace};

struct Layer {
    name: &'static str,
    imports: &'static [&'static str],
    /// What its tests may import beside that.
    tests_import: &'static [&'static str],
}

const LAYERS: [Layer; 10] = [
    Layer { name: "bridgehead-core", imports: &[], tests_import: &[] },
    Layer { name: "bridgehead-macros", imports: &[], tests_import: &[] },
    Layer { name: "bridgehead-lint", imports: &["bridgehead-core"], tests_import: &[] },
    Layer { name: "bridgehead-auth", imports: &["bridgehead-core"], tests_import: &[] },
    Layer { name: "bridgehead-outbound", imports: &["bridgehead-core"], tests_import: &[] },
    Layer {
        name: "bridgehead-sources",
        imports: &["bridgehead-core", "bridgehead-outbound"],
        tests_import: &["bridgehead-macros"],
    },
    Layer {
        name: "bridgehead-doctor",
        imports: &["bridgehead-core", "bridgehead-lint", "bridgehead-outbound"],
        tests_import: &[],
    },
    Layer { name: "bridgehead-stores", imports: &["bridgehead-core", "bridgehead-auth"], tests_import: &[] },
    Layer {
        name: "bridgehead-server",
        imports: &["bridgehead-core", "bridgehead-auth", "bridgehead-lint", "bridgehead-outbound"],
        tests_import: &[],
    },
    Layer {
        name: "bridgehead",
        imports: &[
            "bridgehead-auth",
            "bridgehead-core",
            "bridgehead-doctor",
            "bridgehead-lint",
            "bridgehead-macros",
            "bridgehead-outbound",
            "bridgehead-server",
            "bridgehead-sources",
            "bridgehead-stores",
        ],
        tests_import: &[],
    },
];

/// A foreign crate that only some of ours may name in `[dependencies]`.
struct Reserved {
    name: &'static str,
    to: &'static [&'static str],
    why: &'static str,
}

const RESERVED: [Reserved; 4] = [
    Reserved {
        name: "reqwest",
        to: &["bridgehead-outbound"],
        why: "HTTP clients are made in crates/outbound alone, with its address guard",
    },
    Reserved {
        name: "hyper-rustls",
        to: &["bridgehead-outbound"],
        why: "HTTP clients are made in crates/outbound alone, with its address guard",
    },
    Reserved {
        name: "redis",
        to: &["bridgehead-stores"],
        why: "what replicas share is behind the seams of core, which crates/stores implements",
    },
    Reserved {
        name: "rmcp",
        to: &["bridgehead", "bridgehead-server", "bridgehead-sources"],
        why: "the SDK changes its major version several times a year",
    },
];

/// These are built and tested without a socket, a database or an HTTP client, however deep it is hidden.
const PURE: [&str; 3] = ["bridgehead-core", "bridgehead-auth", "bridgehead-lint"];
const IMPURE: [&str; 5] = ["axum", "hyper", "redis", "reqwest", "sqlx"];

/// The only place on the server side that knows the SDK's types.
const SDK_TYPES: [&str; 2] = ["crates/server/src/mcp/", "crates/server/src/mcp.rs"];

pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let mut violations = manifests(workspace);
    violations.extend(trees(workspace)?);
    violations.extend(sdk_types(workspace)?);
    for violation in &violations {
        println!("{violation}");
    }
    if !violations.is_empty() {
        bail!("{} imports against the rules", violations.len());
    }
    println!("the imports of {} crates keep to the rules", workspace.packages.len());
    Ok(())
}

fn manifests(workspace: &Workspace) -> Vec<String> {
    let ours: BTreeSet<&str> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
    let mut violations = Vec::new();
    for package in &workspace.packages {
        let manifest = workspace.relative(&package.manifest);
        if !manifest.starts_with("crates") {
            continue;
        }
        match LAYERS.iter().find(|layer| layer.name == package.name) {
            Some(layer) => violations.extend(imports(package, manifest, layer, &ours)),
            None => violations.push(format!(
                "{}: the crate {} has no layer. Say in xtask/src/layers.rs and ARCHITECTURE.md what it may import.",
                manifest.display(),
                package.name
            )),
        }
    }
    violations
}

fn imports(package: &Package, manifest: &Path, layer: &Layer, ours: &BTreeSet<&str>) -> Vec<String> {
    let at = manifest.display();
    let mut violations = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let only_tests = dependency.kind.as_deref() == Some("dev");
        let allowed = layer.imports.contains(&name) || (only_tests && layer.tests_import.contains(&name));
        if ours.contains(name) && !allowed && name != layer.name {
            let mend = if only_tests {
                "Move the test that needs it to tests/."
            } else {
                "Move what is shared down to a crate that both may import, or pass it in from crates/bridgehead."
            };
            violations.push(format!("{at}: {} must not import {name}. {mend}", layer.name));
        }
        for reserved in RESERVED.iter().filter(|reserved| reserved.name == name && !only_tests) {
            if !reserved.to.contains(&layer.name) {
                violations.push(format!(
                    "{at}: {} must not depend on {name}: {}. Use what {} offers.",
                    layer.name,
                    reserved.why,
                    reserved.to.join(" or ")
                ));
            }
        }
    }
    violations
}

fn trees(workspace: &Workspace) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for package in workspace.packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        let manifest = workspace.relative(&package.manifest).display();
        for (found, version) in deps::tree(workspace, &package.name)? {
            if IMPURE.contains(&found.as_str()) {
                violations.push(format!(
                    "{manifest}: {name} pulls in {found} {version}. \
                     `cargo tree -p {name} -e normal -i {found}` shows by which way.",
                    name = package.name
                ));
            }
        }
    }
    Ok(violations)
}

fn sdk_types(workspace: &Workspace) -> Result<Vec<String>> {
    let mut violations = Vec::new();
    for file in workspace.files()?.into_iter().filter(|file| is_server_without_sdk(file)) {
        for (number, line) in workspace.read(&file)?.lines().enumerate() {
            if line.contains("rmcp::") && !line.trim_start().starts_with("//") {
                violations.push(format!(
                    "{}:{}: rmcp's types stay in crates/server/src/mcp/. Convert there to a type of bridgehead-core.",
                    file.display(),
                    number + 1
                ));
            }
        }
    }
    Ok(violations)
}

fn is_server_without_sdk(file: &Path) -> bool {
    let path = file.to_string_lossy();
    path.starts_with("crates/server/src/")
        && path.ends_with(".rs")
        && !SDK_TYPES.iter().any(|home| path.starts_with(home))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::manifests;
    use crate::workspace::{Dependency, Package, Workspace};

    /// Name and kind.
    type Dependencies = [(&'static str, Option<&'static str>)];

    fn workspace(packages: &[(&str, &str, &Dependencies)]) -> Workspace {
        let packages = packages.iter().map(|(name, folder, dependencies)| Package {
            name: (*name).to_owned(),
            manifest: PathBuf::from(format!("/house/{folder}/Cargo.toml")),
            dependencies: dependencies
                .iter()
                .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
                .collect(),
        });
        Workspace { root: "/house".into(), target: "/house/target".into(), packages: packages.collect() }
    }

    #[test]
    fn what_the_table_allows_passes() {
        let house = workspace(&[
            ("bridgehead-core", "crates/core", &[("serde", None)]),
            ("bridgehead-macros", "crates/macros", &[]),
            ("bridgehead-outbound", "crates/outbound", &[("bridgehead-core", None), ("reqwest", None)]),
            (
                "bridgehead-sources",
                "crates/sources",
                &[("bridgehead-outbound", None), ("bridgehead-macros", Some("dev"))],
            ),
            (
                "bridgehead-server",
                "crates/server",
                &[("bridgehead-core", None), ("rmcp", None), ("reqwest", Some("dev"))],
            ),
            ("bridgehead-harness", "tests/harness", &[("bridgehead-server", None), ("reqwest", None)]),
        ]);
        assert_eq!(manifests(&house), Vec::<String>::new());
    }

    #[test]
    fn each_import_against_the_rules_is_told() {
        let house = workspace(&[
            ("bridgehead-harness", "tests/harness", &[]),
            ("bridgehead-core", "crates/core", &[("bridgehead-auth", None), ("rmcp", None)]),
            ("bridgehead-auth", "crates/auth", &[("bridgehead-harness", Some("dev"))]),
            ("bridgehead-macros", "crates/macros", &[]),
            ("bridgehead-sources", "crates/sources", &[("bridgehead-macros", None), ("reqwest", None)]),
            ("bridgehead-cache", "crates/cache", &[]),
        ]);
        let told = manifests(&house);
        let expected = [
            "crates/core/Cargo.toml: bridgehead-core must not import bridgehead-auth.",
            "crates/core/Cargo.toml: bridgehead-core must not depend on rmcp",
            "crates/auth/Cargo.toml: bridgehead-auth must not import bridgehead-harness. Move the test",
            "crates/sources/Cargo.toml: bridgehead-sources must not import bridgehead-macros.",
            "crates/sources/Cargo.toml: bridgehead-sources must not depend on reqwest",
            "crates/cache/Cargo.toml: the crate bridgehead-cache has no layer.",
        ];
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }
}
