//! A store in one SQLite file: the default, which needs no set-up. Several processes may have it
//! open at once (`bridgehead keys` beside a running server); it is not for a network drive.

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

#[cfg(test)]
#[cfg(unix)]
mod tests;

use std::{
    fs::{Metadata, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bridgehead_auth::StoreError;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous},
};

use self::error::{refused, store_error, unavailable};

/// How long a write waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Readers do not wait for each other or for the writer in WAL mode; more than this many gain
/// nothing on one file.
const READERS: u32 = 4;

/// An opened file. Cloning it opens nothing.
///
/// Durability: WAL with `synchronous = FULL`, so that what has been answered survives a power
/// cut. There is one connection that writes, since SQLite lets one write at a time anyway, and
/// some that only read, so that nobody's sign-in waits behind another process's write.
#[derive(Clone)]
pub struct Sqlite(Arc<Inner>);

struct Inner {
    path: PathBuf,
    identity: Identity,
    readers: SqlitePool,
    writer: SqlitePool,
}

impl std::fmt::Debug for Sqlite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sqlite").field(&self.0.path).finish()
    }
}

impl Sqlite {
    /// Opens the file, makes it where there is none (mode 0600 on Unix), and brings an older one
    /// up to date.
    ///
    /// # Errors
    /// As [`crate::Store::open`].
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with(path, BUSY_TIMEOUT).await
    }

    async fn open_with(path: &Path, busy_timeout: Duration) -> Result<Self, StoreError> {
        make_if_missing(path)?;
        // Before it is opened: a file that is put in its place from now on is noticed.
        let metadata = std::fs::metadata(path).map_err(|error| refused(path, "the file cannot be reached", error))?;
        let identity = Identity::of(&metadata);
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(busy_timeout)
            .synchronous(SqliteSynchronous::Full);
        migrations::prepare(path, &options).await?;
        let failed = |error| store_error(path, error);
        let pool = |connections| {
            SqlitePoolOptions::new()
                .max_connections(connections)
                .min_connections(1)
                .acquire_timeout(busy_timeout.max(Duration::from_secs(1)))
                .idle_timeout(None)
                .max_lifetime(None)
                .test_before_acquire(false)
        };
        let writer = pool(1).connect_with(options.clone()).await.map_err(failed)?;
        let readers = pool(READERS).connect_with(options.pragma("query_only", "ON")).await.map_err(failed)?;
        Ok(Self(Arc::new(Inner { path: path.to_owned(), identity, readers, writer })))
    }

    /// Whether the file is there and answers.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`].
    pub async fn ready(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT count(*) FROM (SELECT 1 FROM api_key LIMIT 1)")
            .execute(self.readers()?)
            .await
            .map(|_done| ())
            .map_err(|error| self.error(error))
    }

    /// Closes the connections when what they do is done. The last process to close the file
    /// leaves it without its `-wal` and `-shm` beside it.
    pub async fn close(&self) {
        self.0.readers.close().await;
        self.0.writer.close().await;
    }

    fn readers(&self) -> Result<&SqlitePool, StoreError> {
        self.check_file().map(|()| &self.0.readers)
    }

    fn writer(&self) -> Result<&SqlitePool, StoreError> {
        self.check_file().map(|()| &self.0.writer)
    }

    /// SQLite goes on with a file that has been deleted, and everything written to it is lost in
    /// the end. One `stat` is cheaper than that, and too short to leave the runtime's thread for.
    fn check_file(&self) -> Result<(), StoreError> {
        let Inner { path, identity, .. } = &*self.0;
        match std::fs::metadata(path) {
            Ok(metadata) if Identity::of(&metadata) == *identity => Ok(()),
            Ok(_) => {
                Err(unavailable(path, "the file was replaced while it was open. Restart the server to use the new one"))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(refused(
                path,
                "the file was deleted while it was open. Put it back from a backup, then restart the server",
                error,
            )),
            Err(error) => Err(refused(path, "the file cannot be reached", error)),
        }
    }

    fn error(&self, error: sqlx::Error) -> StoreError {
        store_error(&self.0.path, error)
    }
}

/// Tells a file from another of the same name.
#[derive(Debug, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(metadata.dev(), metadata.ino())
    }

    /// Elsewhere an open file cannot be deleted or replaced.
    #[cfg(not(unix))]
    fn of(_: &Metadata) -> Self {
        Self(0, 0)
    }
}

/// Makes an empty file, which is an empty database, for its owner alone. SQLite gives the files
/// beside it the same mode.
fn make_if_missing(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_file) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(refused(path, "the directory that the file is to be made in does not exist. Make it", error))
        }
        Err(error) => {
            Err(refused(path, "the file cannot be made. Give the server the right to write its directory", error))
        }
    }
}
