//! Browser sessions in SQLite.

use async_trait::async_trait;
use bridgehead_auth::{
    SessionStore, StoreError,
    users::{Beginning, MailAddress, PasswordHash, SessionRecord, User},
};
use jiff::Timestamp;
use sqlx::{FromRow, sqlite::SqliteRow};

use super::Sqlite;
use crate::{
    key_row::micros,
    people_row::{SessionRow, UserRow, session_columns, session_columns_renamed, user_columns},
    sqlite::error::corrupt,
};

#[async_trait]
impl SessionStore for Sqlite {
    async fn begin_session(
        &self,
        session: SessionRecord,
        password: Option<&PasswordHash>,
    ) -> Result<Beginning, StoreError> {
        let mut change = self.change().await?;
        let signed_in = sqlx::query(
            "UPDATE user SET signed_in_at = max(coalesce(signed_in_at, ?1), ?1) \
             WHERE address = ?2 AND disabled_at IS NULL AND (?3 IS NULL OR password = ?3)",
        )
        .bind(micros(session.created_at))
        .bind(session.address.as_str())
        .bind(password.map(PasswordHash::as_str))
        .execute(&mut *change)
        .await
        .map_err(|error| self.error(error))?;
        if signed_in.rows_affected() == 0 {
            return Ok(Beginning::Refused);
        }
        sqlx::query(concat!("INSERT INTO session (", session_columns!(), ") VALUES (?, ?, ?, ?, ?, ?, ?)"))
            .bind(&*session.id)
            .bind(session.address.as_str())
            .bind(session.hash.as_bytes().as_slice())
            .bind(session.pepper_version.as_str())
            .bind(micros(session.created_at))
            .bind(micros(session.expires_at))
            .bind(micros(session.last_used_at))
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(Beginning::Begun)
    }

    async fn find_session(&self, id: &str) -> Result<Option<(SessionRecord, User)>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT * FROM (SELECT ",
            session_columns_renamed!(),
            " FROM session WHERE id = ?) JOIN (SELECT ",
            user_columns!(),
            " FROM user) ON address = session_address"
        ))
        .bind(id)
        .fetch_optional(self.readers()?)
        .await
        .map_err(|error| self.error(error))?;
        row.as_ref().map(|row| self.session_of(row)).transpose()
    }

    async fn touch_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE session SET last_used_at = ?1 WHERE id = ?2 AND last_used_at < ?1")
            .bind(micros(at))
            .bind(id)
            .execute(self.writer()?)
            .await
            .map(|_done| ())
            .map_err(|error| self.error(error))
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE id = ?")
            .bind(id)
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(done.rows_affected() > 0)
    }

    async fn end_sessions_of(&self, address: &MailAddress) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE address = ?")
            .bind(address.as_str())
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(done.rows_affected())
    }

    async fn remove_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE expires_at <= ? OR last_used_at <= ?")
            .bind(micros(now))
            .bind(micros(idle_since))
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(done.rows_affected())
    }
}

impl Sqlite {
    fn session_of(&self, row: &SqliteRow) -> Result<(SessionRecord, User), StoreError> {
        let session = SessionRow::from_row(row).map_err(|error| self.error(error))?;
        let user = UserRow::from_row(row).map_err(|error| self.error(error))?;
        let session = session.into_record().map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>))?;
        Ok((session, self.user_record(user)?.user))
    }
}
