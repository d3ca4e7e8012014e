//! Callers who are cut off by name, in SQLite. Each verb is one statement.

use async_trait::async_trait;
use bridgehead_auth::{Denial, DeniedSubject, Readmission, StoreError, SubjectStore};
use jiff::Timestamp;

use super::Sqlite;
use crate::{key_row::micros, sqlite::error::corrupt};

#[async_trait]
impl SubjectStore for Sqlite {
    async fn deny_subject(&self, subject: &str, at: Timestamp) -> Result<Denial, StoreError> {
        let done = sqlx::query(
            "INSERT INTO denied_subject (subject, denied_at) VALUES (?, ?) ON CONFLICT (subject) DO NOTHING",
        )
        .bind(subject)
        .bind(micros(at))
        .execute(self.writer()?)
        .await
        .map_err(|error| self.error(error))?;
        Ok(if done.rows_affected() == 0 { Denial::AlreadyDenied } else { Denial::Denied })
    }

    async fn allow_subject(&self, subject: &str) -> Result<Readmission, StoreError> {
        let done = sqlx::query("DELETE FROM denied_subject WHERE subject = ?")
            .bind(subject)
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(if done.rows_affected() == 0 { Readmission::NotDenied } else { Readmission::Allowed })
    }

    async fn denied_subjects(&self) -> Result<Vec<DeniedSubject>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("SELECT subject, denied_at FROM denied_subject ORDER BY denied_at, subject")
                .fetch_all(self.readers()?)
                .await
                .map_err(|error| self.error(error))?;
        let subject = |(subject, micros): (String, i64)| {
            Ok(DeniedSubject { subject: subject.into(), denied_at: self.denied_at(micros)? })
        };
        rows.into_iter().map(subject).collect()
    }

    async fn denied_since(&self, subject: &str) -> Result<Option<Timestamp>, StoreError> {
        let micros: Option<i64> = sqlx::query_scalar("SELECT denied_at FROM denied_subject WHERE subject = ?")
            .bind(subject)
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        micros.map(|micros| self.denied_at(micros)).transpose()
    }
}

impl Sqlite {
    fn denied_at(&self, micros: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_microsecond(micros).map_err(|error| {
            let what = format!("the column `denied_at` of a caller cannot be read ({error}). Restore a backup");
            corrupt(&self.0.path, what, None::<sqlx::Error>)
        })
    }
}
