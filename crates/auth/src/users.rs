//! Users: the people who sign in here with a password (requirement A4). Their passwords are kept as
//! Argon2id hashes, their one-time links and sessions as keyed hashes. Pages, cookies and mail are
//! not known here.

mod address;
mod csrf;
mod hasher;
mod links;
mod password;
mod sessions;
mod store;
mod throttle;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use bridgehead_core::{Clock, Randomness, ScopeSet, Secret};

pub use address::{MailAddress, MailAddressError};
pub use csrf::{CsrfBinding, CsrfError, CsrfTokens, VISITOR_LENGTH, new_visitor};
pub use hasher::HashingCost;
pub use links::{
    FirstAdministrator, LINK_PATH, LinkError, LinkFault, NewAdministrator, OneTimeLink, OpenLink, RedeemError,
};
pub use password::{LONGEST_PASSWORD, PasswordFault, PasswordHash, SHORTEST_PASSWORD, check_password};
pub use sessions::{BeginError, Session, SessionLimits, Sessions};
pub use store::{
    Addition, Beginning, Claim, LinkPurpose, LinkRecord, Redeemed, Redemption, SessionRecord, SessionStore, User,
    UserChange, UserRecord, UserStore,
};

use self::{
    hasher::{Hasher, HashingError, Verdict},
    throttle::Throttle,
};
use crate::{
    Peppers, PurposeKeys, RootKeys, StoreError,
    keys::{printable, to_microsecond},
};

const LONGEST_NAME: usize = 255;
/// When to come again while too many passwords are being checked.
const BUSY_RETRY: Duration = Duration::from_secs(5);

/// What a new user is to be.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// Their mail address, as it was typed.
    pub address: String,
    /// What they are called. At most 255 characters, no control characters.
    pub name: Option<String>,
    /// Whether they may administer.
    pub admin: bool,
    /// The most that they can allow a client to do.
    pub scopes: ScopeSet,
}

/// Why nobody was added.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AddUserError {
    /// Nobody can be reached there.
    #[error(transparent)]
    Address(#[from] MailAddressError),
    /// The name cannot be shown as it is.
    #[error("a name has at most {LONGEST_NAME} printable characters")]
    Name,
    /// There is such a user.
    #[error("there is a user {0} already")]
    AddressTaken(MailAddress),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a password was not set.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SetPasswordError {
    /// It is no good.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// There is no such user.
    #[error("there is no user {0}")]
    NotFound(MailAddress),
    /// Too many passwords are being checked at the moment, or there is no memory to do it.
    #[error("{BUSY}")]
    Busy {
        /// When it makes sense to come again.
        retry_after: Duration,
    },
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What somebody entered to sign in, and from where.
#[derive(Debug, Clone, Copy)]
pub struct Credentials<'a> {
    /// The mail address, as it was typed.
    pub address: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// The client's address on the network.
    pub from: IpAddr,
}

/// Why nobody was signed in, in words for whoever tried. Nothing here says whether there is such a
/// user.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignInError {
    /// No such user, another password, or a user who is disabled or has not chosen a password yet.
    #[error(
        "Mail address and password do not belong together. Look at both; if you lost your password, ask whoever runs this server for a new link."
    )]
    Refused,
    /// Too many attempts failed.
    #[error("Too many attempts failed. Try again in {}.", in_words(.retry_after))]
    TooMany {
        /// How long until the next attempt is judged.
        retry_after: Duration,
    },
    /// Too many passwords are being checked at the moment.
    #[error("{BUSY}")]
    Busy {
        /// When it makes sense to come again.
        retry_after: Duration,
    },
    /// The store does not answer. The cause is for the log.
    #[error(
        "The server cannot check who you are at the moment. Try again in a minute; if that does not help, tell its operator."
    )]
    Store(#[from] StoreError),
}

const BUSY: &str = "Too many people are signing in at this moment. Try again in a few seconds.";

impl SignInError {
    /// When it makes sense to come again, where waiting helps: for `Retry-After`.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooMany { retry_after } | Self::Busy { retry_after } => Some(*retry_after),
            Self::Refused | Self::Store(_) => None,
        }
    }

    /// A stable word for logs, metrics and the trace.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::TooMany { .. } => "too_many_attempts",
            Self::Busy { .. } => "busy",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Why a user did not get another password.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ChangePasswordError {
    /// The new one is no good.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// The old one was not right, or could not be checked.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// Somebody who has just proved who they are: what [`Sessions::begin`] asks for.
#[derive(Debug, Clone)]
pub struct SignedIn {
    user: User,
    /// The hash that a password was checked against: it has to stand until the session has begun.
    password: Option<PasswordHash>,
}

impl SignedIn {
    /// Who it is.
    #[must_use]
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// Somebody who proved elsewhere who they are.
    pub(crate) const fn elsewhere(user: User) -> Self {
        Self { user, password: None }
    }
}

/// Adds users, gives them passwords and links, and checks who signs in.
pub struct Users {
    store: Arc<dyn UserStore>,
    hasher: Hasher,
    throttle: Throttle,
    peppers: Peppers,
    link_keys: PurposeKeys,
    clock: Arc<dyn Clock>,
    randomness: Arc<dyn Randomness>,
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Users").field("hasher", &self.hasher).field("peppers", &self.peppers).finish_non_exhaustive()
    }
}

impl Users {
    /// The users in `store`.
    #[must_use]
    pub fn new(
        store: Arc<dyn UserStore>,
        roots: &RootKeys,
        clock: Arc<dyn Clock>,
        randomness: Arc<dyn Randomness>,
    ) -> Self {
        Self {
            store,
            hasher: Hasher::new(HashingCost::default(), clock.clone(), randomness.clone()),
            throttle: Throttle::new(clock.clone()),
            peppers: Peppers::derive(roots),
            link_keys: PurposeKeys::derive(roots, links::PURPOSE),
            clock,
            randomness,
        }
    }

    /// With another cost of hashing. Hashes of the old cost stay good, and are replaced when their
    /// users sign in.
    #[must_use]
    pub fn with_cost(self, cost: HashingCost) -> Self {
        let hasher = Hasher::new(cost, self.clock.clone(), self.randomness.clone());
        Self { hasher, ..self }
    }

    /// Adds a user, who has no password yet.
    ///
    /// # Errors
    /// [`AddUserError`].
    pub async fn add(&self, new: NewUser) -> Result<User, AddUserError> {
        let user = self.new_user(new)?;
        match self.store.add_user(UserRecord::new(user.clone(), None)).await? {
            Addition::Added => Ok(user),
            Addition::AddressTaken => Err(AddUserError::AddressTaken(user.address)),
        }
    }

    fn new_user(&self, new: NewUser) -> Result<User, AddUserError> {
        let address = MailAddress::parse(&new.address)?;
        let name = new.name.as_deref().map(|name| printable(name, LONGEST_NAME).ok_or(AddUserError::Name));
        let name = name.transpose()?.filter(|name| !name.is_empty()).map(str::to_owned);
        Ok(User {
            address,
            name,
            admin: new.admin,
            scopes: new.scopes,
            created_at: to_microsecond(self.clock.now()),
            disabled_at: None,
            signed_in_at: None,
            has_password: false,
        })
    }

    /// All users, oldest first.
    ///
    /// # Errors
    /// As the store says.
    pub async fn list(&self) -> Result<Vec<User>, StoreError> {
        Ok(self.store.list_users().await?.into_iter().map(|record| record.user).collect())
    }

    /// The user with this address, disabled ones as well.
    ///
    /// # Errors
    /// As the store says.
    pub async fn find(&self, address: &MailAddress) -> Result<Option<User>, StoreError> {
        Ok(self.store.find_user(address).await?.map(|record| record.user))
    }

    /// Disables a user: they cannot sign in, and their sessions have ended. What they allowed
    /// clients to do is not known here, and has to be looked at by whoever checks a token.
    ///
    /// # Errors
    /// As the store says.
    pub async fn disable(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        self.store.disable_user(address, to_microsecond(self.clock.now())).await
    }

    /// Lets a user in again who was disabled.
    ///
    /// # Errors
    /// As the store says.
    pub async fn enable(&self, address: &MailAddress) -> Result<UserChange, StoreError> {
        self.store.enable_user(address).await
    }

    /// Gives a user a password, as the operator may. Their sessions end and their links are gone.
    ///
    /// # Errors
    /// [`SetPasswordError`].
    pub async fn set_password(&self, address: &MailAddress, password: &Secret) -> Result<(), SetPasswordError> {
        check_password(password, address)?;
        let hash =
            self.hasher.hash(password).await.map_err(|error| SetPasswordError::Busy { retry_after: retry(error) })?;
        match self.store.set_password(address, &hash).await? {
            UserChange::NotFound => Err(SetPasswordError::NotFound(address.clone())),
            UserChange::Changed | UserChange::Unchanged => Ok(()),
        }
    }

    /// Checks who signs in. Takes the same work whether or not there is such a user; failures are
    /// counted for the account and for the address they come from.
    ///
    /// # Errors
    /// [`SignInError`].
    pub async fn sign_in(&self, credentials: &Credentials<'_>) -> Result<SignedIn, SignInError> {
        let address = MailAddress::parse(credentials.address);
        // What is no address is nobody's account, and counted all the same: by its beginning, to be short.
        let typed = || credentials.address.trim().chars().take(LONGEST_NAME).collect::<String>().to_lowercase();
        let account = address.as_ref().map_or_else(|_| typed(), ToString::to_string);
        let attempt = self
            .throttle
            .begin(&account, credentials.from)
            .map_err(|retry_after| SignInError::TooMany { retry_after })?;
        match self.judge(address.ok().as_ref(), credentials.password).await {
            Ok(signed_in) => {
                attempt.succeeded();
                Ok(signed_in)
            }
            Err(error) => {
                if !matches!(error, SignInError::Refused) {
                    attempt.not_judged();
                }
                Err(error)
            }
        }
    }

    /// Gives a user who is signed in another password. All their sessions end; the answer begins a
    /// new one.
    ///
    /// # Errors
    /// [`ChangePasswordError`].
    pub async fn change_password(
        &self,
        current: &Credentials<'_>,
        new: &Secret,
    ) -> Result<SignedIn, ChangePasswordError> {
        if let Ok(address) = MailAddress::parse(current.address) {
            check_password(new, &address)?;
        }
        let SignedIn { user, .. } = self.sign_in(current).await?;
        let password = self.hash(new).await?;
        match self.store.set_password(&user.address, &password).await.map_err(SignInError::Store)? {
            UserChange::NotFound => Err(SignInError::Refused.into()),
            UserChange::Changed | UserChange::Unchanged => Ok(SignedIn { user, password: Some(password) }),
        }
    }

    async fn judge(&self, address: Option<&MailAddress>, password: &Secret) -> Result<SignedIn, SignInError> {
        if password.expose().len() > LONGEST_PASSWORD {
            return Err(SignInError::Refused);
        }
        let record = match address {
            Some(address) => self.store.find_user(address).await?,
            None => None,
        };
        let record = record.filter(|record| record.user.disabled_at.is_none());
        let hash = record.as_ref().and_then(|record| record.password.as_ref());
        let verdict = self.hasher.verify(password, hash).await.map_err(busy)?;
        match (verdict, record) {
            (Verdict::Right { outdated }, Some(UserRecord { user, password: Some(hash) })) => {
                let hash = if outdated { self.renew(&user.address, password, hash).await? } else { hash };
                Ok(SignedIn { user, password: Some(hash) })
            }
            _ => Err(SignInError::Refused),
        }
    }

    /// Hashes a password at today's cost. Where that is not possible now, the old hash is good too.
    async fn renew(
        &self,
        address: &MailAddress,
        password: &Secret,
        old: PasswordHash,
    ) -> Result<PasswordHash, SignInError> {
        let Ok(new) = self.hasher.hash(password).await else { return Ok(old) };
        Ok(if self.store.replace_hash(address, &old, &new).await? { new } else { old })
    }

    async fn hash(&self, password: &Secret) -> Result<PasswordHash, SignInError> {
        self.hasher.hash(password).await.map_err(busy)
    }
}

fn busy(error: HashingError) -> SignInError {
    SignInError::Busy { retry_after: retry(error) }
}

fn retry(error: HashingError) -> Duration {
    if error == HashingError::Failed {
        tracing::error!(%error, "no password can be checked; look whether the machine is short of memory");
    }
    BUSY_RETRY
}

/// Rounded up, so that whoever waits that long has waited long enough.
fn in_words(time: &Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    match seconds {
        0 | 1 => "a second".to_owned(),
        2..=90 => format!("{seconds} seconds"),
        more => format!("{} minutes", more.div_ceil(60)),
    }
}
