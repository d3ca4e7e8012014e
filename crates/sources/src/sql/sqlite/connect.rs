//! The way to the database file: a pool that can only read, a single connection that writes, and
//! the watch over the file itself.
//!
//! SQLite goes on reading and writing a file that was deleted, into nowhere. So each call looks
//! first whether the path still names the file that was opened; a file put in its place (a
//! restored copy) gets connections of its own. Nothing here ever creates a file.

use std::{
    fs::Metadata,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bridgehead_core::UpstreamFailure;
use sqlx::{
    ConnectOptions, Sqlite, SqliteConnection, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use super::failure;

/// How many reads run at once; each connection is a thread.
const READERS: u32 = 8;
/// How long SQLite waits for another process's lock before it says that it is busy.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How many steps of SQLite's virtual machine pass between two looks at [`Running`]: well below a
/// millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 1000;

/// A database file and the connections to it.
pub(super) struct File {
    path: PathBuf,
    current: Mutex<Arc<Pools>>,
}

/// Connections to one file, as it was when they were made.
pub(super) struct Pools {
    identity: Identity,
    read: SqlitePool,
    write: SqlitePool,
}

/// Tells a file from another one that took its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity {
    #[cfg(unix)]
    device_and_inode: (u64, u64),
    #[cfg(not(unix))]
    created: Option<std::time::SystemTime>,
}

impl Identity {
    fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            Self { device_and_inode: (metadata.dev(), metadata.ino()) }
        }
        #[cfg(not(unix))]
        Self { created: metadata.created().ok() }
    }
}

impl Pools {
    fn new(path: &Path, identity: Identity) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .disable_statement_logging();
        let pool = || SqlitePoolOptions::new().test_before_acquire(false);
        let reading = options.clone().read_only(true).pragma("query_only", "ON");
        Self {
            identity,
            read: pool().max_connections(READERS).connect_lazy_with(reading),
            // SQLite has one writer; those of this process wait here, in order, and not by polling.
            write: pool().max_connections(1).connect_lazy_with(options),
        }
    }

    /// A connection that can only read, and the hold on what it does.
    pub(super) async fn reader(&self) -> Result<(PoolConnection<Sqlite>, Running), sqlx::Error> {
        let mut connection = self.read.acquire().await?;
        let running = Running::watch(&mut connection).await?;
        Ok((connection, running))
    }

    /// The connection that writes, and the hold on what it does.
    pub(super) async fn writer(&self) -> Result<(PoolConnection<Sqlite>, Running), sqlx::Error> {
        let mut connection = self.write.acquire().await?;
        let running = Running::watch(&mut connection).await?;
        Ok((connection, running))
    }

    /// Whether a reader is free or can be made.
    fn has_room(&self) -> bool {
        self.read.num_idle() > 0 || self.read.size() < READERS
    }
}

impl File {
    /// Takes the file that is there.
    ///
    /// # Errors
    /// There is no file, or it cannot be looked at.
    pub(super) async fn open(path: &Path) -> io::Result<Self> {
        let metadata = tokio::fs::metadata(path).await?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
        }
        let pools = Arc::new(Pools::new(path, Identity::of(&metadata)));
        Ok(Self { path: path.to_owned(), current: Mutex::new(pools) })
    }

    /// The connections to the file that the path names now.
    ///
    /// # Errors
    /// The file is gone.
    pub(super) async fn pools(&self) -> Result<Arc<Pools>, UpstreamFailure> {
        let metadata = tokio::fs::metadata(&self.path).await.map_err(failure::gone)?;
        let identity = Identity::of(&metadata);
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.identity != identity {
            tracing::warn!(database = %self.path.display(), "the database file was replaced by another one");
            // The old connections close when the last call on them ends.
            *current = Arc::new(Pools::new(&self.path, identity));
        }
        Ok(current.clone())
    }

    /// Whether the file is there and answers. With every reader at work it does.
    pub(super) async fn answers(&self) -> Result<(), String> {
        let pools = self.pools().await.map_err(|failure| failure.message)?;
        if !pools.has_room() {
            return Ok(());
        }
        let probe = async {
            let (mut connection, _running) = pools.reader().await?;
            sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(&mut *connection).await
        };
        probe.await.map(drop).map_err(|error| failure::read(error).message)
    }

    /// Closes every connection, when the calls on them have ended.
    pub(super) async fn close(&self) {
        let current = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        current.read.close().await;
        current.write.close().await;
    }
}

/// The hold on what a connection does: dropped, it stops a statement that is still running, as
/// nobody waits for it any longer. The next one to take the connection puts its own hold on it,
/// and has to wait until the stopped statement has ended.
pub(super) struct Running(Arc<AtomicBool>);

impl Running {
    async fn watch(connection: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let stop = Arc::new(AtomicBool::new(false));
        let seen = stop.clone();
        connection
            .lock_handle()
            .await?
            .set_progress_handler(STEPS_BETWEEN_LOOKS, move || !seen.load(Ordering::Relaxed));
        Ok(Self(stop))
    }

    /// Stops the statement that is running.
    pub(super) fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Lets statements run again: those that end a transaction.
    pub(super) fn resume(&self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}
