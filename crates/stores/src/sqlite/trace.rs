//! Steps of connection attempts in SQLite.

use async_trait::async_trait;
use bridgehead_auth::{StoreError, TraceEvent, TraceStore, trace::Kept};
use jiff::Timestamp;

use super::Sqlite;
use crate::{
    key_row::micros,
    sqlite::error::corrupt,
    trace_row::{TraceRow, event},
};

#[async_trait]
impl TraceStore for Sqlite {
    async fn append_trace(&self, events: Vec<TraceEvent>, kept: Kept) -> Result<(), StoreError> {
        let mut change = self.change().await?;
        for event in &events {
            sqlx::query("INSERT INTO trace_event (at, step, outcome, facts) VALUES (?, ?, ?, ?)")
                .bind(micros(event.at))
                .bind(event.step.as_str())
                .bind(event.outcome.as_str())
                .bind(event.facts.to_text())
                .execute(&mut *change)
                .await
                .map_err(|error| self.error(error))?;
        }
        sqlx::query(
            "DELETE FROM trace_event WHERE at < ? OR number IN \
             (SELECT number FROM trace_event ORDER BY at DESC, number DESC LIMIT -1 OFFSET ?)",
        )
        .bind(micros(kept.since))
        .bind(i64::from(kept.at_most))
        .execute(&mut *change)
        .await
        .map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))
    }

    async fn trace_since(&self, since: Timestamp) -> Result<Vec<TraceEvent>, StoreError> {
        let rows: Vec<TraceRow> =
            sqlx::query_as("SELECT at, step, outcome, facts FROM trace_event WHERE at >= ? ORDER BY at, number")
                .bind(micros(since))
                .fetch_all(self.readers()?)
                .await
                .map_err(|error| self.error(error))?;
        let read = |row| event(row).map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>));
        rows.into_iter().map(read).collect()
    }
}
