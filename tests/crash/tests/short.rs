//! D5: the short form of `cargo xtask crash`. Servers are killed in the middle of calls with effects; nothing is done
//! twice, nothing is lost, and what nobody knows is said to be unknown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "these are tests")]

use bridgehead_crash::{Report, Scenario, run, table};
use futures_util::future;

const SEED: u64 = 7;
const CALLS: u64 = 60;
const KILLS_PER_MILLE: u64 = 30;

async fn short(scenarios: &[Scenario]) -> Vec<Report> {
    future::join_all(scenarios.iter().map(|scenario| run(*scenario, SEED, CALLS, KILLS_PER_MILLE))).await
}

fn holds(reports: &[Report]) {
    let shown = table(reports);
    for report in reports {
        assert_eq!(report.violations.len(), 0, "{shown}\n{}: {:#?}", report.scenario.name, report.violations);
        // It was a crash test: servers died, repeats came, and there was something to lose.
        assert!(report.kills > 0 && report.sums.replayed > 0 && report.sums.effects > CALLS / 2, "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_that_is_killed_does_nothing_twice() {
    let mut reports = short(&[Scenario::ONE_SERVER.as_slice(), &[Scenario::WITHOUT_KEYS]].concat()).await;
    // Without keys the same callers do it twice, and it is seen.
    let control = reports.pop().expect("four reports");
    assert!(control.sums.duplicates > 0, "{}", table(&[control]));
    holds(&reports);
    // Only an API that knows no keys leaves anything in doubt, and then it is said.
    assert!(reports[0].sums.in_doubt > 0 && reports[1].known_again > 0, "{}", table(&reports));
}

#[cfg(feature = "servers")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_that_are_killed_in_turn_do_nothing_twice() {
    let reports = short(&Scenario::TWO_REPLICAS).await;
    holds(&reports);
    assert!(reports[0].sums.in_doubt > 0 && reports[1].known_again > 0, "{}", table(&reports));
}
