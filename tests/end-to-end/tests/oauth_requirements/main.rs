//! OAuth as a table (A4, A5): each requirement with the requests that try it and the exact answers, and
//! each threat with an attack and its refusal, over real sockets. The table counts itself; README.md
//! states the counts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

mod authorize;
mod metadata;
mod registration;
mod resource_server;
mod table;
mod threats;
mod threats_outside;
mod token;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use table::{REQUIREMENTS, Table};

/// Everything, so that the counts are of the whole.
#[tokio::test]
async fn the_table_holds() {
    let mut table = Table::default();
    section(&mut table, "resource server", async |table| resource_server::rows(table).await).await;
    section(&mut table, "metadata", async |table| metadata::rows(table).await).await;
    section(&mut table, "authorize", async |table| authorize::rows(table).await).await;
    section(&mut table, "token", async |table| token::rows(table).await).await;
    section(&mut table, "registration", async |table| registration::rows(table).await).await;
    section(&mut table, "threats", async |table| threats::rows(table).await).await;
    section(&mut table, "threats from outside", async |table| threats_outside::rows(table).await).await;
    let faults = table.faults();
    assert!(faults.is_empty(), "{} of {} rows do not hold:\n{}", faults.len(), table.rows(), faults.join("\n"));
    for (id, requirement) in REQUIREMENTS {
        assert!(table.rows_of(id) > 0, "nothing tries {id}: {requirement}");
    }
    let readme = include_str!("README.md");
    let counts = table.counts();
    let is_written = |line: &String| readme.lines().any(|written| written == line);
    assert!(counts.iter().all(is_written), "README.md does not say\n{}", counts.join("\n"));
}

/// One section, to its end or to where it broke off: the others are tried all the same.
async fn section(table: &mut Table, name: &str, rows: impl AsyncFnOnce(&mut Table)) {
    if AssertUnwindSafe(rows(table)).catch_unwind().await.is_err() {
        table.broke_off(name);
    }
}
