//! The SDK scripts under `clients/`, run with what `cargo xtask test` installed.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use bridgehead_harness::process::Served;
use serde_json::Value;
use tokio::process::Command;

/// An SDK with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `@modelcontextprotocol/sdk`.
    TypescriptV1,
    /// `@modelcontextprotocol/client`.
    TypescriptV2,
    /// `mcp`.
    Python,
}

/// Every SDK with every revision it speaks.
pub const MATRIX: [(Sdk, &[&str]); 3] = [
    (Sdk::TypescriptV1, &["2025-03-26", "2025-06-18", "2025-11-25"]),
    (Sdk::TypescriptV2, &["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]),
    (Sdk::Python, &["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]),
];

/// A path that `cargo xtask test` hands to the tests.
pub fn installed(variable: &str) -> PathBuf {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .unwrap_or_else(|| panic!("${variable} is not set: run `cargo xtask test`"))
}

/// Runs one script to its end.
pub async fn run_sdk(sdk: Sdk, directory: &Path, served: &Served, revision: &str, plan: &Value) -> Output {
    let plan_file = directory.join("plan.json");
    std::fs::write(&plan_file, plan.to_string()).unwrap();
    let clients = installed("E2E_CLIENTS_DIR");
    let mut command = match sdk {
        Sdk::TypescriptV1 | Sdk::TypescriptV2 => {
            let script = if sdk == Sdk::TypescriptV1 { "typescript_v1.mjs" } else { "typescript_v2.mjs" };
            let mut command = Command::new("node");
            command.arg(clients.join(script));
            command
        }
        Sdk::Python => {
            let mut command = Command::new(installed("E2E_PYTHON"));
            command.arg(clients.join("python_sdk.py"));
            command
        }
    };
    command
        .arg(plan_file)
        .env("BRIDGEHEAD_URL", &served.url)
        .env("BRIDGEHEAD_KEY", served.key.as_ref().unwrap())
        .env("BRIDGEHEAD_REVISION", revision)
        .output()
        .await
        .expect("the script runs")
}

/// Runs the plan with every SDK and revision; each must report checks that held.
pub async fn run_matrix(directory: &Path, served: &Served, plan: &Value) {
    for (sdk, revisions) in MATRIX {
        for revision in revisions {
            let output = run_sdk(sdk, directory, served, revision, plan).await;
            let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.status.code(), Some(0), "{sdk:?} {revision}\n{said}\n{complained}");
            let report: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
            assert_eq!(report["revision"], *revision);
            assert!(report["checks"].as_u64().unwrap() > 20, "{report}");
        }
    }
}
