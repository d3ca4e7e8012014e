//! Argon2id (RFC 9106), away from the threads that serve requests: it takes tens of milliseconds
//! and as many megabytes on purpose, so only some run at once and only some may wait.

#[cfg(test)]
#[path = "hasher_tests.rs"]
mod tests;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc},
};
use bridgehead_core::{Clock, Randomness, Secret};
use futures_util::future::{self, Either};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::PasswordHash;

/// How many hashes run at once where the machine has as many cores. Each takes the memory of its
/// cost.
const MOST_AT_ONCE: usize = 4;
/// How many may wait for their turn; whoever comes then is asked to come again.
const MOST_WAITING: usize = 32;
/// How long one waits at most.
const PATIENCE: Duration = Duration::from_secs(5);
const SALT_LENGTH: usize = 16;

/// How much work a hash is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HashingCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for HashingCost {
    /// 19 MiB, 2 passes, 1 lane (OWASP Password Storage Cheat Sheet).
    fn default() -> Self {
        Self { memory: Params::DEFAULT_M_COST, passes: Params::DEFAULT_T_COST, lanes: Params::DEFAULT_P_COST }
    }
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is the password.
    Right {
        /// The hash was made at another cost than is wanted now.
        outdated: bool,
    },
    /// It is not, or there is none.
    Wrong,
}

/// Why nothing was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum HashingError {
    /// Too many others are at it.
    #[error("too many passwords are being checked")]
    Busy,
    /// No memory, or a cost that Argon2 does not know.
    #[error("the password could not be hashed")]
    Failed,
}

pub(super) struct Hasher {
    argon2: Argon2<'static>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("argon2", &self.argon2).finish_non_exhaustive()
    }
}

impl Hasher {
    pub(super) fn new(cost: HashingCost, clock: Arc<dyn Clock>, randomness: Arc<dyn Randomness>) -> Self {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE);
        // A cost that Argon2 does not know is none that anybody wrote: the settings do not hold it.
        let params = Params::new(cost.memory, cost.passes, cost.lanes, None).unwrap_or(Params::DEFAULT);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        Self { argon2, turns: Arc::new(Semaphore::new(at_once)), waiting: AtomicUsize::new(0), clock, randomness }
    }

    /// The hash of a new password, with a salt of its own.
    pub(super) async fn hash(&self, password: &Secret) -> Result<PasswordHash, HashingError> {
        let (argon2, password, salt) = (self.argon2.clone(), password.clone(), self.salt());
        self.run(move || {
            let hash = argon2.hash_password_with_salt(password.expose().as_bytes(), &salt).ok()?;
            Some(PasswordHash::new(&hash.to_string()))
        })
        .await
    }

    /// Checks a password. Where there is no hash, a check is made all the same and comes to nothing,
    /// so that nobody learns from the time it took whether there is one.
    pub(super) async fn verify(&self, password: &Secret, hash: Option<&PasswordHash>) -> Result<Verdict, HashingError> {
        let (argon2, password, salt, hash) = (self.argon2.clone(), password.clone(), self.salt(), hash.cloned());
        self.run(move || {
            let password = password.expose().as_bytes();
            let Some(hash) = hash.as_ref().and_then(|hash| phc::PasswordHash::new(hash.as_str()).ok()) else {
                std::hint::black_box(argon2.hash_password_with_salt(password, &salt).ok()?);
                return Some(Verdict::Wrong);
            };
            Some(match argon2.verify_password(password, &hash) {
                Ok(()) => Verdict::Right { outdated: !is_current(&argon2, &hash) },
                Err(_) => Verdict::Wrong,
            })
        })
        .await
    }

    /// Runs on a thread for such work when it is its turn. The turn lasts as long as the work, also
    /// when whoever asked has gone.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Result<T, HashingError> {
        let turn = self.turn().await?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.ok().flatten().ok_or(HashingError::Failed)
    }

    async fn turn(&self) -> Result<OwnedSemaphorePermit, HashingError> {
        if let Ok(turn) = self.turns.clone().try_acquire_owned() {
            return Ok(turn);
        }
        let _waiting = Waiting::new(&self.waiting).ok_or(HashingError::Busy)?;
        let turn = std::pin::pin!(self.turns.clone().acquire_owned());
        match future::select(turn, self.clock.sleep(PATIENCE)).await {
            Either::Left((turn, _)) => turn.map_err(|_closed| HashingError::Failed),
            Either::Right(((), _)) => Err(HashingError::Busy),
        }
    }

    /// Takes every turn, so that a test sees who waits for one.
    #[cfg(test)]
    pub(super) fn take_all_turns(&self) -> OwnedSemaphorePermit {
        let all = u32::try_from(self.turns.available_permits()).unwrap();
        self.turns.clone().try_acquire_many_owned(all).unwrap()
    }

    fn salt(&self) -> [u8; SALT_LENGTH] {
        let mut salt = [0_u8; SALT_LENGTH];
        self.randomness.fill(&mut salt);
        salt
    }
}

/// Whether a hash was made as one would be made now.
fn is_current(argon2: &Argon2<'_>, hash: &phc::PasswordHash) -> bool {
    let same = |params: Params| {
        let wanted = argon2.params();
        (params.m_cost(), params.t_cost(), params.p_cost()) == (wanted.m_cost(), wanted.t_cost(), wanted.p_cost())
    };
    hash.algorithm == Algorithm::Argon2id.ident()
        && hash.version == Some(Version::V0x13.into())
        && Params::try_from(hash).is_ok_and(same)
}

/// A place among those who wait, given back when they no longer do.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicUsize) -> Option<Self> {
        let taken = waiting
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |count| (count < MOST_WAITING).then_some(count + 1));
        taken.is_ok().then_some(Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
