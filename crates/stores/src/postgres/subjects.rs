//! Callers who are cut off by name, in PostgreSQL. Each verb is one statement.

use async_trait::async_trait;
use bridgehead_auth::{Denial, DeniedSubject, Readmission, StoreError, SubjectStore};
use jiff::Timestamp;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::key_row::micros;

#[async_trait]
impl SubjectStore for Postgres {
    async fn deny_subject(&self, subject: &str, at: Timestamp) -> Result<Denial, StoreError> {
        let done = sqlx::query(
            "INSERT INTO bridgehead_denied_subject (subject, denied_at) VALUES ($1, $2) ON CONFLICT (subject) DO NOTHING",
        )
        .bind(subject)
        .bind(micros(at))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Denial::AlreadyDenied } else { Denial::Denied })
    }

    async fn allow_subject(&self, subject: &str) -> Result<Readmission, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_denied_subject WHERE subject = $1")
            .bind(subject)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Readmission::NotDenied } else { Readmission::Allowed })
    }

    async fn denied_subjects(&self) -> Result<Vec<DeniedSubject>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT subject, denied_at FROM bridgehead_denied_subject ORDER BY denied_at, subject")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        let subject = |(subject, micros): (String, i64)| {
            Ok(DeniedSubject { subject: subject.into(), denied_at: denied_at(micros)? })
        };
        rows.into_iter().map(subject).collect()
    }

    async fn denied_since(&self, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> =
            sqlx::query_scalar("SELECT denied_at FROM bridgehead_denied_subject WHERE subject = $1")
                .bind(subject)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        micros.map(denied_at).transpose()
    }
}

fn denied_at(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros).map_err(|error| {
        let what = format!("the column `denied_at` of a caller cannot be read ({error}). Restore a backup");
        corrupt(what, None::<sqlx::Error>)
    })
}
