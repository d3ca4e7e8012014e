//! Steps of connection attempts in PostgreSQL.

use async_trait::async_trait;
use bridgehead_auth::{StoreError, TraceEvent, TraceStore, trace::Kept};
use jiff::Timestamp;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::{
    key_row::micros,
    trace_row::{TraceRow, event},
};

#[async_trait]
impl TraceStore for Postgres {
    async fn append_trace(&self, events: Vec<TraceEvent>, kept: Kept) -> Result<(), StoreError> {
        let mut change = self.pool.begin().await.map_err(store_error)?;
        for event in &events {
            sqlx::query("INSERT INTO bridgehead_trace_event (at, step, outcome, facts) VALUES ($1, $2, $3, $4)")
                .bind(micros(event.at))
                .bind(event.step.as_str())
                .bind(event.outcome.as_str())
                .bind(event.facts.to_text())
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
        }
        sqlx::query(
            "DELETE FROM bridgehead_trace_event WHERE at < $1 OR number IN \
             (SELECT number FROM bridgehead_trace_event ORDER BY at DESC, number DESC OFFSET $2)",
        )
        .bind(micros(kept.since))
        .bind(i64::from(kept.at_most))
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        change.commit().await.map_err(store_error)
    }

    async fn trace_since(&self, since: Timestamp) -> Result<Vec<TraceEvent>, StoreError> {
        let rows: Vec<TraceRow> = sqlx::query_as(
            "SELECT at, step, outcome, facts FROM bridgehead_trace_event WHERE at >= $1 ORDER BY at, number",
        )
        .bind(micros(since))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        let read = |row| event(row).map_err(|what| corrupt(what, None::<sqlx::Error>));
        rows.into_iter().map(read).collect()
    }
}
