//! The way to the server: its URL, and the pool of connections.

use std::{str::FromStr, time::Duration};

use bridgehead_core::{Clock, Secret};
use sqlx::{
    ConnectOptions, Connection as _, Error, PgConnection, PgPool,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use super::{super::source::after, failure};

/// How many calls run at once; each connection is a process on the server.
const CONNECTIONS: u32 = 8;
/// How long a call waits for a connection that is free.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the pool tries before we look what stands in its way: longer than it takes to connect.
const UNTIL_WE_LOOK: Duration = Duration::from_millis(500);
/// How long the server may take to say that it is there.
const PROMPT: Duration = Duration::from_secs(3);

/// Lets the server notice within a second that nobody waits for a statement any longer: its
/// connection is closed then. Servers before 14 do not know the setting, and some systems cannot do
/// it; the statement's time-out holds everywhere.
const NOTICE_WHEN_NOBODY_WAITS: &str = "SELECT set_config(name, '1s', false) FROM pg_settings \
                                        WHERE name = 'client_connection_check_interval'";

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

/// Reads the URL. Nothing of it is repeated in an error but the name of an option.
///
/// # Errors
/// What is wrong with it and how to mend it.
pub(super) fn options(url: &Secret) -> Result<PgConnectOptions, String> {
    const WRITE: &str = "Write \"postgres://USER:PASSWORD@HOST:5432/DATABASE\", and in user and password %40 for @, \
                         %3A for : and %2F for /.";
    let text = url.expose();
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    if !["postgres", "postgresql"].contains(&scheme) {
        return Err(format!("This is not the URL of a PostgreSQL database. {WRITE}"));
    }
    let options = text.split_once('?').map_or("", |(_, options)| options);
    let names = options.split('&').filter_map(|option| option.split('=').next()).filter(|name| !name.is_empty());
    // The driver would log an option that it does not know, with its value.
    if let Some(unknown) = names.into_iter().find(|name| !OPTIONS.contains(name) && !name.starts_with("options[")) {
        return Err(format!("The URL has the option `{unknown}`, which is not read. Remove it, or correct its name."));
    }
    let options =
        PgConnectOptions::from_str(text).map_err(|_| format!("The URL of the database cannot be read. {WRITE}"))?;
    let named = options.get_application_name().is_some();
    let options = if named { options } else { options.application_name("bridgehead") };
    Ok(options.disable_statement_logging())
}

/// A server, and the connections to one of its databases.
pub(super) struct Server {
    pool: PgPool,
}

impl Server {
    /// Connects to nothing yet.
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .after_connect(|connection, _| {
                Box::pin(async move {
                    if let Err(error) = sqlx::query(NOTICE_WHEN_NOBODY_WAITS).execute(connection).await {
                        tracing::debug!(%error, "the server cannot notice when nobody waits");
                    }
                    Ok(())
                })
            })
            .connect_lazy_with(options);
        Self { pool }
    }

    /// A connection of its own, for preparing statements.
    pub(super) async fn connect(&self) -> Result<PgConnection, Error> {
        self.pool.connect_options().connect().await
    }

    /// A connection, waited for as long as all of them are at work.
    ///
    /// # Errors
    /// What stands in the way to the server. The pool tries again and again where it is refused, and
    /// tells no more than that time is up; so we look ourselves.
    pub(super) async fn session(&self, clock: &dyn Clock) -> Result<Session, Error> {
        let obstacle = async {
            clock.sleep(UNTIL_WE_LOOK).await;
            if !self.is_full() {
                match self.connect().await {
                    Ok(connection) => drop(connection.close().await),
                    Err(error) => return error,
                }
            }
            // There is none: it is the pool's turn.
            std::future::pending().await
        };
        tokio::select! {
            biased;
            connection = self.pool.acquire() => Ok(Session { connection: connection?, is_sound: false }),
            error = obstacle => Err(error),
        }
    }

    fn is_full(&self) -> bool {
        self.pool.num_idle() == 0 && self.pool.size() >= CONNECTIONS
    }

    /// Whether the server is there. With every connection at work it is.
    pub(super) async fn answers(&self, clock: &dyn Clock) -> Result<(), String> {
        if self.is_full() {
            return Ok(());
        }
        tokio::select! {
            // The pool asks the server before it gives a connection away.
            session = self.session(clock) => match session {
                Ok(mut session) => {
                    session.is_sound = true;
                    Ok(())
                }
                Err(error) => Err(failure::read(error).message),
            },
            () = after(clock, Some(PROMPT)) => Err("The database does not answer.".into()),
        }
    }

    pub(super) async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection at work. Dropped before it is said to be sound, it is closed: a statement may still
/// be running on it, which the server then stops, or a transaction be open.
pub(super) struct Session {
    pub(super) connection: PoolConnection<sqlx::Postgres>,
    pub(super) is_sound: bool,
}

impl Drop for Session {
    fn drop(&mut self) {
        if !self.is_sound {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_and_never_repeated() {
        let read = |url: &str| options(&Secret::new(url.to_owned()));
        for url in [
            "postgres://u:p@db.example.com/stock",
            "postgresql://u@[::1]:6432/stock?sslmode=verify-full&sslrootcert=ca.pem",
            "postgres:///stock?host=/var/run/postgresql&options[search_path]=app",
            "postgres://localhost",
        ] {
            assert!(read(url).is_ok(), "{url}");
        }
        for (url, words) in [
            ("sqlite:stock.db", "not the URL of a PostgreSQL database"),
            ("postgres:hunter2", "not the URL of a PostgreSQL database"),
            ("postgres://u:hunter2/@db/stock", "cannot be read"),
            ("postgres://u:hunter2@db/stock?sslmode=hunter2", "cannot be read"),
            ("postgres://u@db/stock?pasword=hunter2", "the option `pasword`"),
        ] {
            let error = read(url).map(|_| ()).unwrap_err();
            assert!(error.contains(words) && !error.contains("hunter2"), "{url}: {error}");
        }
    }
}
