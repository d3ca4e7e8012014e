//! Who of an identity provider is which user, in PostgreSQL. A verb that is more than one statement takes
//! the lock of all that concerns users first.

use async_trait::async_trait;
use bridgehead_auth::{
    Sealed, StoreError,
    provider::{Bound, IdentityId, IdentityRecord, IdentityStore, Vouched},
    users::{MailAddress, UserRecord},
};
use bridgehead_core::ScopeSet;
use jiff::Timestamp;
use sqlx::PgConnection;

use super::{
    Postgres,
    error::{corrupt, store_error},
    users::{insert_user, user_record},
};
use crate::{
    identity_row::{self, IdentityRow, claims_text, identity_columns},
    key_row::micros,
    people_row::{UserRow, user_columns},
};

#[async_trait]
impl IdentityStore for Postgres {
    async fn bind_identity(&self, record: IdentityRecord, user: UserRecord) -> Result<Bound, StoreError> {
        let mut change = self.change().await?;
        let address = match address_of(&mut change, &record.id).await.map_err(store_error)? {
            Some(address) => address,
            None if is_taken(&mut change, &record).await.map_err(store_error)? => return Ok(Bound::AddressTaken),
            None => {
                add_user(&mut change, &user).await.map_err(store_error)?;
                record.address.as_str().to_owned()
            }
        };
        put(&mut change, &address, &record).await.map_err(store_error)?;
        give_scopes(&mut change, &record.id, &record.scopes).await.map_err(store_error)?;
        let row: UserRow =
            sqlx::query_as(concat!("SELECT ", user_columns!(), " FROM bridgehead_user WHERE address = $1"))
                .bind(&address)
                .fetch_one(&mut *change)
                .await
                .map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        user_record(row).map(|record| Bound::To(Box::new(record)))
    }

    async fn identity_of(&self, issuer: &str, address: &MailAddress) -> Result<Option<IdentityRecord>, StoreError> {
        let row: Option<IdentityRow> = sqlx::query_as(concat!(
            "SELECT ",
            identity_columns!(),
            " FROM bridgehead_identity WHERE address = $1 AND issuer = $2"
        ))
        .bind(address.as_str())
        .bind(issuer)
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.map(|row| identity_row::identity(row).map_err(|what| corrupt(what, None::<sqlx::Error>))).transpose()
    }

    async fn begin_check(
        &self,
        id: &IdentityId,
        checked_at: Timestamp,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE bridgehead_identity SET asking_until = $1 WHERE issuer = $2 AND subject = $3 AND checked_at = $4 \
             AND refused_at IS NULL AND (asking_until IS NULL OR asking_until <= $5)",
        )
        .bind(micros(until))
        .bind(&id.issuer)
        .bind(&id.subject)
        .bind(micros(checked_at))
        .bind(micros(now))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }

    async fn vouched(&self, id: &IdentityId, checked_at: Timestamp, said: Vouched) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let done = sqlx::query(
            "UPDATE bridgehead_identity SET claims = $1, scopes = $2, tokens = $3, checked_at = $4, asking_until = NULL \
             WHERE issuer = $5 AND subject = $6 AND checked_at = $7 AND refused_at IS NULL",
        )
        .bind(claims_text(&said.claims))
        .bind(said.scopes.to_string())
        .bind(said.tokens.as_ref().map(Sealed::as_bytes))
        .bind(micros(said.at))
        .bind(&id.issuer)
        .bind(&id.subject)
        .bind(micros(checked_at))
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        give_scopes(&mut change, id, &said.scopes).await.map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn refused(&self, id: &IdentityId, checked_at: Timestamp, at: Timestamp) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let done = sqlx::query(
            "UPDATE bridgehead_identity SET refused_at = $1, tokens = NULL, asking_until = NULL \
             WHERE issuer = $2 AND subject = $3 AND checked_at = $4 AND refused_at IS NULL",
        )
        .bind(micros(at))
        .bind(&id.issuer)
        .bind(&id.subject)
        .bind(micros(checked_at))
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "DELETE FROM bridgehead_session WHERE address IN \
             (SELECT address FROM bridgehead_identity WHERE issuer = $1 AND subject = $2)",
        )
        .bind(&id.issuer)
        .bind(&id.subject)
        .execute(&mut *change)
        .await
        .map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn release_user(&self, address: &MailAddress) -> Result<bool, StoreError> {
        let mut change = self.change().await?;
        let done = sqlx::query("DELETE FROM bridgehead_identity WHERE address = $1")
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM bridgehead_session WHERE address = $1")
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(true)
    }
}

/// The user whom a person is bound to.
async fn address_of(connection: &mut PgConnection, id: &IdentityId) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT address FROM bridgehead_identity WHERE issuer = $1 AND subject = $2")
        .bind(&id.issuer)
        .bind(&id.subject)
        .fetch_optional(connection)
        .await
}

/// Whether somebody of the same issuer is the user with the record's address.
async fn is_taken(connection: &mut PgConnection, record: &IdentityRecord) -> Result<bool, sqlx::Error> {
    let there = sqlx::query("SELECT 1 FROM bridgehead_identity WHERE address = $1 AND issuer = $2")
        .bind(record.address.as_str())
        .bind(&record.id.issuer)
        .fetch_optional(connection)
        .await?;
    Ok(there.is_some())
}

async fn add_user(connection: &mut PgConnection, user: &UserRecord) -> Result<(), sqlx::Error> {
    if insert_user(connection, user).await? > 0 {
        sqlx::query("DELETE FROM bridgehead_one_time_link WHERE purpose = 'first_administrator'")
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn put(connection: &mut PgConnection, address: &str, record: &IdentityRecord) -> Result<(), sqlx::Error> {
    sqlx::query(concat!(
        "INSERT INTO bridgehead_identity (",
        identity_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (issuer, subject) DO UPDATE SET \
         claims = excluded.claims, scopes = excluded.scopes, tokens = excluded.tokens, \
         checked_at = excluded.checked_at, refused_at = excluded.refused_at, asking_until = NULL"
    ))
    .bind(&record.id.issuer)
    .bind(&record.id.subject)
    .bind(address)
    .bind(claims_text(&record.claims))
    .bind(record.scopes.to_string())
    .bind(record.tokens.as_ref().map(Sealed::as_bytes))
    .bind(micros(record.checked_at))
    .bind(record.refused_at.map(micros))
    .execute(connection)
    .await
    .map(|_done| ())
}

async fn give_scopes(connection: &mut PgConnection, id: &IdentityId, scopes: &ScopeSet) -> Result<(), sqlx::Error> {
    sqlx::query(
        "UPDATE bridgehead_user SET scopes = $1 WHERE address = \
         (SELECT address FROM bridgehead_identity WHERE issuer = $2 AND subject = $3)",
    )
    .bind(scopes.to_string())
    .bind(&id.issuer)
    .bind(&id.subject)
    .execute(connection)
    .await
    .map(|_done| ())
}
