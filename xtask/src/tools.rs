//! The programs that the tests need beside Rust: looked for, and on a Debian machine installed when we may.
//! What cannot be installed is named with the reason.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::process;

struct Tool {
    what: &'static str,
    /// Runs well, and where it prints a version, one that suffices.
    probe: &'static [&'static str],
    /// Major and minor version, where the tool has to be new enough.
    at_least: Option<(u32, u32)>,
    /// Debian's packages.
    packages: &'static [&'static str],
}

const TOOLS: [Tool; 15] = [
    Tool { what: "a C compiler (cc)", probe: &["cc", "--version"], at_least: None, packages: &["gcc", "libc6-dev"] },
    Tool { what: "git", probe: &["git", "--version"], at_least: None, packages: &["git"] },
    Tool { what: "Node 20 or newer", probe: &["node", "--version"], at_least: Some((20, 0)), packages: &["nodejs"] },
    Tool { what: "npm", probe: &["npm", "--version"], at_least: None, packages: &["npm"] },
    Tool {
        what: "Python 3.11 or newer",
        probe: &["python3", "--version"],
        at_least: Some((3, 11)),
        packages: &["python3"],
    },
    Tool {
        what: "Python's venv with ensurepip",
        probe: &["python3", "-c", "import ensurepip, venv"],
        at_least: None,
        packages: &["python3-venv"],
    },
    Tool {
        what: "the PostgreSQL server, 12 or newer",
        // The harness takes the newest as well.
        probe: &["sh", "-c", "\"$(ls -d /usr/lib/postgresql/*/bin/postgres | sort -V | tail -n 1)\" --version"],
        at_least: Some((12, 0)),
        packages: &["postgresql-15"],
    },
    Tool {
        what: "a Redis server, 6 or newer",
        probe: &["sh", "-c", "redis-server --version | sed 's/.*v=//'"],
        at_least: Some((6, 0)),
        packages: &["redis-server"],
    },
    Tool { what: "Caddy 2", probe: &["caddy", "version"], at_least: Some((2, 0)), packages: &["caddy"] },
    Tool {
        what: "Chromium",
        probe: &["chromium", "--version"],
        at_least: None,
        // Without a font there would be no letters to look at.
        packages: &["chromium", "fonts-liberation"],
    },
    Tool {
        what: "Pebble, an ACME authority for tests",
        // Asked for help, it fails as other Go programs do.
        probe: &["sh", "-c", "command -v pebble"],
        at_least: None,
        packages: &["pebble"],
    },
    Tool { what: "curl, as the guide calls it", probe: &["curl", "--version"], at_least: None, packages: &["curl"] },
    Tool {
        what: "OpenSSL, as the guide calls it",
        probe: &["openssl", "version"],
        at_least: Some((3, 0)),
        packages: &["openssl"],
    },
    Tool {
        what: "SQLite's shell, as the guide calls it",
        probe: &["sqlite3", "--version"],
        at_least: Some((3, 37)),
        packages: &["sqlite3"],
    },
    Tool {
        what: "systemd's own check of units",
        probe: &["systemd-analyze", "--version"],
        at_least: None,
        packages: &["systemd"],
    },
];

/// Debian's package makes a cluster of its own and starts it; the tests start theirs.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/no-main-cluster.conf";

pub(crate) fn install_what_is_missing() -> Result<()> {
    let missing = missing();
    if missing.is_empty() {
        println!("all there");
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|(tool, _)| tool.packages).copied().collect();
    if !may_install() {
        bail!("{}\non Debian: apt-get install {}", told(&missing), packages.join(" "));
    }
    println!("{}\ninstalling {}", told(&missing), packages.join(" "));
    if packages.iter().any(|package| package.starts_with("postgresql")) {
        make_no_cluster()?;
    }
    apt_get(&["update", "--quiet"])?;
    apt_get(&[&["install", "--quiet", "--yes", "--no-install-recommends"], packages.as_slice()].concat())?;
    match self::missing() {
        still if still.is_empty() => Ok(()),
        still => bail!("Debian's packages do not suffice: {}", told(&still)),
    }
}

fn make_no_cluster() -> Result<()> {
    let file = Path::new(NO_CLUSTER);
    let directory = file.parent().context("the file stands in a directory")?;
    let written =
        std::fs::create_dir_all(directory).and_then(|()| std::fs::write(file, "create_main_cluster = false\n"));
    written.with_context(|| format!("cannot write {NO_CLUSTER}"))
}

fn missing() -> Vec<(&'static Tool, String)> {
    TOOLS.iter().filter_map(|tool| fault(tool).map(|fault| (tool, fault))).collect()
}

fn told(missing: &[(&Tool, String)]) -> String {
    missing.iter().map(|(tool, fault)| format!("{} is needed: {fault}", tool.what)).collect::<Vec<_>>().join("\n")
}

fn fault(tool: &Tool) -> Option<String> {
    let (program, arguments) = tool.probe.split_first()?;
    let output = match Command::new(program).args(arguments).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => output,
        Ok(_) => return Some(format!("`{}` fails", tool.probe.join(" "))),
        Err(error) => return Some(format!("`{program}`: {error}")),
    };
    let said = String::from_utf8_lossy(&output.stdout);
    match (tool.at_least, version(&said)) {
        (Some(wanted), Some(found)) if found < wanted => Some(format!("found {}", said.trim())),
        (Some(_), None) => Some(format!("cannot tell the version from {said:?}")),
        _ => None,
    }
}

/// Major and minor of the first thing that looks like a version: `v20.20.2`, `Python 3.11.7`.
fn version(said: &str) -> Option<(u32, u32)> {
    said.split_whitespace().find_map(|word| {
        let mut parts = word.trim_start_matches('v').split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    })
}

fn may_install() -> bool {
    let id = Command::new("id").arg("-u").output();
    let root = id.is_ok_and(|id| String::from_utf8_lossy(&id.stdout).trim() == "0");
    root && Command::new("apt-get").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// The run level of a machine that is being set up: services that come with a package are not started.
fn apt_get(arguments: &[&str]) -> Result<()> {
    process::run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1"))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_as_the_tools_print_them() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert_eq!(version("Python 3.11.7"), Some((3, 11)));
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some((15, 18)));
        assert_eq!(version("Chromium 148.0.7778.167 built on Debian GNU/Linux 12 (bookworm)"), Some((148, 0)));
        assert_eq!(version("cc (Debian) "), None);
    }
}
