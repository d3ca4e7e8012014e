//! A store in a PostgreSQL database (version 12 or newer), shared by all replicas. Its tables are
//! named `bridgehead_…` and stand in the first schema of the user's search path, so that the database
//! may be one that other programs use too.

mod certificates;
mod credentials;
mod effects;
mod error;
mod identities;
mod issuer;
mod keys;
mod migrations;
mod sessions;
mod subjects;
mod trace;
mod users;

use std::{str::FromStr, time::Duration};

use bridgehead_auth::StoreError;
use bridgehead_core::Secret;
use sqlx::{
    ConnectOptions, Connection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use self::error::store_error;

/// What the store is called in messages: nothing of the URL, which may hold a password.
pub(crate) const NAME: &str = "postgres://…";

/// How many verbs run at once; each connection is a process on the server.
const CONNECTIONS: u32 = 8;
/// How long a verb waits for a connection, while the server restarts or all connections are at work.
const PATIENCE: Duration = Duration::from_secs(5);
/// No verb takes longer on the server: each is one statement on a few rows.
const LONGEST: &str = "SET statement_timeout = '10s'";

/// What a URL may say behind its `?`.
const OPTIONS: [&str; 14] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Connections to a database. Cloning it opens nothing.
///
/// Durability: as the server is set up. With its defaults, what has been answered survives a power
/// cut.
#[derive(Debug, Clone)]
pub struct Postgres {
    pool: PgPool,
}

impl Postgres {
    /// Connects, makes the tables where there are none, and brings older ones up to date. Several
    /// replicas may do so at once.
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub async fn open(url: &Secret) -> Result<Self, StoreError> {
        let options = options(url.expose()).map_err(error::unsuitable)?;
        let mut connection = options.connect().await.map_err(store_error)?;
        let prepared = migrations::prepare(&mut connection).await;
        // It has done its work; whether it says goodbye is all the same.
        let _ = connection.close().await;
        prepared?;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| {
                Box::pin(async move { sqlx::query(LONGEST).execute(connection).await.map(drop) })
            })
            .connect_lazy_with(options);
        Ok(Self { pool })
    }

    /// Whether the server is there and answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM bridgehead_api_key LIMIT 1")
            .execute(&self.pool)
            .await
            .map(|_done| ())
            .map_err(store_error)
    }

    /// Closes the connections when what they do is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Reads the URL. Nothing of it is repeated but the name of an option.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn options(url: &str) -> Result<PgConnectOptions, String> {
    if !url.contains("://") {
        return Err("`//` is missing behind `postgres:`".into());
    }
    let options = url.split_once('?').map_or("", |(_, options)| options);
    let mut names = options.split('&').filter_map(|option| option.split('=').next()).filter(|name| !name.is_empty());
    // The driver would log an option that it does not know, with its value.
    if let Some(unknown) = names.find(|name| !OPTIONS.contains(name) && !name.starts_with("options[")) {
        return Err(format!("the URL has the option `{unknown}`, which is not read"));
    }
    let options = PgConnectOptions::from_str(url).map_err(|_| "the URL of the database cannot be read".to_owned())?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name("bridgehead store") };
    Ok(options.disable_statement_logging())
}
