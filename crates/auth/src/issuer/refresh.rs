//! Refresh tokens (RFC 6749 §6, RFC 9700 §4.14): each use makes a successor. The successor is derived
//! from the token that is shown, so that two backends of one platform that race each other get the
//! same one, from any replica, though only hashes are stored.
//!
//! A token is 128 bits and a proof of 56 bits that they were made here. By the proof one that was
//! rotated away long ago is told from one that somebody made up, without remembering them all: the
//! first revokes its family, the second is merely unknown.

use bridgehead_core::ScopeSet;

use super::{
    ClientRecord, GrantFault, GrantId, GrantRecord, Issuer, RefreshState, RevokedBecause, Rotated, Rotation,
    TokenAnswer, TokenError, authorize::with_implied, form::Form, token::answer,
};
use crate::{SecretKind, SecretText, StoreError, secrets::IssuerKey, text};

/// How often a lost race is looked at again.
const ATTEMPTS: usize = 4;

const SUCCESSOR: &[u8] = b"refresh-token/successor/v1";
const PROOF: &[u8] = b"refresh-token/proof/v1";
const CORE_BYTES: usize = 16;
const PROOF_BYTES: usize = 7;
/// Core and proof are shorter than what a text holds, so they can be read back from it.
const PAD_BYTES: usize = 32 - CORE_BYTES - PROOF_BYTES;

/// What was shown is of its family's making, at one of these places.
enum Place {
    Current,
    Previous,
    Older,
}

impl Issuer {
    pub(super) async fn refresh(&self, client: &ClientRecord, form: Form<'_>) -> Result<TokenAnswer, TokenError> {
        if !client.metadata.may_refresh() {
            return Err(TokenError::NotForThisClient);
        }
        let shown = form.require("refresh_token")?;
        let shown = SecretText::parse(SecretKind::RefreshToken, shown).map_err(|_| GrantFault::Unknown)?;
        for _ in 0..ATTEMPTS {
            if let Some(answer) = self.refresh_once(client, form, &shown).await? {
                return Ok(answer);
            }
        }
        Err(GrantFault::Unknown.into())
    }

    /// `None` where somebody else was quicker: then everything has to be looked at anew.
    async fn refresh_once(
        &self,
        client: &ClientRecord,
        form: Form<'_>,
        shown: &SecretText,
    ) -> Result<Option<TokenAnswer>, TokenError> {
        let (grant, state, place) = self.family(client, shown).await?;
        if let Some(revoked) = grant.revoked {
            return Err(GrantFault::Revoked(revoked.why).into());
        }
        let now = self.now();
        let race = now.duration_since(grant.refreshed_at).unsigned_abs() <= self.settings.lifetimes.refresh_race;
        match place {
            Place::Previous if race => {}
            Place::Previous | Place::Older => return Err(self.reused(&grant).await?.into()),
            Place::Current => {}
        }
        if grant.expires_at <= now {
            return Err(GrantFault::Expired.into());
        }
        self.check_resource(form, &grant.endpoint, &grant.resource)?;
        let reach = self.reach(&grant).await?;
        let scopes = reach.narrow(narrowed(form.get("scope")?, &grant.scopes, &self.supported_scopes())?)?;
        let (access_token, access) = self.access(&grant, &scopes, reach.until);
        let (successor, rotated) = match place {
            Place::Current => {
                let generation = state.generation.saturating_add(1);
                let key = self.keys.first();
                let successor = successor(key, &grant.id, generation, shown).ok_or(GrantFault::Unknown)?;
                let to = RefreshState {
                    generation,
                    current: self.stored(&successor),
                    issuer_key: key.version().clone(),
                    previous: Some(state.current),
                };
                let expires_at = super::later(now, self.settings.lifetimes.refresh_token).min(grant.ends_at);
                let rotation = Rotation {
                    grant: grant.id.clone(),
                    from_generation: state.generation,
                    to,
                    refreshed_at: now,
                    expires_at,
                };
                (successor, self.store.rotate(rotation, access.clone()).await?)
            }
            Place::Previous | Place::Older => {
                let key = self.keys.named(&state.issuer_key).ok_or(GrantFault::NoKey)?;
                let successor = successor(key, &grant.id, state.generation, shown).ok_or(GrantFault::Unknown)?;
                (successor, self.store.insert_access(access.clone(), state.generation).await?)
            }
        };
        Ok(match rotated {
            Rotated::Rotated => Some(answer(access_token, &access, Some(successor), &grant)),
            Rotated::Lost => None,
        })
    }

    /// The family of a token, and the token's place in it.
    async fn family(
        &self,
        client: &ClientRecord,
        shown: &SecretText,
    ) -> Result<(GrantRecord, RefreshState, Place), TokenError> {
        let id = GrantId::parse(shown.id()).ok_or(GrantFault::Unknown)?;
        let grant = self.store.find_grant(&id).await?.ok_or(GrantFault::Unknown)?;
        let state = grant.refresh.clone().ok_or(GrantFault::Unknown)?;
        let place = self.place(&id, &state, shown).ok_or(GrantFault::Unknown)?;
        if grant.client != client.id { Err(GrantFault::OtherClient.into()) } else { Ok((grant, state, place)) }
    }

    fn place(&self, id: &GrantId, state: &RefreshState, shown: &SecretText) -> Option<Place> {
        if self.is_stored(shown, &state.current) {
            return Some(Place::Current);
        }
        if state.previous.as_ref().is_some_and(|previous| self.is_stored(shown, previous)) {
            return Some(Place::Previous);
        }
        self.keys.iter().any(|key| is_proven(key, id, shown)).then_some(Place::Older)
    }

    /// Whether a refresh token is of this grant, whatever its place: for its revocation.
    pub(super) fn is_refresh_token_of(&self, grant: &GrantRecord, shown: &SecretText) -> bool {
        grant.refresh.as_ref().is_some_and(|state| self.place(&grant.id, state, shown).is_some())
    }

    /// Whether a refresh token is one that is good for another rotation, by its place alone.
    pub(super) fn is_current(&self, grant: &GrantRecord, shown: &SecretText) -> bool {
        grant.refresh.as_ref().is_some_and(|state| self.is_stored(shown, &state.current))
    }

    /// A refresh token that was rotated away is shown: by a thief, or by the one who was robbed.
    async fn reused(&self, grant: &GrantRecord) -> Result<GrantFault, StoreError> {
        self.store.revoke_grant(&grant.id, self.revoked(RevokedBecause::RefreshReused)).await?;
        tracing::warn!(
            target: "audit", event = "refresh_reused", client = %grant.client, subject = %grant.subject, grant = %grant.id,
            "a refresh token was used after its successor; its grant is revoked"
        );
        Ok(GrantFault::RefreshReused { grant: grant.id.clone() })
    }

    /// The first refresh token of a grant, which nobody can foretell.
    pub(super) fn first_refresh(&self, id: &GrantId) -> Option<(SecretText, RefreshState)> {
        let mut core = [0; CORE_BYTES];
        self.randomness.fill(&mut core);
        let key = self.keys.first();
        let text = put_together(key, id, &core)?;
        let current = self.stored(&text);
        let state = RefreshState { generation: 0, current, issuer_key: key.version().clone(), previous: None };
        Some((text, state))
    }
}

/// `HMAC-SHA256(issuer key, family id ‖ generation ‖ presented token)`, with the lengths before them.
fn successor(key: &IssuerKey, id: &GrantId, generation: u32, shown: &SecretText) -> Option<SecretText> {
    let parts = [SUCCESSOR, id.as_str().as_bytes(), &generation.to_be_bytes(), shown.secret().expose().as_bytes()];
    let mac = key.mac(&parts);
    put_together(key, id, mac.first_chunk::<CORE_BYTES>()?)
}

fn put_together(key: &IssuerKey, id: &GrantId, core: &[u8; CORE_BYTES]) -> Option<SecretText> {
    let (mut bytes, proof) = ([0; 32], proof(key, id, core));
    for (byte, part) in bytes.iter_mut().skip(PAD_BYTES).zip(core.iter().chain(&proof)) {
        *byte = *part;
    }
    SecretText::derived(SecretKind::RefreshToken, id.as_str(), &bytes)
}

fn proof(key: &IssuerKey, id: &GrantId, core: &[u8]) -> [u8; PROOF_BYTES] {
    let mac = key.mac(&[PROOF, id.as_str().as_bytes(), core]);
    mac.first_chunk().copied().unwrap_or_default()
}

/// Whether this issuer made a token, now or some time ago.
fn is_proven(key: &IssuerKey, id: &GrantId, shown: &SecretText) -> bool {
    let Some(bytes) = text::underived(shown) else { return false };
    let Some((pad, rest)) = bytes.split_at_checked(PAD_BYTES) else { return false };
    let Some((core, shown_proof)) = rest.split_at_checked(CORE_BYTES) else { return false };
    let made: bool = subtle::ConstantTimeEq::ct_eq(shown_proof, proof(key, id, core).as_slice()).into();
    made && pad.iter().all(|byte| *byte == 0)
}

/// What a refresh asks for (RFC 6749 §6): all that was allowed where it names nothing that is known
/// here; never more.
fn narrowed(scope: Option<&str>, allowed: &ScopeSet, known: &ScopeSet) -> Result<ScopeSet, TokenError> {
    let mut asked = ScopeSet::default();
    let tokens = scope.unwrap_or_default().split_ascii_whitespace();
    for token in tokens.filter(|token| known.grants(token) || allowed.grants(token)) {
        if !allowed.grants(token) {
            return Err(TokenError::Scope { allowed: allowed.clone() });
        }
        // One that is allowed is a scope.
        let _ = asked.insert(token);
    }
    Ok(with_implied(if asked.is_empty() { allowed.clone() } else { asked }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IssuerKeys, RootKeys, testing::Seeded};

    fn keys(seed: u64) -> IssuerKeys {
        IssuerKeys::derive(&RootKeys::generate(&Seeded::new(seed)))
    }

    #[test]
    fn a_scope_narrows_and_never_widens() {
        let set = |text: &str| ScopeSet::parse(text).unwrap();
        let known = set("tools:read tools:write");
        let rows = [
            (None, "tools:read tools:write", Some("tools:read tools:write")),
            (Some("tools:read"), "tools:read tools:write", Some("tools:read")),
            (Some("tools:write"), "tools:read tools:write", Some("tools:read tools:write")),
            (Some("tools:read offline_access openid"), "tools:read tools:write", Some("tools:read")),
            (Some("offline_access"), "tools:read", Some("tools:read")),
            (Some("tools:write"), "tools:read", None),
            (Some("tools:read tools:write"), "tools:read", None),
        ];
        for (scope, allowed, expected) in rows {
            let narrowed = narrowed(scope, &set(allowed), &known);
            assert_eq!(narrowed.ok().map(|scopes| scopes.to_string()).as_deref(), expected, "{scope:?} of {allowed}");
        }
    }

    #[test]
    fn every_replica_derives_the_same_successor() {
        let id = GrantId::parse("0123456789AB").unwrap();
        let (one, other, stranger) = (keys(1), keys(1), keys(2));
        let token = put_together(one.first(), &id, &[7; 16]).unwrap();
        let text = |keys: &IssuerKeys, generation| {
            successor(keys.first(), &id, generation, &token).unwrap().secret().expose().to_owned()
        };
        assert_eq!(text(&one, 1), text(&other, 1));
        assert_ne!(text(&one, 1), text(&one, 2));
        assert_ne!(text(&one, 1), text(&stranger, 1));
        let next = put_together(one.first(), &id, &[8; 16]).unwrap();
        assert_ne!(text(&one, 1), successor(one.first(), &id, 1, &next).unwrap().secret().expose());
    }

    /// Replicas of different releases have to come to the same tokens.
    #[test]
    fn what_is_derived_does_not_change() {
        let roots = RootKeys::parse("test", "bhs_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8").unwrap();
        let (keys, id) = (IssuerKeys::derive(&roots), GrantId::parse("0123456789AB").unwrap());
        let first = put_together(keys.first(), &id, &[7; 16]).unwrap();
        let second = successor(keys.first(), &id, 1, &first).unwrap();
        let texts = [&first, &second].map(|token| token.secret().expose());
        assert_eq!(
            texts,
            [
                "bhr_0123456789AB_018aKGcuY8kboGcKhnirxjlelql66YhN1q9FZv",
                "bhr_0123456789AB_0WnUxxIiXrEmZlesYgzcko3FYOZjC3lx3oGNlL"
            ]
        );
    }

    #[test]
    fn a_token_proves_that_it_was_made_here_for_this_family() {
        let (id, other) = (GrantId::parse("0123456789AB").unwrap(), GrantId::parse("0123456789AC").unwrap());
        let keys = keys(1);
        let key = keys.first();
        for seed in 0..200_u8 {
            let token = put_together(key, &id, &[seed; 16]).unwrap();
            assert!(is_proven(key, &id, &token), "{seed}");
            assert!(!is_proven(self::keys(2).first(), &id, &token));
            let moved =
                SecretText::derived(SecretKind::RefreshToken, other.as_str(), &text::underived(&token).unwrap());
            assert!(!is_proven(key, &other, &moved.unwrap()));
            let made_up = SecretText::generate(SecretKind::RefreshToken, &Seeded::new(seed.into()));
            assert!(!is_proven(key, &id, &made_up));
        }
    }
}
