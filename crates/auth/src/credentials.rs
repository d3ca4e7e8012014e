//! What teammates enter or connect once for the systems behind, each for themselves (requirement P2):
//! kept sealed, renewed ahead of time, and given to a source for one call of the same teammate. The
//! forms are the server's, and HTTP is done by a [`TokenEndpoint`].
//!
//! | what happens | file |
//! |---|---|
//! | a call asks for its caller's credential | this one |
//! | a teammate enters, looks at or removes theirs | `entry` |
//! | a teammate connects by OAuth | `connect` |
//! | a token is about to expire, or was not accepted | `renew` |
//! | the root keys were rotated | `reseal` |

mod connect;
mod definition;
mod entry;
mod renew;
mod reseal;
mod sealed;
mod store;
mod token;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bridgehead_core::{
    CallError, Caller, CallerCredential, CallerCredentials, Clock, CredentialLack, CredentialRequired, Fault,
    Randomness, Refusal,
};
use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use crate::{MailAddress, StoreError, Vault};

pub use connect::{BeginConnectionError, ConnectError};
pub use definition::{OAuthVault, TokenEndpointAuth, VaultDefinition, VaultField, VaultKind};
pub use entry::{EnterError, FieldFault, MOST_FIELD_BYTES, Standing, StandingState};
pub use reseal::Resealed;
pub use store::{
    CredentialKind, CredentialRecord, CredentialStore, CredentialVersion, PendingConnection, Removal, Replacement,
};
pub use token::{TokenEndpoint, TokenEndpointDown, TokenReply, TokenRequest};

use renew::{Flights, Reason};
use sealed::Content;

/// Where a teammate enters what belongs to a vault: this and its name, behind the public URL.
pub const CREDENTIALS_PATH: &str = "/account/credentials/";

/// What [`UpstreamCredentials`] works with.
pub struct CredentialParts {
    /// Where they are kept.
    pub store: Arc<dyn CredentialStore>,
    /// Seals them.
    pub vault: Vault,
    /// Asks for tokens.
    pub tokens: Arc<dyn TokenEndpoint>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Makes states, verifiers and versions.
    pub randomness: Arc<dyn Randomness>,
}

/// The credentials of all teammates for all systems behind. Cheap to clone.
#[derive(Clone)]
pub struct UpstreamCredentials(Arc<Inner>);

struct Inner {
    parts: CredentialParts,
    vaults: Vec<VaultDefinition>,
    public_url: String,
    flights: Flights,
    running: TaskTracker,
    /// Tells this process from the others that share the store.
    process: String,
}

/// Whose credential, of which vault.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Owner {
    vault: Arc<str>,
    subject: Arc<str>,
}

impl UpstreamCredentials {
    /// The vaults of the configuration, for a server that is called `public_url` from outside.
    #[must_use]
    pub fn new(vaults: Vec<VaultDefinition>, public_url: &str, parts: CredentialParts) -> Self {
        let process = random_text(&*parts.randomness);
        Self(Arc::new(Inner {
            parts,
            vaults,
            public_url: public_url.trim_end_matches('/').to_owned(),
            flights: Flights::default(),
            running: TaskTracker::new(),
            process,
        }))
    }

    /// All vaults, in the order of the configuration.
    #[must_use]
    pub fn vaults(&self) -> &[VaultDefinition] {
        &self.0.vaults
    }

    /// The vault of that name.
    #[must_use]
    pub fn vault(&self, name: &str) -> Option<&VaultDefinition> {
        self.0.vaults.iter().find(|vault| *vault.name == *name)
    }

    /// Waits for renewals that are under way: the token that one spends is worth nothing if the new one
    /// is not kept.
    pub async fn settle(&self) {
        self.0.running.close();
        self.0.running.wait().await;
        self.0.running.reopen();
    }
}

impl fmt::Debug for UpstreamCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.vaults.iter().map(|vault| &*vault.name);
        f.debug_tuple("UpstreamCredentials").field(&names.collect::<Vec<_>>()).finish()
    }
}

#[async_trait]
impl CallerCredentials for UpstreamCredentials {
    async fn credential(&self, vault: &str, caller: &Caller) -> Result<CallerCredential, CallError> {
        let (definition, owner) = self.0.asked(vault, caller)?;
        let record = self.0.record(&owner).await?;
        let record = record.ok_or_else(|| self.0.required(definition, &owner, CredentialLack::NotEntered))?;
        match (&definition.kind, self.0.content(definition, &record)?) {
            (VaultKind::Fields(fields), Content::Fields(values))
                if fields.iter().all(|field| values.contains_key(&field.name)) =>
            {
                let credential = CallerCredential::new(values, record.version.to_shared());
                Ok(credential.refused(record.refused_at.is_some()))
            }
            (VaultKind::OAuth(_), Content::OAuth(tokens)) => {
                if renew::is_due(&record, self.0.now()) {
                    self.renewed(owner, Reason::Due).await
                } else {
                    Ok(tokens.credential(&record))
                }
            }
            // The configuration asks for something else by now.
            _ => Err(self.0.required(definition, &owner, CredentialLack::NotEntered)),
        }
    }

    async fn not_accepted(
        &self,
        vault: &str,
        caller: &Caller,
        presented: &CallerCredential,
    ) -> Result<CallerCredential, CallError> {
        let (definition, owner) = self.0.asked(vault, caller)?;
        match definition.kind {
            VaultKind::OAuth(_) => {
                let version = CredentialVersion::new(presented.version());
                self.renewed(owner, Reason::NotAccepted(version)).await
            }
            VaultKind::Fields(_) => match self.0.record(&owner).await? {
                // Another one was entered meanwhile.
                Some(record) if record.version.as_str() != presented.version() => self.credential(vault, caller).await,
                Some(record) => Err(self.0.refused(definition, record).await?),
                None => Err(self.0.required(definition, &owner, CredentialLack::NotEntered)),
            },
        }
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// The vault, and whose credential a caller's call needs.
    fn asked(&self, vault: &str, caller: &Caller) -> Result<(&VaultDefinition, Owner), CallError> {
        let definition = self.vaults.iter().find(|one| *one.name == *vault);
        let definition = definition.ok_or_else(|| Fault::new(format!("looking for the vault {vault}")))?;
        let owner = Owner { vault: definition.name.clone(), subject: subject(caller) };
        // Another system said who they are; whoever signs in here by the same name need not be the same.
        if !caller.presented.is_empty() {
            return Err(self.required(definition, &owner, CredentialLack::SignedInElsewhere));
        }
        Ok((definition, owner))
    }

    async fn record(&self, owner: &Owner) -> Result<Option<CredentialRecord>, CallError> {
        self.parts.store.credential(&owner.vault, &owner.subject).await.map_err(store_fault)
    }

    fn content(&self, definition: &VaultDefinition, record: &CredentialRecord) -> Result<Content, CallError> {
        Content::open(&self.parts.vault, record).map_err(|error| {
            let CredentialRecord { vault, subject, .. } = record;
            tracing::warn!(%error, %vault, %subject, "a teammate's credential cannot be read");
            self.required(definition, &owner_of(record), CredentialLack::Unreadable)
        })
    }

    fn required(&self, definition: &VaultDefinition, owner: &Owner, lack: CredentialLack) -> CallError {
        Refusal::CredentialRequired(Box::new(CredentialRequired {
            vault: owner.vault.clone(),
            title: definition.title.clone(),
            subject: owner.subject.clone(),
            url: format!("{}{CREDENTIALS_PATH}{}", self.public_url, owner.vault),
            lack,
            said: None,
        }))
        .into()
    }

    /// Writes down that the system behind did not accept it, and says so. Nothing else is changed: the
    /// system may refuse one thing and allow another.
    async fn refused(
        &self,
        definition: &VaultDefinition,
        mut record: CredentialRecord,
    ) -> Result<CallError, CallError> {
        let owner = owner_of(&record);
        if record.refused_at.is_none() {
            record.refused_at = Some(self.now());
            let version = record.version.clone();
            self.parts.store.replace_credential(&record, &version).await.map_err(store_fault)?;
        }
        Ok(self.required(definition, &owner, CredentialLack::NotAccepted))
    }

    fn version(&self) -> CredentialVersion {
        CredentialVersion::new(&random_text(&*self.parts.randomness))
    }

    fn in_time(&self, duration: SignedDuration) -> Timestamp {
        self.now().checked_add(duration).unwrap_or(Timestamp::MAX)
    }
}

fn owner_of(record: &CredentialRecord) -> Owner {
    Owner { vault: record.vault.clone(), subject: record.subject.clone() }
}

/// Whoever signs in here is known by a mail address in lower case, however a key of theirs names it.
fn subject(caller: &Caller) -> Arc<str> {
    MailAddress::parse(&caller.subject).map_or_else(|_| caller.subject.clone(), |address| address.to_shared())
}

fn store_fault(error: StoreError) -> CallError {
    Fault::new("looking for a teammate's credential").with_cause(error).into()
}

/// 256 bits in base64url: 43 characters that nobody can foretell.
fn random_text(randomness: &dyn Randomness) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let mut bytes = [0_u8; 32];
    randomness.fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}
