//! Credentials of teammates, in PostgreSQL. Each verb is one statement, but for the beginning of a
//! connection, which forgets old ones first.

use async_trait::async_trait;
use bridgehead_auth::{
    CredentialStore, LeaseOutcome, StoreError,
    credentials::{CredentialRecord, CredentialVersion, PendingConnection, Removal, Replacement},
};
use jiff::Timestamp;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::{
    credential_row::{self, CredentialRow, PendingRow, bind_credential, credential_columns},
    key_row::micros,
};

#[async_trait]
impl CredentialStore for Postgres {
    async fn credential(&self, vault: &str, subject: &str) -> Result<Option<CredentialRecord>, StoreError> {
        let row: Option<CredentialRow> = sqlx::query_as(concat!(
            "SELECT ",
            credential_columns!(),
            " FROM bridgehead_credential WHERE vault = $1 AND subject = $2"
        ))
        .bind(vault)
        .bind(subject)
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.map(read).transpose()
    }

    async fn credentials(&self) -> Result<Vec<CredentialRecord>, StoreError> {
        let rows: Vec<CredentialRow> = sqlx::query_as(concat!(
            "SELECT ",
            credential_columns!(),
            " FROM bridgehead_credential ORDER BY vault, subject"
        ))
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.into_iter().map(read).collect()
    }

    async fn credentials_of(&self, subject: &str) -> Result<Vec<CredentialRecord>, StoreError> {
        let rows: Vec<CredentialRow> = sqlx::query_as(concat!(
            "SELECT ",
            credential_columns!(),
            " FROM bridgehead_credential WHERE subject = $1 ORDER BY vault"
        ))
        .bind(subject)
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.into_iter().map(read).collect()
    }

    async fn keep_credential(&self, record: &CredentialRecord) -> Result<(), StoreError> {
        let query = sqlx::query(concat!(
            "INSERT INTO bridgehead_credential (",
            credential_columns!(),
            ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (vault, subject) DO UPDATE SET \
             kind = excluded.kind, sealed = excluded.sealed, version = excluded.version, \
             entered_at = excluded.entered_at, renewed_at = excluded.renewed_at, expires_at = excluded.expires_at, \
             refused_at = excluded.refused_at, renewer = NULL, renewer_until = NULL"
        ));
        bind_credential!(query, record).execute(&self.pool).await.map(|_done| ()).map_err(store_error)
    }

    async fn replace_credential(
        &self,
        record: &CredentialRecord,
        version: &CredentialVersion,
    ) -> Result<Replacement, StoreError> {
        let query = sqlx::query(
            "UPDATE bridgehead_credential SET kind = $3, sealed = $4, version = $5, entered_at = $6, renewed_at = $7, \
             expires_at = $8, refused_at = $9 WHERE vault = $1 AND subject = $2 AND version = $10",
        );
        let done =
            bind_credential!(query, record).bind(version.as_str()).execute(&self.pool).await.map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Replacement::Changed } else { Replacement::Replaced })
    }

    async fn remove_credential(&self, vault: &str, subject: &str) -> Result<Removal, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_credential WHERE vault = $1 AND subject = $2")
            .bind(vault)
            .bind(subject)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Removal::NotFound } else { Removal::Removed })
    }

    async fn take_renewal(
        &self,
        vault: &str,
        subject: &str,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<LeaseOutcome, StoreError> {
        let done = sqlx::query(
            "UPDATE bridgehead_credential SET renewer = $3, renewer_until = $4 WHERE vault = $1 AND subject = $2 \
             AND (renewer IS NULL OR renewer = $3 OR renewer_until <= $5)",
        )
        .bind(vault)
        .bind(subject)
        .bind(owner)
        .bind(micros(until))
        .bind(micros(now))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { LeaseOutcome::Held } else { LeaseOutcome::Taken })
    }

    async fn end_renewal(&self, vault: &str, subject: &str, owner: &str) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bridgehead_credential SET renewer = NULL, renewer_until = NULL \
             WHERE vault = $1 AND subject = $2 AND renewer = $3",
        )
        .bind(vault)
        .bind(subject)
        .bind(owner)
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn begin_connection(&self, pending: &PendingConnection, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM bridgehead_pending_connection WHERE expires_at <= $1")
            .bind(micros(now))
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        sqlx::query(
            "INSERT INTO bridgehead_pending_connection (state, session, vault, subject, verifier, next, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(pending.state.as_slice())
        .bind(&*pending.session)
        .bind(&*pending.vault)
        .bind(&*pending.subject)
        .bind(pending.verifier.as_bytes())
        .bind(&pending.next)
        .bind(micros(pending.expires_at))
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn take_connection(&self, state: &[u8; 32], now: Timestamp) -> Result<Option<PendingConnection>, StoreError> {
        let row: Option<PendingRow> = sqlx::query_as(
            "DELETE FROM bridgehead_pending_connection WHERE state = $1 \
             RETURNING state, session, vault, subject, verifier, next, expires_at",
        )
        .bind(state.as_slice())
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        let pending = row.map(credential_row::pending).transpose();
        let pending = pending.map_err(|what| corrupt(what, None::<sqlx::Error>))?;
        Ok(pending.filter(|pending| pending.expires_at > now))
    }
}

fn read(row: CredentialRow) -> Result<CredentialRecord, StoreError> {
    credential_row::credential(row).map_err(|what| corrupt(what, None::<sqlx::Error>))
}
