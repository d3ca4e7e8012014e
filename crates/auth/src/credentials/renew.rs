//! Renewing a connection's token: ahead of its end, or when the system behind does not accept it. In
//! one process all calls of a teammate wait for one request; among processes the store says whose turn
//! it is, since a refresh token is often good once. The request runs in a task of its own: a call that
//! is given up in the middle must not lose the new token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bridgehead_core::{CallError, CallerCredential, CredentialLack, Fault, UpstreamCode, UpstreamFailure};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use jiff::{SignedDuration, Timestamp};

use super::{
    CredentialRecord, CredentialVersion, Inner, OAuthVault, Owner, Replacement, UpstreamCredentials, VaultDefinition,
    VaultKind,
    sealed::{Content, Tokens},
    store_fault,
    token::{self, Granted, NotGranted},
};
use crate::LeaseOutcome;

/// How long before its end a token is renewed: this, or a tenth of its life where that is less.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
/// A token that was given so short a time ago is not renewed because it is not accepted: the next one
/// would not be either.
const YOUNG: SignedDuration = SignedDuration::from_secs(60);
/// How long a process may take to renew a token, before another one tries.
const TURN: SignedDuration = SignedDuration::from_secs(30);
/// How often is looked whether another process is done.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

type Flight = Shared<BoxFuture<'static, Result<CallerCredential, CallError>>>;

/// The renewals that are under way in this process.
pub(super) type Flights = Mutex<HashMap<Owner, Flight>>;

/// Why a token is renewed.
#[derive(Debug, Clone)]
pub(super) enum Reason {
    /// It is about to end, or has.
    Due,
    /// The one of this version was not accepted.
    NotAccepted(CredentialVersion),
}

/// Whether a token is about to end, or has.
pub(super) fn is_due(record: &CredentialRecord, now: Timestamp) -> bool {
    record.expires_at.is_some_and(|end| {
        let life = end.duration_since(record.renewed_at);
        end.duration_since(now) <= AHEAD.min(life.checked_div(10).unwrap_or(AHEAD))
    })
}

fn has_ended(record: &CredentialRecord, now: Timestamp) -> bool {
    record.expires_at.is_some_and(|end| end <= now)
}

/// What a look into the store says.
enum Look {
    /// This is good now.
    Good(CallerCredential),
    /// This has to be renewed first.
    Stale(Stale),
}

/// A connection whose token has to be renewed.
struct Stale {
    record: CredentialRecord,
    tokens: Tokens,
}

impl Stale {
    /// Whether it can be used as it is, since it was to be renewed ahead of its end alone.
    fn will_do(&self, reason: &Reason, now: Timestamp) -> bool {
        matches!(reason, Reason::Due) && !has_ended(&self.record, now)
    }

    fn credential(self) -> CallerCredential {
        self.tokens.credential(&self.record)
    }
}

/// A vault that is connected by OAuth.
#[derive(Clone, Copy)]
struct Connected<'a> {
    definition: &'a VaultDefinition,
    oauth: &'a OAuthVault,
}

impl UpstreamCredentials {
    /// The token after a renewal, which may be one that others wait for already. Who began that one may be
    /// content with a token that is to end soon; whoever knows that it is not accepted begins another.
    pub(super) async fn renewed(&self, owner: Owner, reason: Reason) -> Result<CallerCredential, CallError> {
        loop {
            let credential = self.flight(&owner, &reason).await?;
            match &reason {
                // A renewal for this reason never ends with it, so this was somebody else's, and is over.
                Reason::NotAccepted(version) if credential.version() == version.as_str() => {}
                _ => return Ok(credential),
            }
        }
    }

    fn flight(&self, owner: &Owner, reason: &Reason) -> Flight {
        let mut flights = self.0.flights.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(flight) = flights.get(owner) {
            return flight.clone();
        }
        let landing = Landing { inner: self.0.clone(), owner: owner.clone() };
        let reason = reason.clone();
        let task = self.0.running.spawn(async move { landing.inner.renewal(&landing.owner, &reason).await });
        let flight = async move {
            task.await.unwrap_or_else(|error| Err(Fault::new("renewing a connection").with_cause(error).into()))
        };
        let flight = flight.boxed().shared();
        flights.insert(owner.clone(), flight.clone());
        flight
    }
}

/// Takes a flight off the list when it is over, also by a panic.
struct Landing {
    inner: Arc<Inner>,
    owner: Owner,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.inner.flights.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.owner);
    }
}

impl Inner {
    async fn renewal(&self, owner: &Owner, reason: &Reason) -> Result<CallerCredential, CallError> {
        let vault = self.vaults.iter().find(|vault| vault.name == owner.vault);
        let Some(definition) = vault else { return Err(Fault::new("looking for a vault to renew").into()) };
        let VaultKind::OAuth(oauth) = &definition.kind else {
            return Err(self.required(definition, owner, CredentialLack::NotEntered));
        };
        let vault = Connected { definition, oauth };
        let Owner { vault: name, subject } = owner;
        loop {
            let stale = match self.look(vault, owner, reason).await? {
                Look::Good(credential) => return Ok(credential),
                Look::Stale(stale) => stale,
            };
            let (now, until) = (self.now(), self.in_time(TURN));
            match self.parts.store.take_renewal(name, subject, &self.process, now, until).await.map_err(store_fault)? {
                LeaseOutcome::Taken => break,
                // Another process is at it, and there is time.
                LeaseOutcome::Held if stale.will_do(reason, now) => return Ok(stale.credential()),
                LeaseOutcome::Held => self.parts.clock.sleep(LOOK_AGAIN).await,
            }
        }
        let renewed = self.renew(vault, owner, reason).await;
        let ended = self.parts.store.end_renewal(name, subject, &self.process).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the turn to renew a connection was not given back; it ends by itself");
        }
        renewed
    }

    async fn renew(&self, vault: Connected<'_>, owner: &Owner, reason: &Reason) -> Result<CallerCredential, CallError> {
        // Somebody else may have done it while this process waited for its turn.
        let stale = match self.look(vault, owner, reason).await? {
            Look::Good(credential) => return Ok(credential),
            Look::Stale(stale) => stale,
        };
        let Some(refresh) = stale.tokens.refresh.clone() else { return self.no_way_on(vault, stale, reason).await };
        let request = vault.oauth.for_refresh(&refresh);
        match token::ask(&*self.parts.tokens, request, Some(refresh)).await {
            Ok(granted) => self.keep_renewed(vault, owner, stale, granted).await,
            Err(NotGranted::Grant) => {
                let CredentialRecord { vault: name, subject, .. } = &stale.record;
                tracing::warn!(target: "audit", event = "credential_refused", vault = %name, %subject, "a teammate's connection cannot be renewed any more");
                let stale = self.without_refresh(owner, stale).await?;
                self.no_way_on(vault, stale, reason).await
            }
            Err(error) => self.not_now(vault, stale, reason, error),
        }
    }

    /// The credential as it is in the store, and whether it can be used for this call.
    async fn look(&self, vault: Connected<'_>, owner: &Owner, reason: &Reason) -> Result<Look, CallError> {
        let missing = || self.required(vault.definition, owner, CredentialLack::NotEntered);
        let record = self.record(owner).await?.ok_or_else(missing)?;
        let Content::OAuth(tokens) = self.content(vault.definition, &record)? else { return Err(missing()) };
        let now = self.now();
        let is_good = match reason {
            Reason::Due => !is_due(&record, now),
            Reason::NotAccepted(version) if record.version != *version => !has_ended(&record, now),
            Reason::NotAccepted(_) if now.duration_since(record.renewed_at) < YOUNG => {
                return Err(self.refused(vault.definition, record).await?);
            }
            Reason::NotAccepted(_) => false,
        };
        Ok(if is_good { Look::Good(tokens.credential(&record)) } else { Look::Stale(Stale { record, tokens }) })
    }

    async fn keep_renewed(
        &self,
        vault: Connected<'_>,
        owner: &Owner,
        stale: Stale,
        granted: Granted,
    ) -> Result<CallerCredential, CallError> {
        let record = self.made_anew(owner, &stale.record, granted.tokens.clone(), granted.expires_in);
        match self.replaced(&record, &stale.record.version).await? {
            Replacement::Replaced => {
                tracing::debug!(vault = %owner.vault, subject = %owner.subject, "renewed a teammate's connection");
                Ok(granted.tokens.credential(&record))
            }
            // They removed it, or connected anew, while this was under way: theirs counts.
            Replacement::Changed => match self.look(vault, owner, &Reason::Due).await? {
                Look::Good(credential) => Ok(credential),
                Look::Stale(_) => Err(later(vault.definition, "it was connected anew just now")),
            },
        }
    }

    /// A refresh token that was refused is not tried again.
    async fn without_refresh(&self, owner: &Owner, stale: Stale) -> Result<Stale, CallError> {
        let tokens = Tokens { refresh: None, ..stale.tokens };
        let record = CredentialRecord {
            sealed: Content::OAuth(tokens.clone()).seal(&self.parts.vault, owner, &*self.parts.randomness),
            refused_at: Some(self.now()),
            ..stale.record
        };
        self.replaced(&record, &record.version).await?;
        Ok(Stale { record, tokens })
    }

    async fn replaced(&self, record: &CredentialRecord, version: &CredentialVersion) -> Result<Replacement, CallError> {
        self.parts.store.replace_credential(record, version).await.map_err(store_fault)
    }

    fn made_anew(
        &self,
        owner: &Owner,
        old: &CredentialRecord,
        tokens: Tokens,
        expires_in: Option<i64>,
    ) -> CredentialRecord {
        CredentialRecord {
            sealed: Content::OAuth(tokens).seal(&self.parts.vault, owner, &*self.parts.randomness),
            version: self.version(),
            renewed_at: self.now(),
            expires_at: expires_in.map(|seconds| self.in_time(SignedDuration::from_secs(seconds))),
            refused_at: None,
            ..old.clone()
        }
    }

    /// There is nothing to renew it with: it is good until its end, and then the teammate's to mend.
    async fn no_way_on(
        &self,
        vault: Connected<'_>,
        stale: Stale,
        reason: &Reason,
    ) -> Result<CallerCredential, CallError> {
        if stale.will_do(reason, self.now()) {
            return Ok(stale.credential());
        }
        Err(self.refused(vault.definition, stale.record).await?)
    }

    /// It could not be renewed just now: it is good until its end.
    fn not_now(
        &self,
        vault: Connected<'_>,
        stale: Stale,
        reason: &Reason,
        error: NotGranted,
    ) -> Result<CallerCredential, CallError> {
        let failure = match error {
            NotGranted::Down(down) => {
                let what = format!("its authorization server does not answer ({down})");
                later_because(vault.definition, &what, Some(down))
            }
            NotGranted::Client { error } => {
                let title = &vault.definition.title;
                UpstreamFailure::new(
                    UpstreamCode::Unauthorized,
                    format!(
                        "Your connection to {title} cannot be renewed: its authorization server does not accept this \
                         server as a client ({error}); nothing was sent. Tell the operator of this server."
                    ),
                )
            }
            NotGranted::Grant | NotGranted::Unreadable => later_because(
                vault.definition,
                "its authorization server answered in a form that OAuth does not know",
                None,
            ),
        };
        let CredentialRecord { vault: name, subject, .. } = &stale.record;
        tracing::warn!(vault = %name, %subject, error = %failure, "a teammate's connection was not renewed");
        if stale.will_do(reason, self.now()) { Ok(stale.credential()) } else { Err(failure.into()) }
    }
}

fn later(definition: &VaultDefinition, what: &str) -> CallError {
    later_because(definition, what, None).into()
}

fn later_because(definition: &VaultDefinition, what: &str, cause: Option<token::TokenEndpointDown>) -> UpstreamFailure {
    let title = &definition.title;
    let message =
        format!("Your connection to {title} could not be renewed: {what}; nothing was sent. Try again later.");
    let failure = UpstreamFailure::new(UpstreamCode::Unavailable, message);
    match cause {
        Some(cause) => failure.with_cause(cause),
        None => failure,
    }
}
