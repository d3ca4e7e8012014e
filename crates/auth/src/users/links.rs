//! Links that work once: for a new user, for one who lost their password, and for the first
//! administrator. They are shown to the operator, who hands them over; none is sent from here.

use bridgehead_core::{ScopeSet, Secret};
use jiff::{SignedDuration, Timestamp};

use super::{
    AddUserError, Claim, LinkPurpose, LinkRecord, MailAddress, NewUser, PasswordFault, Redeemed, Redemption,
    SignInError, SignedIn, User, UserRecord, Users, check_password,
};
use crate::{
    StoreError,
    keys::to_microsecond,
    text::{SecretKind, SecretText, SecretTextError},
};

/// What the link for the first administrator is derived under.
pub(super) const PURPOSE: &str = "bridgehead/first-administrator/v1";

/// What a link leads to: this and its text, behind the public URL. The text stands in the query, since
/// access logs name paths.
pub const LINK_PATH: &str = "/login/link?token=";

const INVITATION_LASTS: SignedDuration = SignedDuration::from_hours(7 * 24);
const RESET_LASTS: SignedDuration = SignedDuration::from_hours(24);
const FIRST_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// How long a link that is over is remembered, so that whoever opens it is told why.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A link that was made. Its text is here and nowhere else.
#[derive(Debug, Clone)]
pub struct OneTimeLink {
    /// The text: `bhl_…`, which stands behind [`LINK_PATH`].
    pub text: Secret,
    /// What it is for.
    pub purpose: LinkPurpose,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

/// A link that can be used now.
#[derive(Debug, Clone)]
pub struct OpenLink {
    /// What it is for.
    pub purpose: LinkPurpose,
    /// Whose it is, where that is known.
    pub user: Option<User>,
    /// The first moment at which it is no longer good.
    pub expires_at: Timestamp,
}

/// What to do about the first administrator at the start of a server.
#[derive(Debug, Clone)]
pub enum FirstAdministrator {
    /// Nobody is here yet: show this link to the operator. It is the same on every replica, and the
    /// same again after a restart, as long as it is good.
    Link(OneTimeLink),
    /// A link stands that cannot be shown here, since it was made under a root key that is not loaded.
    Elsewhere {
        /// Until when.
        expires_at: Timestamp,
    },
    /// There are users already.
    NotNeeded,
}

/// Why no link was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkError {
    /// There is no such user.
    #[error("there is no user {0}")]
    NotFound(MailAddress),
    /// They may not sign in.
    #[error("{0} is disabled; enable them first")]
    Disabled(MailAddress),
    /// The store did not take it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a link is no good, in words for whoever opened it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LinkFault {
    /// Characters are missing, added or wrong.
    #[error("This link is incomplete or mistyped. Copy it again, whole.")]
    Damaged,
    /// No such link: also where a newer one took its place.
    #[error(
        "This link is not known here. If there is a newer one, use that; else ask whoever runs this server for one."
    )]
    Unknown,
    /// It was used.
    #[error(
        "This link was used already, and works once. If it was you, sign in with the password that you chose; if not, tell whoever runs this server."
    )]
    Spent,
    /// Its time is over.
    #[error("This link's time is over. Ask whoever runs this server for a new one.")]
    Expired,
    /// The store does not answer. The cause is for the log.
    #[error(
        "The server cannot look this link up at the moment. Try again in a minute; if that does not help, tell its operator."
    )]
    Store(#[from] StoreError),
}

impl LinkFault {
    /// A stable word for logs and metrics.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Damaged => "damaged",
            Self::Unknown => "unknown",
            Self::Spent => "spent",
            Self::Expired => "expired",
            Self::Store(_) => "store_unavailable",
        }
    }
}

/// Why a link did not do what it is for. It is good for another attempt, unless it is the link
/// that is at fault.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedeemError {
    /// The link is no good.
    #[error(transparent)]
    Link(#[from] LinkFault),
    /// The password is no good.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// The address or the name is no good.
    #[error(transparent)]
    User(#[from] AddUserError),
    /// No password can be hashed at the moment.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

/// What the first administrator enters.
#[derive(Debug, Clone)]
pub struct NewAdministrator {
    /// Their mail address, as it was typed.
    pub address: String,
    /// What they are called.
    pub name: Option<String>,
    /// The password they chose.
    pub password: Secret,
}

impl Users {
    /// Makes a link with which a user chooses their password: the first one, or another. Links that
    /// they had are gone.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn invite(&self, address: &MailAddress) -> Result<OneTimeLink, LinkError> {
        let record = self.store.find_user(address).await?;
        let user = record.ok_or_else(|| LinkError::NotFound(address.clone()))?.user;
        let (purpose, lasts) = if user.has_password {
            (LinkPurpose::PasswordReset(user.address), RESET_LASTS)
        } else {
            (LinkPurpose::Invitation(user.address), INVITATION_LASTS)
        };
        let text = SecretText::generate(SecretKind::OneTimeLink, &*self.randomness);
        let link = self.link(&text, purpose, lasts);
        let made = shown(&link, &text);
        self.forget_old_links().await;
        if self.store.put_link(link).await? { Ok(made) } else { Err(LinkError::Disabled(address.clone())) }
    }

    /// Where there is no user yet: the link with which the first one makes themselves an
    /// administrator. Several replicas that start at once have the same one.
    ///
    /// # Errors
    /// As the store says.
    pub async fn first_administrator(&self) -> Result<FirstAdministrator, StoreError> {
        let fresh = SecretText::generate(SecretKind::OneTimeLink, &*self.randomness);
        // Derived, so that whoever starts next within the hour can show it again without its being stored.
        let (_, signature) = self.link_keys.sign(&[fresh.id().as_bytes()]);
        let text = SecretText::derived(SecretKind::OneTimeLink, fresh.id(), &signature).unwrap_or(fresh);
        let link = self.link(&text, LinkPurpose::FirstAdministrator, FIRST_LASTS);
        let now = to_microsecond(self.clock.now());
        Ok(match self.store.claim_first_administrator(link.clone(), now).await? {
            Claim::Made => FirstAdministrator::Link(shown(&link, &text)),
            Claim::NotNeeded => FirstAdministrator::NotNeeded,
            Claim::Stands(standing) => {
                let signature = self.link_keys.sign_under(&standing.pepper_version, &[standing.id.as_bytes()]);
                let derive = |bytes| SecretText::derived(SecretKind::OneTimeLink, &standing.id, &bytes);
                match signature.and_then(derive) {
                    Some(text) => FirstAdministrator::Link(shown(&standing, &text)),
                    None => FirstAdministrator::Elsewhere { expires_at: standing.expires_at },
                }
            }
        })
    }

    /// Looks at a link without using it: what it is for, and whose it is. For the page that it
    /// opens, since mail programs open links before people do.
    ///
    /// # Errors
    /// [`LinkFault`].
    pub async fn look_at_link(&self, text: &str) -> Result<OpenLink, LinkFault> {
        let link = self.good_link(text).await?;
        let user = match link.purpose.address() {
            Some(address) => Some(self.store.find_user(address).await?.ok_or(LinkFault::Unknown)?.user),
            None => None,
        };
        Ok(OpenLink { purpose: link.purpose, user, expires_at: link.expires_at })
    }

    /// Uses an invitation or a link for another password. The user is signed in with it.
    ///
    /// # Errors
    /// [`RedeemError`].
    pub async fn choose_password(&self, text: &str, password: &Secret) -> Result<SignedIn, RedeemError> {
        let link = self.good_link(text).await?;
        let Some(address) = link.purpose.address() else { return Err(LinkFault::Unknown.into()) };
        check_password(password, address)?;
        let password = self.hash(password).await?;
        self.redeem(&link.id, Redemption::Password(password.clone())).await?;
        let record = self.store.find_user(address).await.map_err(LinkFault::Store)?.ok_or(LinkFault::Unknown)?;
        Ok(SignedIn { user: record.user, password: Some(password) })
    }

    /// Uses the link for the first administrator, who is signed in with it.
    ///
    /// # Errors
    /// [`RedeemError`].
    pub async fn become_first_administrator(&self, text: &str, new: NewAdministrator) -> Result<SignedIn, RedeemError> {
        let link = self.good_link(text).await?;
        if link.purpose != LinkPurpose::FirstAdministrator {
            return Err(LinkFault::Unknown.into());
        }
        let NewAdministrator { address, name, password } = new;
        let user = self.new_user(NewUser { address, name, admin: true, scopes: ScopeSet::read_and_write() })?;
        check_password(&password, &user.address)?;
        let password = self.hash(&password).await?;
        let record = UserRecord::new(user, Some(password.clone()));
        self.redeem(&link.id, Redemption::FirstAdministrator(record.clone())).await?;
        Ok(SignedIn { user: record.user, password: Some(password) })
    }

    async fn redeem(&self, id: &str, redemption: Redemption) -> Result<(), LinkFault> {
        match self.store.redeem_link(id, redemption, to_microsecond(self.clock.now())).await? {
            Redeemed::Done => Ok(()),
            Redeemed::Spent => Err(LinkFault::Spent),
            Redeemed::Expired => Err(LinkFault::Expired),
            Redeemed::Unknown | Redeemed::NotFor => Err(LinkFault::Unknown),
        }
    }

    /// The record of a link that can be used now. That it was used or is over is told only to whoever
    /// has all of it.
    async fn good_link(&self, text: &str) -> Result<LinkRecord, LinkFault> {
        let text = SecretText::parse(SecretKind::OneTimeLink, text).map_err(|error| match error {
            SecretTextError::OtherKind | SecretTextError::Damaged => LinkFault::Damaged,
        })?;
        let Some(link) = self.store.find_link(text.id()).await? else {
            std::hint::black_box(self.peppers.hash(text.secret()));
            return Err(LinkFault::Unknown);
        };
        if self.peppers.hash_under(&link.pepper_version, text.secret()) != Some(link.hash) {
            return Err(LinkFault::Unknown);
        }
        match link {
            LinkRecord { used_at: Some(_), .. } => Err(LinkFault::Spent),
            LinkRecord { expires_at, .. } if expires_at <= self.clock.now() => Err(LinkFault::Expired),
            link => Ok(link),
        }
    }

    fn link(&self, text: &SecretText, purpose: LinkPurpose, lasts: SignedDuration) -> LinkRecord {
        let (pepper_version, hash) = self.peppers.hash(text.secret());
        let created_at = to_microsecond(self.clock.now());
        LinkRecord {
            id: text.id().clone(),
            purpose,
            hash,
            pepper_version,
            created_at,
            expires_at: created_at.checked_add(lasts).unwrap_or(Timestamp::MAX),
            used_at: None,
        }
    }

    /// What fails here is done the next time.
    async fn forget_old_links(&self) {
        let Ok(before) = self.clock.now().checked_sub(REMEMBERED_FOR) else { return };
        if let Err(error) = self.store.remove_links(before).await {
            tracing::debug!(%error, "links that are over were not removed");
        }
    }
}

fn shown(link: &LinkRecord, text: &SecretText) -> OneTimeLink {
    OneTimeLink { text: text.secret().clone(), purpose: link.purpose.clone(), expires_at: link.expires_at }
}
