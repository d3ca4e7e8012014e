//! The unit in `deploy/systemd`, as systemd itself reads it (H1): without a fault, and with little left that the service
//! could do to the machine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::process::{Command, Output};

use bridgehead_harness::process::{binary, repository};
use tempfile::TempDir;

const UNIT: &str = "bridgehead.service";
const PORT_443: &str = "bridgehead.service.d/port-443.conf";

/// The unit with a program that is there; without `drop_in` as it is for a server behind a proxy.
fn installed(drop_in: bool) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let text = |file: &str| std::fs::read_to_string(repository().join("deploy/systemd").join(file)).unwrap();
    let program = binary("bridgehead").canonicalize().unwrap();
    let unit = text(UNIT).replace("/usr/local/bin/bridgehead", program.to_str().unwrap());
    assert!(unit.contains(program.to_str().unwrap()));
    std::fs::write(place.path().join(UNIT), unit).unwrap();
    if drop_in {
        std::fs::create_dir(place.path().join("bridgehead.service.d")).unwrap();
        std::fs::write(place.path().join(PORT_443), text(PORT_443)).unwrap();
    }
    place
}

fn analyze(arguments: &[&str], place: &TempDir) -> Output {
    let unit = place.path().join(UNIT);
    Command::new("systemd-analyze").arg("--no-pager").args(arguments).arg(unit).output().expect("systemd is installed")
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    for drop_in in [false, true] {
        let verified = analyze(&["verify", "--man=no"], &installed(drop_in));
        // What it does not know it names, and goes on.
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        assert!(verified.status.success() && said.is_empty(), "{said}");
    }
}

/// Tenths of its scale from 0 to 100: what is left is the network, and with the drop-in the low ports.
#[test]
fn little_is_left_that_the_service_could_do() {
    for (drop_in, threshold) in [(false, "--threshold=13"), (true, "--threshold=17")] {
        let judged = analyze(&["security", "--offline=true", threshold], &installed(drop_in));
        assert!(judged.status.success(), "{}", String::from_utf8_lossy(&judged.stdout));
    }
}
