//! Browser sessions in PostgreSQL. That of a user who is being disabled waits for that: both change
//! the user's row.

use async_trait::async_trait;
use bridgehead_auth::{
    SessionStore, StoreError,
    users::{Beginning, MailAddress, PasswordHash, SessionRecord, User},
};
use jiff::Timestamp;
use sqlx::{FromRow, postgres::PgRow};

use super::{
    Postgres,
    error::{corrupt, store_error},
    users::user_record,
};
use crate::{
    key_row::micros,
    people_row::{SessionRow, UserRow, session_columns, session_columns_renamed, user_columns},
};

#[async_trait]
impl SessionStore for Postgres {
    async fn begin_session(
        &self,
        session: SessionRecord,
        password: Option<&PasswordHash>,
    ) -> Result<Beginning, StoreError> {
        let mut change = self.pool.begin().await.map_err(store_error)?;
        let signed_in = sqlx::query(
            "UPDATE bridgehead_user SET signed_in_at = greatest(signed_in_at, $1) \
             WHERE address = $2 AND disabled_at IS NULL AND ($3::text IS NULL OR password = $3)",
        )
        .bind(micros(session.created_at))
        .bind(session.address.as_str())
        .bind(password.map(PasswordHash::as_str))
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        if signed_in.rows_affected() == 0 {
            return Ok(Beginning::Refused);
        }
        sqlx::query(concat!(
            "INSERT INTO bridgehead_session (",
            session_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7)"
        ))
        .bind(&*session.id)
        .bind(session.address.as_str())
        .bind(session.hash.as_bytes().as_slice())
        .bind(session.pepper_version.as_str())
        .bind(micros(session.created_at))
        .bind(micros(session.expires_at))
        .bind(micros(session.last_used_at))
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(Beginning::Begun)
    }

    async fn find_session(&self, id: &str) -> Result<Option<(SessionRecord, User)>, StoreError> {
        let row = sqlx::query(concat!(
            "SELECT * FROM (SELECT ",
            session_columns_renamed!(),
            " FROM bridgehead_session WHERE id = $1) AS session JOIN (SELECT ",
            user_columns!(),
            " FROM bridgehead_user) AS person ON address = session_address"
        ))
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.as_ref().map(session_of).transpose()
    }

    async fn touch_session(&self, id: &str, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE bridgehead_session SET last_used_at = $1 WHERE id = $2 AND last_used_at < $1")
            .bind(micros(at))
            .bind(id)
            .execute(&self.pool)
            .await
            .map(|_done| ())
            .map_err(store_error)
    }

    async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_session WHERE id = $1")
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }

    async fn end_sessions_of(&self, address: &MailAddress) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_session WHERE address = $1")
            .bind(address.as_str())
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }

    async fn remove_sessions(&self, now: Timestamp, idle_since: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_session WHERE expires_at <= $1 OR last_used_at <= $2")
            .bind(micros(now))
            .bind(micros(idle_since))
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

fn session_of(row: &PgRow) -> Result<(SessionRecord, User), StoreError> {
    let session = SessionRow::from_row(row).map_err(store_error)?;
    let user = UserRow::from_row(row).map_err(store_error)?;
    let session = session.into_record().map_err(|what| corrupt(what, None::<sqlx::Error>))?;
    Ok((session, user_record(user)?.user))
}
