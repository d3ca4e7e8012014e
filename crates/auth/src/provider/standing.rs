//! Whether somebody may still do what they could when they signed in. The provider is asked again when
//! a client of theirs wants new tokens, or their browser comes back: once in a while, by one at a time.

use std::time::Duration;

use async_trait::async_trait;
use bridgehead_core::Secret;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{
    IdentityId, IdentityRecord, NotAdmitted, Provider, Vouched,
    tokens::{AskError, KeptTokens, Tokens},
};
use crate::{
    MailAddress, Sealed, StoreError,
    issuer::{Revoked, RevokedBecause, Standing, Standings},
    keys::to_microsecond,
};

/// For how long the provider is believed without being asked again.
pub const CHECK_EVERY: SignedDuration = SignedDuration::from_mins(5);
/// For how long things go on while the provider does not answer, since it last vouched.
pub const GRACE: SignedDuration = SignedDuration::from_hours(4);
/// For how long somebody is signed in, with all that they allowed, where the provider gives no refresh token
/// by which it could be asked.
pub const WITHOUT_REFRESH: SignedDuration = SignedDuration::from_hours(24);
/// How long whoever asks may take. Nobody else asks meanwhile, also after a failure.
const ASKING: Duration = Duration::from_secs(30);

/// What the provider says now.
enum Said {
    Yes(Vouched),
    No(String),
    Nothing(String),
}

#[async_trait]
impl Standings for Provider {
    async fn standing(&self, subject: &str) -> Result<Standing, StoreError> {
        let Ok(address) = MailAddress::parse(subject) else { return Ok(Standing::SignInAgain) };
        // Whoever allowed something before people signed in there does so anew.
        let found = self.parts.identities.identity_of(self.settings.issuer.as_str(), &address).await?;
        let Some(record) = found else { return Ok(Standing::SignInAgain) };
        if record.refused_at.is_some() {
            return Ok(Standing::Gone);
        }
        let now = to_microsecond(self.parts.clock.now());
        if now < later(record.checked_at, CHECK_EVERY) {
            return Ok(Standing::Good { scopes: record.scopes, until: None });
        }
        match self.kept(&record).and_then(|kept| kept.refresh_token) {
            Some(refresh_token) => self.ask_again(record, &refresh_token, now).await,
            None => Ok(standing_until(record.scopes, later(record.checked_at, WITHOUT_REFRESH), now)
                .unwrap_or(Standing::SignInAgain)),
        }
    }
}

impl Provider {
    async fn ask_again(
        &self,
        record: IdentityRecord,
        refresh_token: &str,
        now: Timestamp,
    ) -> Result<Standing, StoreError> {
        let (id, checked_at) = (&record.id, record.checked_at);
        let meanwhile = |scopes| standing_until(scopes, later(checked_at, GRACE), now).unwrap_or(Standing::Unknown);
        let until = now.saturating_add(ASKING).unwrap_or(Timestamp::MAX);
        if !self.parts.identities.begin_check(id, checked_at, now, until).await? {
            // Somebody else asks, or has just asked; what they hear counts from then on.
            return Ok(meanwhile(record.scopes));
        }
        match self.asked(&record, refresh_token).await {
            Said::Yes(said) => {
                let scopes = said.scopes.clone();
                let still = self.parts.identities.vouched(id, checked_at, said).await?;
                // Where it is not so any more, they signed in meanwhile, or were refused: the next look tells.
                Ok(if still { Standing::Good { scopes, until: None } } else { meanwhile(record.scopes) })
            }
            Said::No(why) => {
                self.cut_off(&record, &why).await?;
                Ok(Standing::Gone)
            }
            Said::Nothing(what) => {
                tracing::warn!(
                    subject = %record.address, what, last_vouched = %checked_at,
                    "the identity provider cannot be asked whether somebody may go on"
                );
                Ok(meanwhile(record.scopes))
            }
        }
    }

    async fn asked(&self, record: &IdentityRecord, refresh_token: &str) -> Said {
        let tokens = match self.renew(refresh_token).await {
            Ok(tokens) => tokens,
            Err(error) => return not_said(error),
        };
        let claims = match self.claims_of(record, &tokens).await {
            Ok(claims) => claims,
            Err(error) => return not_said(error),
        };
        match self.settings.admit(&claims) {
            Ok(admitted) => Said::Yes(Vouched {
                claims: admitted.claims,
                scopes: admitted.scopes,
                tokens: self.sealed(&record.id, &tokens, Some(refresh_token)),
                at: to_microsecond(self.parts.clock.now()),
            }),
            Err(why) => Said::No(NotAdmitted::code(&why).to_owned()),
        }
    }

    /// What the provider says of the same person now: an ID token is not always there (OpenID Connect Core
    /// §12.2), and then the user info says all.
    async fn claims_of(&self, record: &IdentityRecord, tokens: &Tokens) -> Result<Map<String, Value>, AskError> {
        let claims = match &tokens.id_token {
            Some(id_token) => self.id_claims(id_token, None, None).await?,
            None => {
                let known = [("iss", &record.id.issuer), ("sub", &record.id.subject)];
                known.into_iter().map(|(name, value)| (name.to_owned(), Value::from(value.as_str()))).collect()
            }
        };
        if claims.get("sub").and_then(Value::as_str) != Some(&record.id.subject) {
            return Err(AskError::Ours("the new ID token is of somebody else".to_owned()));
        }
        self.with_user_info(claims, tokens).await
    }

    /// The provider refused: sessions, grants and codes end now, whoever asked.
    async fn cut_off(&self, record: &IdentityRecord, why: &str) -> Result<(), StoreError> {
        let at = to_microsecond(self.parts.clock.now());
        if !self.parts.identities.refused(&record.id, record.checked_at, at).await? {
            return Ok(());
        }
        let revoked = Revoked { at, why: RevokedBecause::ProviderRefused };
        let grants = self.parts.issuer.revoke_subject(record.address.as_str(), revoked).await?;
        tracing::warn!(
            target: "audit", event = "provider_refused", subject = %record.address, why, grants,
            "the identity provider does not vouch for somebody any more: their sessions ended, and what they had \
             allowed is revoked"
        );
        Ok(())
    }

    /// Seals what is kept of tokens. A provider that gives no new refresh token means the old one.
    pub(super) fn sealed(&self, id: &IdentityId, tokens: &Tokens, before: Option<&str>) -> Option<Sealed> {
        let text = |secret: &Secret| secret.expose().to_owned();
        let kept = KeptTokens {
            refresh_token: tokens.refresh_token.as_ref().map(text).or_else(|| before.map(str::to_owned)),
            id_token: tokens.id_token.as_ref().map(text),
        };
        let clear = serde_json::to_vec(&kept).ok()?;
        Some(self.vault.seal(&sealed_as(id), &clear, &*self.parts.randomness))
    }

    /// The tokens that are kept of a person; none where the root key that sealed them is not loaded.
    pub(super) fn kept(&self, record: &IdentityRecord) -> Option<KeptTokens> {
        let sealed = record.tokens.as_ref()?;
        match self.vault.open(&sealed_as(&record.id), sealed) {
            Ok(clear) => serde_json::from_slice(&clear).ok(),
            Err(error) => {
                tracing::warn!(subject = %record.address, %error, "the tokens of a person cannot be read");
                None
            }
        }
    }
}

fn sealed_as(id: &IdentityId) -> String {
    format!("tokens of {} {}", id.issuer, id.subject)
}

fn not_said(error: AskError) -> Said {
    match error {
        AskError::Refused(code) => Said::No(code),
        AskError::Ours(what) => Said::Nothing(what),
        AskError::Down(error) => Said::Nothing(error.to_string()),
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// `None` where the time is over.
fn standing_until(scopes: bridgehead_core::ScopeSet, until: Timestamp, now: Timestamp) -> Option<Standing> {
    (now < until).then_some(Standing::Good { scopes, until: Some(until) })
}
