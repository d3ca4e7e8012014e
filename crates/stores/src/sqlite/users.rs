//! Users and their one-time links in SQLite. A verb that is more than one statement takes the lock
//! first, so that no other process comes between them.

use async_trait::async_trait;
use bridgehead_auth::{
    StoreError, UserStore,
    users::{
        Addition, Claim, LinkPurpose, LinkRecord, MailAddress, PasswordHash, Redeemed, Redemption, UserChange,
        UserRecord,
    },
};
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::Sqlite;
use crate::{
    key_row::micros,
    people_row::{LinkRow, UserRow, link_columns, user_columns},
    sqlite::error::corrupt,
};

type Done = Result<u64, sqlx::Error>;

#[async_trait]
impl UserStore for Sqlite {
    async fn add_user(&self, record: UserRecord) -> Result<Addition, StoreError> {
        let mut change = self.change().await?;
        let added = insert_user(&mut change, &record).await.map_err(|error| self.error(error))?;
        if added == 0 {
            return Ok(Addition::AddressTaken);
        }
        sqlx::query("DELETE FROM one_time_link WHERE purpose = 'first_administrator'")
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(Addition::Added)
    }

    async fn find_user(&self, address: &MailAddress) -> Result<Option<UserRecord>, StoreError> {
        let row: Option<UserRow> = sqlx::query_as(concat!("SELECT ", user_columns!(), " FROM user WHERE address = ?"))
            .bind(address.as_str())
            .fetch_optional(self.readers()?)
            .await
            .map_err(|error| self.error(error))?;
        row.map(|row| self.user_record(row)).transpose()
    }

    async fn list_users(&self) -> Result<Vec<UserRecord>, StoreError> {
        let rows: Vec<UserRow> =
            sqlx::query_as(concat!("SELECT ", user_columns!(), " FROM user ORDER BY created_at, address"))
                .fetch_all(self.readers()?)
                .await
                .map_err(|error| self.error(error))?;
        rows.into_iter().map(|row| self.user_record(row)).collect()
    }

    async fn disable_user(&self, address: &MailAddress, at: Timestamp) -> Result<UserChange, StoreError> {
        let mut change = self.change().await?;
        let changed = sqlx::query("UPDATE user SET disabled_at = ? WHERE address = ? AND disabled_at IS NULL")
            .bind(micros(at))
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        if changed.rows_affected() == 0 {
            drop(change);
            return self.unchanged(address).await;
        }
        clear(&mut change, address, "").await.map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(UserChange::Changed)
    }

    async fn enable_user(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        let changed = sqlx::query("UPDATE user SET disabled_at = NULL WHERE address = ? AND disabled_at IS NOT NULL")
            .bind(address.as_str())
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        if changed.rows_affected() == 0 { self.unchanged(address).await } else { Ok(UserChange::Changed) }
    }

    async fn set_password(&self, address: &MailAddress, password: &PasswordHash) -> Result<UserChange, StoreError> {
        let mut change = self.change().await?;
        let changed = sqlx::query("UPDATE user SET password = ? WHERE address = ?")
            .bind(password.as_str())
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        if changed.rows_affected() == 0 {
            return Ok(UserChange::NotFound);
        }
        clear(&mut change, address, "").await.map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(UserChange::Changed)
    }

    async fn replace_hash(
        &self,
        address: &MailAddress,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE user SET password = ? WHERE address = ? AND password = ?")
            .bind(new.as_str())
            .bind(address.as_str())
            .bind(old.as_str())
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(done.rows_affected() > 0)
    }

    async fn put_link(&self, link: LinkRecord) -> Result<bool, StoreError> {
        let Some(address) = link.purpose.address() else { return Ok(false) };
        let mut change = self.change().await?;
        let enabled = sqlx::query("SELECT 1 FROM user WHERE address = ? AND disabled_at IS NULL")
            .bind(address.as_str())
            .fetch_optional(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        if enabled.is_none() {
            return Ok(false);
        }
        sqlx::query("DELETE FROM one_time_link WHERE address = ?")
            .bind(address.as_str())
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        insert_link(&mut change, &link).await.map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(true)
    }

    async fn claim_first_administrator(&self, link: LinkRecord, now: Timestamp) -> Result<Claim, StoreError> {
        let mut change = self.change().await?;
        let users = sqlx::query("SELECT 1 FROM user LIMIT 1")
            .fetch_optional(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        if users.is_some() {
            return Ok(Claim::NotNeeded);
        }
        let standing: Option<LinkRow> = sqlx::query_as(concat!(
            "SELECT ",
            link_columns!(),
            " FROM one_time_link WHERE purpose = 'first_administrator' AND used_at IS NULL AND expires_at > ?"
        ))
        .bind(micros(now))
        .fetch_optional(&mut *change)
        .await
        .map_err(|error| self.error(error))?;
        if let Some(standing) = standing {
            return self.link_record(standing).map(Claim::Stands);
        }
        sqlx::query("DELETE FROM one_time_link WHERE purpose = 'first_administrator'")
            .execute(&mut *change)
            .await
            .map_err(|error| self.error(error))?;
        insert_link(&mut change, &link).await.map_err(|error| self.error(error))?;
        change.commit().await.map_err(|error| self.error(error))?;
        Ok(Claim::Made)
    }

    async fn find_link(&self, id: &str) -> Result<Option<LinkRecord>, StoreError> {
        let row: Option<LinkRow> =
            sqlx::query_as(concat!("SELECT ", link_columns!(), " FROM one_time_link WHERE id = ?"))
                .bind(id)
                .fetch_optional(self.readers()?)
                .await
                .map_err(|error| self.error(error))?;
        row.map(|row| self.link_record(row)).transpose()
    }

    async fn redeem_link(&self, id: &str, redemption: Redemption, now: Timestamp) -> Result<Redeemed, StoreError> {
        let mut change = self.change().await?;
        let used: Option<LinkRow> = sqlx::query_as(concat!(
            "UPDATE one_time_link SET used_at = ?1 WHERE id = ?2 AND used_at IS NULL AND expires_at > ?1 RETURNING ",
            link_columns!()
        ))
        .bind(micros(now))
        .bind(id)
        .fetch_optional(&mut *change)
        .await
        .map_err(|error| self.error(error))?;
        let Some(used) = used else {
            drop(change);
            return Ok(match self.find_link(id).await? {
                None => Redeemed::Unknown,
                Some(link) if link.used_at.is_some() => Redeemed::Spent,
                Some(_) => Redeemed::Expired,
            });
        };
        let link = self.link_record(used)?;
        let redeemed = redeem(&mut change, &link, redemption).await.map_err(|error| self.error(error))?;
        // Where nothing came of it, the link is as it was: the change ends without a commit.
        if redeemed == Redeemed::Done {
            change.commit().await.map_err(|error| self.error(error))?;
        }
        Ok(redeemed)
    }

    async fn remove_links(&self, expired_before: Timestamp) -> Result<u64, StoreError> {
        let done = sqlx::query("DELETE FROM one_time_link WHERE expires_at <= ?")
            .bind(micros(expired_before))
            .execute(self.writer()?)
            .await
            .map_err(|error| self.error(error))?;
        Ok(done.rows_affected())
    }
}

impl Sqlite {
    /// Begins a change of several statements, with the lock in hand. Dropped, it changes nothing.
    pub(super) async fn change(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>, StoreError> {
        self.writer()?.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.error(error))
    }

    pub(super) fn user_record(&self, row: UserRow) -> Result<UserRecord, StoreError> {
        row.into_record().map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>))
    }

    fn link_record(&self, row: LinkRow) -> Result<LinkRecord, StoreError> {
        row.into_record().map_err(|what| corrupt(&self.0.path, what, None::<sqlx::Error>))
    }

    /// Users are never removed: whoever this finds was there before as well.
    async fn unchanged(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        Ok(match self.find_user(address).await? {
            Some(_) => UserChange::Unchanged,
            None => UserChange::NotFound,
        })
    }
}

pub(super) async fn insert_user(connection: &mut SqliteConnection, UserRecord { user, password }: &UserRecord) -> Done {
    let done = sqlx::query(concat!(
        "INSERT INTO user (",
        user_columns!(),
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (address) DO NOTHING"
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

async fn insert_link(connection: &mut SqliteConnection, link: &LinkRecord) -> Done {
    let done =
        sqlx::query(concat!("INSERT INTO one_time_link (", link_columns!(), ") VALUES (?, ?, ?, ?, ?, ?, ?, ?)"))
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
async fn clear(connection: &mut SqliteConnection, address: &MailAddress, but: &str) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM session WHERE address = ?").bind(address.as_str()).execute(&mut *connection).await?;
    sqlx::query("DELETE FROM one_time_link WHERE address = ? AND id <> ?")
        .bind(address.as_str())
        .bind(but)
        .execute(connection)
        .await
        .map(drop)
}

/// Does what a link is used for.
async fn redeem(
    connection: &mut SqliteConnection,
    link: &LinkRecord,
    redemption: Redemption,
) -> Result<Redeemed, sqlx::Error> {
    match (redemption, &link.purpose) {
        (Redemption::Password(password), LinkPurpose::Invitation(address) | LinkPurpose::PasswordReset(address)) => {
            let done = sqlx::query("UPDATE user SET password = ? WHERE address = ? AND disabled_at IS NULL")
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
            let users = sqlx::query("SELECT 1 FROM user LIMIT 1").fetch_optional(&mut *connection).await?;
            if users.is_some() {
                return Ok(Redeemed::NotFor);
            }
            insert_user(connection, &record).await?;
            Ok(Redeemed::Done)
        }
        _ => Ok(Redeemed::Unknown),
    }
}
