//! The long form of the proof, which `cargo xtask crash` runs: `bridgehead-crash [--seed N] [--calls N]`. Prints the seed,
//! the table and everything that must not be; the exit code is 1 where there is any.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    reason = "a command-line chore talks to its terminal"
)]

use std::process::ExitCode;

use bridgehead_crash::{Report, Scenario, run, table};

/// Calls of all scenarios together, where nobody says another number.
const CALLS: u64 = 10_000;
/// Before how many of a thousand requests a server is killed.
const KILLS_PER_MILLE: u64 = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mut seed, mut calls) = (None, CALLS);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--seed" => seed = value.parse().ok(),
            [name, value] if name == "--calls" => calls = value.parse().unwrap_or(0),
            _ => calls = 0,
        }
    }
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    if calls == 0 {
        eprintln!("usage: bridgehead-crash [--seed NUMBER] [--calls NUMBER]");
        return ExitCode::from(2);
    }
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(all(seed, calls))
}

async fn all(seed: u64, calls: u64) -> ExitCode {
    println!("seed {seed}, {calls} calls");
    let scenarios: Vec<Scenario> = Scenario::ONE_SERVER.into_iter().chain(Scenario::TWO_REPLICAS).collect();
    let each = calls.div_ceil(scenarios.len() as u64);
    let mut reports = Vec::new();
    for scenario in scenarios {
        println!("… {}", scenario.name);
        reports.push(run(scenario, seed, each, KILLS_PER_MILLE).await);
    }
    // The same eye must see what there is to see.
    println!("… {}", Scenario::WITHOUT_KEYS.name);
    let control = run(Scenario::WITHOUT_KEYS, seed, each.min(300), KILLS_PER_MILLE).await;
    let is_blind = control.sums.duplicates == 0;
    let failed: usize = reports.iter().map(|report| report.violations.len()).sum();
    reports.iter().for_each(tell);
    reports.push(control);
    println!("{}", table(&reports));
    if is_blind {
        println!("The run without keys found no duplicate: this proof proves nothing.");
    }
    println!("{failed} violations; repeat with: cargo xtask crash --seed {seed} --calls {calls}");
    if failed == 0 && !is_blind { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(report: &Report) {
    for (intent, violation, account) in report.violations.iter().take(20) {
        println!("{}: intent {intent}: {violation:?}; told {:?}", report.scenario.name, account.told);
    }
}
