//! Browser sessions: begun when somebody signs in, always with a new id, and good until they are
//! ended, idle for too long, or old. The cookie and its attributes are not known here.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bridgehead_core::{Clock, Randomness, Secret};
use jiff::{SignedDuration, Timestamp};

use super::{Beginning, MailAddress, SessionRecord, SessionStore, SignedIn, User};
use crate::{
    Peppers, RootKeys, StoreError,
    keys::to_microsecond,
    last_use::LastUse,
    text::{SecretKind, SecretText},
};

/// How often sessions that are over are removed from the store.
const SWEEP_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How long a session is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// Without being used, give or take a minute.
    pub idle: SignedDuration,
    /// However much it is used.
    pub absolute: SignedDuration,
}

impl Default for SessionLimits {
    /// A working day without a use, a week in all.
    fn default() -> Self {
        Self { idle: SignedDuration::from_hours(12), absolute: SignedDuration::from_hours(7 * 24) }
    }
}

/// A session that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its public part: may be logged and shown, and opens nothing.
    pub id: Arc<str>,
    /// Who signed in, as they are now.
    pub user: User,
    /// When they signed in.
    pub created_at: Timestamp,
    /// The first moment at which it is no longer good, however much it is used: for the cookie.
    pub expires_at: Timestamp,
}

/// Why no session was begun.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BeginError {
    /// While somebody signed in they were disabled, or got another password.
    #[error("Your account was changed while you signed in. Sign in again.")]
    Refused,
    /// The store does not answer. The cause is for the log.
    #[error(
        "The server cannot sign you in at the moment. Try again in a minute; if that does not help, tell its operator."
    )]
    Store(#[from] StoreError),
}

/// Begins, finds and ends sessions.
pub struct Sessions {
    store: Arc<dyn SessionStore>,
    peppers: Peppers,
    limits: SessionLimits,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
    uses: LastUse,
    swept_at: Mutex<Option<Timestamp>>,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("peppers", &self.peppers).field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Sessions {
    /// The sessions in `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn SessionStore>,
        roots: &RootKeys,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            store,
            peppers: Peppers::derive(roots),
            limits: SessionLimits::default(),
            clock,
            randomness,
            uses: LastUse::default(),
            swept_at: Mutex::default(),
        }
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(self, limits: SessionLimits) -> Self {
        Self { limits, ..self }
    }

    /// Begins a session. The second part of the answer is the cookie's value: `bhw_…`, 55 characters
    /// of `0-9A-Za-z_`. The one that the browser had before, if any, is best ended.
    ///
    /// # Errors
    /// [`BeginError`].
    pub async fn begin(&self, signed_in: SignedIn) -> Result<(Session, Secret), BeginError> {
        let SignedIn { user, password } = signed_in;
        let now = to_microsecond(self.clock.now());
        let text = SecretText::generate(SecretKind::Session, &*self.randomness);
        let (pepper_version, hash) = self.peppers.hash(text.secret());
        let record = SessionRecord {
            id: text.id().clone(),
            address: user.address.clone(),
            hash,
            pepper_version,
            created_at: now,
            expires_at: now.checked_add(self.limits.absolute).unwrap_or(Timestamp::MAX),
            last_used_at: now,
        };
        self.sweep(now).await;
        match self.store.begin_session(record.clone(), password.as_ref()).await? {
            Beginning::Begun => {
                let user = User { signed_in_at: Some(now), ..user };
                Ok((session(&record, user), text.secret().clone()))
            }
            Beginning::Refused => Err(BeginError::Refused),
        }
    }

    /// The session that a cookie's value belongs to, if it is good. Takes note of the use.
    ///
    /// # Errors
    /// As the store says.
    pub async fn find(&self, cookie: &str) -> Result<Option<Session>, StoreError> {
        let Ok(text) = SecretText::parse(SecretKind::Session, cookie) else { return Ok(None) };
        let Some((record, user)) = self.store.find_session(text.id()).await? else {
            std::hint::black_box(self.peppers.hash(text.secret()));
            return Ok(None);
        };
        let now = self.clock.now();
        let idle = now.duration_since(record.last_used_at) >= self.limits.idle;
        let good = self.peppers.hash_under(&record.pepper_version, text.secret()) == Some(record.hash)
            && user.disabled_at.is_none()
            && now < record.expires_at
            && !idle;
        if !good {
            return Ok(None);
        }
        self.uses.record(&record.id, Some(record.last_used_at), now, || {
            let (store, id) = (self.store.clone(), record.id.clone());
            async move { store.touch_session(&id, to_microsecond(now)).await }
        });
        Ok(Some(session(&record, user)))
    }

    /// Ends a session: from now on the cookie's value is nobody's. Says whether it was good for
    /// anything.
    ///
    /// # Errors
    /// As the store says.
    pub async fn end(&self, session: &Session) -> Result<bool, StoreError> {
        self.store.end_session(&session.id).await
    }

    /// Ends all sessions of a user, and says how many there were.
    ///
    /// # Errors
    /// As the store says.
    pub async fn end_all(&self, address: &MailAddress) -> Result<u64, StoreError> {
        self.store.end_sessions_of(address).await
    }

    /// Waits until every use that was noted is recorded: for an orderly end, before the store is
    /// closed.
    pub async fn settle(&self) {
        self.uses.settle().await;
    }

    /// What fails here is done the next time.
    async fn sweep(&self, now: Timestamp) {
        {
            let mut swept_at = self.swept_at.lock().unwrap_or_else(PoisonError::into_inner);
            if swept_at.is_some_and(|at| now.duration_since(at) < SWEEP_EVERY) {
                return;
            }
            *swept_at = Some(now);
        }
        let Ok(idle_since) = now.checked_sub(self.limits.idle) else { return };
        if let Err(error) = self.store.remove_sessions(now, idle_since).await {
            tracing::debug!(%error, "sessions that are over were not removed");
        }
    }
}

fn session(record: &SessionRecord, user: User) -> Session {
    Session { id: record.id.clone(), user, created_at: record.created_at, expires_at: record.expires_at }
}
