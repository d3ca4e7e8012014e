//! Users and their one-time links in PostgreSQL. A verb that is more than one statement takes a lock
//! first that all such verbs take, so that none comes between the statements of another.

use async_trait::async_trait;
use bridgehead_auth::{
    StoreError, UserStore,
    users::{
        Addition, Claim, LinkPurpose, LinkRecord, MailAddress, PasswordHash, Redeemed, Redemption, UserChange,
        UserRecord,
    },
};
use jiff::Timestamp;
use sqlx::PgConnection;

use super::{
    Postgres,
    error::{corrupt, store_error},
};
use crate::{
    key_row::micros,
    people_row::{LinkRow, UserRow, link_columns, user_columns},
};

type Done = Result<u64, sqlx::Error>;

#[async_trait]
impl UserStore for Postgres {
    async fn add_user(&self, record: UserRecord) -> Result<Addition, StoreError> {
        let mut change = self.change().await?;
        let added = insert_user(&mut change, &record).await.map_err(store_error)?;
        if added == 0 {
            return Ok(Addition::AddressTaken);
        }
        sqlx::query("DELETE FROM bridgehead_one_time_link WHERE purpose = 'first_administrator'")
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(Addition::Added)
    }

    async fn find_user(&self, address: &MailAddress) -> Result<Option<UserRecord>, StoreError> {
        let row: Option<UserRow> =
            sqlx::query_as(concat!("SELECT ", user_columns!(), " FROM bridgehead_user WHERE address = $1"))
                .bind(address.as_str())
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(user_record).transpose()
    }

    async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        let rows: Vec<UserRow> =
            sqlx::query_as(concat!("SELECT ", user_columns!(), " FROM bridgehead_user ORDER BY created_at, address"))
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
        rows.into_iter().map(user_record).collect()
    }

    async fn disable_user(&self, address: &MailAddress, at: Timestamp) -> Result<UserChange, StoreError> {
        let mut change = self.change().await?;
        let changed =
            sqlx::query("UPDATE bridgehead_user SET disabled_at = $1 WHERE address = $2 AND disabled_at IS NULL")
                .bind(micros(at))
                .bind(address.as_str())
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
        if changed.rows_affected() == 0 {
            drop(change);
            return self.unchanged(address).await;
        }
        clear(&mut change, address, "").await.map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(UserChange::Changed)
    }

    async fn enable_user(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        let changed =
            sqlx::query("UPDATE bridgehead_user SET disabled_at = NULL WHERE address = $1 AND disabled_at IS NOT NULL")
                .bind(address.as_str())
                .execute(&self.pool)
                .await
                .map_err(store_error)?;
        if changed.rows_affected() == 0 { self.unchanged(address).await } else { Ok(UserChange::Changed) }
    }

    async fn set_password(&self, address: &MailAddress, password: &PasswordHash) -> Result<UserChange, StoreError> {
        let mut change = self.change().await?;
        let changed = sqlx::query("UPDATE bridgehead_user SET password = $1 WHERE address = $2")
            .bind(password.as_str())
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        if changed.rows_affected() == 0 {
            return Ok(UserChange::NotFound);
        }
        clear(&mut change, address, "").await.map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(UserChange::Changed)
    }

    async fn replace_hash(
        &self,
        address: &MailAddress,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE bridgehead_user SET password = $1 WHERE address = $2 AND password = $3")
            .bind(new.as_str())
            .bind(address.as_str())
            .bind(old.as_str())
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected() > 0)
    }

    async fn put_link(&self, link: LinkRecord) -> Result<bool, StoreError> {
        let Some(address) = link.purpose.address() else { return Ok(false) };
        let mut change = self.change().await?;
        let enabled = sqlx::query("SELECT 1 FROM bridgehead_user WHERE address = $1 AND disabled_at IS NULL")
            .bind(address.as_str())
            .fetch_optional(&mut *change)
            .await
            .map_err(store_error)?;
        if enabled.is_none() {
            return Ok(false);
        }
        sqlx::query("DELETE FROM bridgehead_one_time_link WHERE address = $1")
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        insert_link(&mut change, &link).await.map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(true)
    }

    async fn claim_first_administrator(&self, link: LinkRecord, now: Timestamp) -> Result<Claim, StoreError> {
        let mut change = self.change().await?;
        let users = sqlx::query("SELECT 1 FROM bridgehead_user LIMIT 1")
            .fetch_optional(&mut *change)
            .await
            .map_err(store_error)?;
        if users.is_some() {
            return Ok(Claim::NotNeeded);
        }
        let standing: Option<LinkRow> = sqlx::query_as(concat!(
            "SELECT ",
            link_columns!(),
            " FROM bridgehead_one_time_link WHERE purpose = 'first_administrator' AND used_at IS NULL AND expires_at > $1"
        ))
        .bind(micros(now))
        .fetch_optional(&mut *change)
        .await
        .map_err(store_error)?;
        if let Some(standing) = standing {
            return link_record(standing).map(Claim::Stands);
        }
        sqlx::query("DELETE FROM bridgehead_one_time_link WHERE purpose = 'first_administrator'")
            .execute(&mut *change)
            .await
            .map_err(store_error)?;
        insert_link(&mut change, &link).await.map_err(store_error)?;
        change.commit().await.map_err(store_error)?;
        Ok(Claim::Made)
    }

    async fn find_link(&self, id: &str) -> Result<Option<LinkRecord>, StoreError> {
        let row: Option<LinkRow> =
            sqlx::query_as(concat!("SELECT ", link_columns!(), " FROM bridgehead_one_time_link WHERE id = $1"))
                .bind(id)
                .fetch_optional(&self.pool)
                .await
                .map_err(store_error)?;
        row.map(link_record).transpose()
    }

    async fn redeem_link(&self, id: &str, redemption: Redemption, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut change = self.change().await?;
        let used: Option<LinkRow> = sqlx::query_as(concat!(
            "UPDATE bridgehead_one_time_link SET used_at = $1 WHERE id = $2 AND used_at IS NULL AND expires_at > $1 RETURNING ",
            link_columns!()
        ))
        .bind(micros(now))
        .bind(id)
        .fetch_optional(&mut *change)
        .await
        .map_err(store_error)?;
        let Some(used) = used else {
            drop(change);
            return Ok(match self.find_link(id).await? {
                None => Redeemed::Unknown,
                Some(link) if link.used_at.is_some() => Redeemed::Spent,
                Some(_) => Redeemed::Expired,
            });
        };
        let link = link_record(used)?;
        let redeemed = redeem(&mut change, &link, redemption).await.map_err(store_error)?;
        // Where nothing came of it, the link is as it was: the change ends without a commit.
        if redeemed == Redeemed::Done {
            change.commit().await.map_err(store_error)?;
        }
        Ok(redeemed)
    }

    async fn remove_links(&self, expired_before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM bridgehead_one_time_link WHERE expires_at <= $1")
            .bind(micros(expired_before))
            .execute(&self.pool)
            .await
            .map_err(store_error)?;
        Ok(done.rows_affected())
    }
}

impl Postgres {
    /// Begins a change of several statements, with the lock in hand. Dropped, it changes nothing.
    pub(super) async fn change(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, StoreError> {
        let mut change = self.pool.begin().await.map_err(store_error)?;
        // One more than the number of the lock on the schema.
        sqlx::query("SELECT pg_advisory_xact_lock(1112687688)").execute(&mut *change).await.map_err(store_error)?;
        Ok(change)
    }

    /// Users are never removed: whoever this finds was there before as well.
    async fn unchanged(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        Ok(match self.find_user(address).await? {
            Some(_) => UserChange::Unchanged,
            None => UserChange::NotFound,
        })
    }
}

pub(super) fn user_record(row: UserRow) -> Result<UserRecord, StoreError> {
    row.into_record().map_err(|what| corrupt(what, None::<sqlx::Error>))
}

fn link_record(row: LinkRow) -> Result<LinkRecord, StoreError> {
    row.into_record().map_err(|what| corrupt(what, None::<sqlx::Error>))
}

pub(super) async fn insert_user(connection: &mut PgConnection, UserRecord { user, password }: &UserRecord) -> Done {
    let done = sqlx::query(concat!(
        "INSERT INTO bridgehead_user (",
        user_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (address) DO NOTHING"
    ))
    .bind(user.address.as_str())
    .bind(user.name.as_deref())
    .bind(user.admin)
    .bind(user.scopes.to_string())
    .bind(password.as_ref().map(PasswordHash::as_str))
    .bind(micros(user.created_at))
    .bind(user.disabled_at.map(micros))
    .bind(user.signed_in_at.map(micros))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

async fn insert_link(connection: &mut PgConnection, link: &LinkRecord) -> Done {
    let done = sqlx::query(concat!(
        "INSERT INTO bridgehead_one_time_link (",
        link_columns!(),
        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    ))
    .bind(&*link.id)
    .bind(link.purpose.as_str())
    .bind(link.purpose.address().map(MailAddress::as_str))
    .bind(link.hash.as_bytes().as_slice())
    .bind(link.pepper_version.as_str())
    .bind(micros(link.created_at))
    .bind(micros(link.expires_at))
    .bind(link.used_at.map(micros))
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Ends the sessions of a user and removes their links, but for the one that is being used.
async fn clear(connection: &mut PgConnection, address: &MailAddress, but: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM bridgehead_session WHERE address = $1")
        .bind(address.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query("DELETE FROM bridgehead_one_time_link WHERE address = $1 AND id <> $2")
        .bind(address.as_str())
        .bind(but)
        .execute(connection)
        .await
        .map(drop)
}

/// Does what a link is used for.
async fn redeem(
    connection: &mut PgConnection,
    link: &LinkRecord,
    redemption: Redemption,
) -> Result<Redeemed, sqlx::Error> {
    match (redemption, &link.purpose) {
        (Redemption::Password(password), LinkPurpose::Invitation(address) | LinkPurpose::PasswordReset(address)) => {
            let done =
                sqlx::query("UPDATE bridgehead_user SET password = $1 WHERE address = $2 AND disabled_at IS NULL")
                    .bind(password.as_str())
                    .bind(address.as_str())
                    .execute(&mut *connection)
                    .await?;
            if done.rows_affected() == 0 {
                return Ok(Redeemed::NotFor);
            }
            clear(connection, address, &link.id).await?;
            Ok(Redeemed::Done)
        }
        (Redemption::FirstAdministrator(record), LinkPurpose::FirstAdministrator) => {
            let users = sqlx::query("SELECT 1 FROM bridgehead_user LIMIT 1").fetch_optional(&mut *connection).await?;
            if users.is_some() {
                return Ok(Redeemed::NotFor);
            }
            insert_user(connection, &record).await?;
            Ok(Redeemed::Done)
        }
        _ => Ok(Redeemed::Unknown),
    }
}
