//! Clients, codes, grants and access tokens in PostgreSQL. A verb that needs more than one statement is a
//! transaction, so that no verb is seen half done.

use async_trait::async_trait;
use bridgehead_auth::{
    Insertion, KeyHash, Revocation, StoreError,
    issuer::{
        AccessRecord, Admission, ClientId, ClientKind, ClientRecord, CodeRecord, GrantId, GrantRecord, GrantsOf,
        IssuerStore, Redemption, Revoked, RevokedBecause, Room, Rotated, Rotation, Stale, Swept,
    },
};
use jiff::Timestamp;
use sqlx::{PgConnection, Postgres as Database, Transaction};

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::{
    issuer_row::{
        AccessAndGrant, ClientRow, CodeRow, GrantRow, access_and_grant_columns, access_columns, bind_access,
        bind_client, bind_code, bind_grant, client_columns, code_columns, grant_columns, metadata_json,
    },
    key_row::micros,
};

/// Whoever counts has to be alone, so that no two find the same room. The number of the lock is `BRDC`.
const ADMISSION_LOCK: &str = "SELECT pg_advisory_xact_lock(1112687683)";

const INSERT_CLIENT: &str = concat!(
    "INSERT INTO bridgehead_oauth_client (",
    client_columns!(),
    ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING"
);

const COUNT_CLIENTS: &str = "SELECT count(*) FROM bridgehead_oauth_client WHERE kind = $1";

/// The oldest $3 of the kind $4 that nobody uses. Who is shut out by the URL of a document stays, or the
/// document would be fetched anew and let in.
const MAKE_ROOM: &str = "DELETE FROM bridgehead_oauth_client WHERE id IN ( \
     SELECT c.id FROM bridgehead_oauth_client c WHERE c.kind = $4 AND NOT (c.kind = 'document' AND c.revoked_at IS NOT NULL) \
     AND (c.last_seen_at IS NULL OR c.last_seen_at < $2) \
     AND NOT EXISTS (SELECT 1 FROM bridgehead_oauth_grant g WHERE g.client = c.id AND g.revoked_at IS NULL AND g.expires_at > $1) \
     AND NOT EXISTS (SELECT 1 FROM bridgehead_oauth_code o WHERE o.client = c.id AND o.grant_id IS NULL AND o.expires_at > $1) \
     ORDER BY c.created_at, c.id LIMIT $3)";

const SWEEP_CLIENTS: &str = "DELETE FROM bridgehead_oauth_client WHERE kind IN ('registered', 'document') \
     AND NOT (kind = 'document' AND revoked_at IS NOT NULL) \
     AND coalesce(last_seen_at, created_at) < $2 \
     AND NOT EXISTS (SELECT 1 FROM bridgehead_oauth_grant g \
       WHERE g.client = bridgehead_oauth_client.id AND g.revoked_at IS NULL AND g.expires_at > $1) \
     AND NOT EXISTS (SELECT 1 FROM bridgehead_oauth_code o \
       WHERE o.client = bridgehead_oauth_client.id AND o.grant_id IS NULL AND o.expires_at > $1)";

#[async_trait]
impl IssuerStore for Postgres {
    async fn admit_client(&self, client: ClientRecord, room: Room) -> Result<Admission, StoreError> {
        let mut transaction = self.transaction().await?;
        sqlx::query(ADMISSION_LOCK).execute(&mut *transaction).await.map_err(store_error)?;
        let there = sqlx::query("SELECT 1 FROM bridgehead_oauth_client WHERE id = $1").bind(client.id.as_str());
        if there.fetch_optional(&mut *transaction).await.map_err(store_error)?.is_some() {
            return Ok(Admission::IdTaken);
        }
        let count: i64 = sqlx::query_scalar(COUNT_CLIENTS)
            .bind(client.kind.as_str())
            .fetch_one(&mut *transaction)
            .await
            .map_err(store_error)?;
        let surplus = count.saturating_add(1).saturating_sub(i64::try_from(room.clients).unwrap_or(i64::MAX));
        if surplus > 0 {
            let made = sqlx::query(MAKE_ROOM).bind(micros(room.now)).bind(micros(room.open_since)).bind(surplus);
            let made = made.bind(client.kind.as_str());
            let made = made.execute(&mut *transaction).await.map_err(store_error)?;
            if i64::try_from(made.rows_affected()).unwrap_or_default() < surplus {
                return Ok(Admission::Full);
            }
        }
        let metadata = metadata_json(&client);
        bind_client!(sqlx::query(INSERT_CLIENT), &client, metadata)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        self.commit(transaction).await?;
        Ok(Admission::Admitted)
    }

    async fn insert_client(&self, client: ClientRecord) -> Result<Insertion, StoreError> {
        let metadata = metadata_json(&client);
        let done = bind_client!(sqlx::query(INSERT_CLIENT), &client, metadata)
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Insertion::IdTaken } else { Insertion::Inserted })
    }

    async fn refresh_document(&self, client: &ClientRecord) -> Result<(), StoreError> {
        sqlx::query("UPDATE bridgehead_oauth_client SET metadata = $1, fetched_at = $2, fresh_until = $3 WHERE id = $4")
            .bind(metadata_json(client))
            .bind(client.document.map(|copy| micros(copy.fetched_at)))
            .bind(client.document.map(|copy| micros(copy.fresh_until)))
            .bind(client.id.as_str())
            .execute(&self.pool)
            .await
            .map(|_done| ())
            .map_err(store_error)
    }

    async fn find_client(&self, id: &ClientId) -> Result<Option<ClientRecord>, StoreError> {
        let row: Option<ClientRow> =
            sqlx::query_as(concat!("SELECT ", client_columns!(), " FROM bridgehead_oauth_client WHERE id = $1"))
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(|row| self.read(row.into_record())).transpose()
    }

    async fn clients(&self, kind: ClientKind) -> Result<Vec<ClientRecord>, StoreError> {
        let rows: Vec<ClientRow> = sqlx::query_as(concat!(
            "SELECT ",
            client_columns!(),
            " FROM bridgehead_oauth_client WHERE kind = $1 ORDER BY created_at, id"
        ))
        .bind(kind.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(store_error)?;
        rows.into_iter().map(|row| self.read(row.into_record())).collect()
    }

    async fn count_clients(&self, kind: ClientKind) -> Result<u64, StoreError> {
        let count: i64 =
            sqlx::query_scalar(COUNT_CLIENTS).bind(kind.as_str()).fetch_one(&self.pool).await.map_err(store_error)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    async fn see_client(&self, id: &ClientId, at: Timestamp) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE bridgehead_oauth_client SET last_seen_at = $1 WHERE id = $2 AND (last_seen_at IS NULL OR last_seen_at < $1)",
        )
        .bind(micros(at))
        .bind(id.as_str())
        .execute(&self.pool)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn revoke_client(&self, id: &ClientId, at: Timestamp) -> Result<Revocation, StoreError> {
        let mut transaction = self.transaction().await?;
        let done =
            sqlx::query("UPDATE bridgehead_oauth_client SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL")
                .bind(micros(at))
                .bind(id.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
        if done.rows_affected() == 0 {
            let known = sqlx::query("SELECT 1 FROM bridgehead_oauth_client WHERE id = $1").bind(id.as_str());
            let known = known.fetch_optional(&mut *transaction).await.map_err(store_error)?;
            return Ok(if known.is_some() { Revocation::AlreadyRevoked } else { Revocation::NotFound });
        }
        self.end_grants_of(&mut transaction, id, at).await?;
        self.commit(transaction).await?;
        Ok(Revocation::Revoked)
    }

    async fn remove_client(&self, id: &ClientId, at: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.transaction().await?;
        let done = sqlx::query("DELETE FROM bridgehead_oauth_client WHERE id = $1")
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        self.end_grants_of(&mut transaction, id, at).await?;
        self.commit(transaction).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn insert_code(&self, code: CodeRecord) -> Result<Insertion, StoreError> {
        let done = bind_code!(
            sqlx::query(concat!(
                "INSERT INTO bridgehead_oauth_code (",
                code_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT (id) DO NOTHING"
            )),
            &code
        )
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Insertion::IdTaken } else { Insertion::Inserted })
    }

    async fn find_code(&self, id: &str) -> Result<Option<CodeRecord>, StoreError> {
        let row: Option<CodeRow> =
            sqlx::query_as(concat!("SELECT ", code_columns!(), " FROM bridgehead_oauth_code WHERE id = $1"))
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(|row| self.read(row.into_record())).transpose()
    }

    async fn redeem_code(&self, id: &str, grant: GrantRecord, access: AccessRecord) -> Result<Redemption, StoreError> {
        let mut transaction = self.transaction().await?;
        let done = sqlx::query("UPDATE bridgehead_oauth_code SET grant_id = $1 WHERE id = $2 AND grant_id IS NULL")
            .bind(grant.id.as_str())
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        if done.rows_affected() == 0 {
            let used: Option<CodeRow> =
                sqlx::query_as(concat!("SELECT ", code_columns!(), " FROM bridgehead_oauth_code WHERE id = $1"))
                    .bind(id)
                    .fetch_optional(&mut *transaction)
                    .await
                    .map_err(store_error)?;
            let used = used.map(|row| self.read(row.into_record())).transpose()?;
            return Ok(used.and_then(|code| code.redeemed_for).map_or(Redemption::Gone, Redemption::UsedBefore));
        }
        let done = bind_grant!(
            sqlx::query(concat!(
                "INSERT INTO bridgehead_oauth_grant (",
                grant_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) \
                 ON CONFLICT (id) DO NOTHING"
            )),
            &grant
        )
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(Redemption::IdTaken);
        }
        self.add_access(&mut transaction, &access).await?;
        self.commit(transaction).await?;
        Ok(Redemption::Redeemed)
    }

    async fn find_grant(&self, id: &GrantId) -> Result<Option<GrantRecord>, StoreError> {
        let row: Option<GrantRow> =
            sqlx::query_as(concat!("SELECT ", grant_columns!(), " FROM bridgehead_oauth_grant WHERE id = $1"))
                .bind(id.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(|row| self.read(row.into_record())).transpose()
    }

    async fn grants(&self, of: &GrantsOf) -> Result<Vec<GrantRecord>, StoreError> {
        const OF_ALL: &str =
            concat!("SELECT ", grant_columns!(), " FROM bridgehead_oauth_grant ORDER BY created_at, id");
        const OF_SUBJECT: &str = concat!(
            "SELECT ",
            grant_columns!(),
            " FROM bridgehead_oauth_grant WHERE subject = $1 ORDER BY created_at, id"
        );
        const OF_CLIENT: &str = concat!(
            "SELECT ",
            grant_columns!(),
            " FROM bridgehead_oauth_grant WHERE client = $1 ORDER BY created_at, id"
        );
        let query = match of {
            GrantsOf::Everybody => sqlx::query_as(OF_ALL),
            GrantsOf::Subject(subject) => sqlx::query_as(OF_SUBJECT).bind(&**subject),
            GrantsOf::Client(client) => sqlx::query_as(OF_CLIENT).bind(client.as_str()),
        };
        let rows: Vec<GrantRow> = query.fetch_all(&self.pool).await.map_err(store_error)?;
        rows.into_iter().map(|row| self.read(row.into_record())).collect()
    }

    async fn rotate(&self, rotation: Rotation, access: AccessRecord) -> Result<Rotated, StoreError> {
        let mut transaction = self.transaction().await?;
        let (to, previous) = (&rotation.to, rotation.to.previous.as_ref());
        let done = sqlx::query(
            "UPDATE bridgehead_oauth_grant SET generation = $1, current_hash = $2, current_pepper = $3, issuer_key = $4, \
             previous_hash = $5, previous_pepper = $6, refreshed_at = $7, expires_at = $8 \
             WHERE id = $9 AND generation = $10 AND revoked_at IS NULL",
        )
        .bind(i64::from(to.generation))
        .bind(to.current.hash.as_bytes().as_slice())
        .bind(to.current.version.as_str())
        .bind(to.issuer_key.as_str())
        .bind(previous.map(|stored| stored.hash.as_bytes().as_slice()))
        .bind(previous.map(|stored| stored.version.as_str()))
        .bind(micros(rotation.refreshed_at))
        .bind(micros(rotation.expires_at))
        .bind(rotation.grant.as_str())
        .bind(i64::from(rotation.from_generation))
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        if done.rows_affected() == 0 {
            return Ok(Rotated::Lost);
        }
        self.add_access(&mut transaction, &access).await?;
        self.commit(transaction).await?;
        Ok(Rotated::Rotated)
    }

    async fn insert_access(&self, access: AccessRecord, generation: u32) -> Result<Rotated, StoreError> {
        let done = bind_access!(
            sqlx::query(concat!(
                "INSERT INTO bridgehead_oauth_access_token (",
                access_columns!(),
                ") SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS \
                 (SELECT 1 FROM bridgehead_oauth_grant WHERE id = $4 AND generation = $9 AND revoked_at IS NULL)"
            )),
            &access
        )
        .bind(i64::from(generation))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Rotated::Lost } else { Rotated::Rotated })
    }

    async fn find_access(&self, id: &str) -> Result<Option<(AccessRecord, GrantRecord)>, StoreError> {
        let row: Option<AccessAndGrant> = sqlx::query_as(concat!(
            "SELECT ",
            access_and_grant_columns!(),
            " FROM bridgehead_oauth_access_token a JOIN bridgehead_oauth_grant g ON g.id = a.grant_id WHERE a.id = $1"
        ))
        .bind(id)
        .fetch_optional(&self.pool)
        .await
        .map_err(store_error)?;
        row.map(|row| self.read(row.into_records())).transpose()
    }

    async fn revoke_access(&self, id: &str, at: Timestamp) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE bridgehead_oauth_access_token SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL",
        )
        .bind(micros(at))
        .bind(id)
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }

    async fn revoke_grant(&self, id: &GrantId, revoked: Revoked) -> Result<Revocation, StoreError> {
        let done = sqlx::query(
            "UPDATE bridgehead_oauth_grant SET revoked_at = $1, revoked_why = $2 WHERE id = $3 AND revoked_at IS NULL",
        )
        .bind(micros(revoked.at))
        .bind(revoked.why.as_str())
        .bind(id.as_str())
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        if done.rows_affected() > 0 {
            return Ok(Revocation::Revoked);
        }
        // A revoked grant is never revived, and removed only long after.
        let known = sqlx::query("SELECT 1 FROM bridgehead_oauth_grant WHERE id = $1").bind(id.as_str());
        let known = known.fetch_optional(&self.pool).await.map_err(store_error)?;
        Ok(if known.is_some() { Revocation::AlreadyRevoked } else { Revocation::NotFound })
    }

    async fn revoke_subject(&self, subject: &str, revoked: Revoked) -> Result<u64, StoreError> {
        let mut transaction = self.transaction().await?;
        // In this order: a code that is just being redeemed is waited for, and its grant is found.
        sqlx::query("DELETE FROM bridgehead_oauth_code WHERE subject = $1 AND grant_id IS NULL")
            .bind(subject)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        let done = sqlx::query(
            "UPDATE bridgehead_oauth_grant SET revoked_at = $1, revoked_why = $2 WHERE subject = $3 AND revoked_at IS NULL",
        )
        .bind(micros(revoked.at))
        .bind(revoked.why.as_str())
        .bind(subject)
        .execute(&mut *transaction)
        .await
        .map_err(store_error)?;
        self.commit(transaction).await?;
        Ok(done.rows_affected())
    }

    async fn remember_assertion(&self, hash: &KeyHash, expires_at: Timestamp) -> Result<Insertion, StoreError> {
        let done = sqlx::query(
            "INSERT INTO bridgehead_oauth_assertion (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        )
        .bind(hash.as_bytes().as_slice())
        .bind(micros(expires_at))
        .execute(&self.pool)
        .await
        .map_err(store_error)?;
        Ok(if done.rows_affected() == 0 { Insertion::IdTaken } else { Insertion::Inserted })
    }

    async fn sweep(&self, stale: Stale) -> Result<Swept, StoreError> {
        let mut transaction = self.transaction().await?;
        let (tokens, grants) = (micros(stale.tokens_before), micros(stale.grants_before));
        let codes =
            self.delete(&mut transaction, "DELETE FROM bridgehead_oauth_code WHERE expires_at < $1", tokens).await?;
        let expired = "DELETE FROM bridgehead_oauth_access_token WHERE expires_at < $1";
        let of_old_grants = "DELETE FROM bridgehead_oauth_access_token WHERE grant_id IN \
             (SELECT id FROM bridgehead_oauth_grant WHERE expires_at < $1 OR revoked_at < $1)";
        let access_tokens = self.delete(&mut transaction, expired, tokens).await?
            + self.delete(&mut transaction, of_old_grants, grants).await?;
        let old_grants = "DELETE FROM bridgehead_oauth_grant WHERE expires_at < $1 OR revoked_at < $1";
        let grants = self.delete(&mut transaction, old_grants, grants).await?;
        let assertions = "DELETE FROM bridgehead_oauth_assertion WHERE expires_at <= $1";
        let assertions = self.delete(&mut transaction, assertions, micros(stale.now)).await?;
        let clients = sqlx::query(SWEEP_CLIENTS).bind(micros(stale.now)).bind(micros(stale.clients_before));
        let clients = clients.execute(&mut *transaction).await.map_err(store_error)?.rows_affected();
        self.commit(transaction).await?;
        Ok(Swept { codes, access_tokens, grants, clients, assertions })
    }
}

impl Postgres {
    async fn transaction(&self) -> Result<Transaction<'static, Database>, StoreError> {
        self.pool.begin().await.map_err(store_error)
    }

    async fn commit(&self, transaction: Transaction<'static, Database>) -> Result<(), StoreError> {
        transaction.commit().await.map_err(store_error)
    }

    /// A client is no more, or shut out. In this order: a code that is just being redeemed is waited
    /// for, and its grant is found.
    async fn end_grants_of(
        &self,
        connection: &mut PgConnection,
        id: &ClientId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM bridgehead_oauth_code WHERE client = $1 AND grant_id IS NULL")
            .bind(id.as_str())
            .execute(&mut *connection)
            .await
            .map_err(store_error)?;
        sqlx::query("UPDATE bridgehead_oauth_grant SET revoked_at = $1, revoked_why = $2 WHERE client = $3 AND revoked_at IS NULL")
            .bind(micros(at))
            .bind(RevokedBecause::ClientGone.as_str())
            .bind(id.as_str())
            .execute(&mut *connection)
            .await
            .map(|_done| ())
            .map_err(store_error)
    }

    async fn add_access(&self, connection: &mut PgConnection, access: &AccessRecord) -> Result<(), StoreError> {
        bind_access!(
            sqlx::query(concat!(
                "INSERT INTO bridgehead_oauth_access_token (",
                access_columns!(),
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
            )),
            access
        )
        .execute(connection)
        .await
        .map(|_done| ())
        .map_err(store_error)
    }

    async fn delete(&self, connection: &mut PgConnection, sql: &'static str, before: i64) -> Result<u64, StoreError> {
        let done = sqlx::query(sql).bind(before).execute(connection).await.map_err(store_error)?;
        Ok(done.rows_affected())
    }

    fn read<T>(&self, row: Result<T, String>) -> Result<T, StoreError> {
        row.map_err(|what| corrupt(what, None::<sqlx::Error>))
    }
}
