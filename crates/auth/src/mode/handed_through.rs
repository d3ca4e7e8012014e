//! What the modes with `verify = "upstream"` share: a credential that is not ours, the name of
//! the one who presents it, and the list of those who are cut off. It judges nothing itself:
//! where there is no probe, the system behind does when it is called.

use std::{fmt, sync::Arc};

use bridgehead_core::{Caller, Claims, Presented, ScopeSet, Secret, SignIn};

use crate::{Denied, Fingerprint, Fingerprints, Probe, ProbeFailure, SubjectBlocks, keys::holds_own_secret};

/// Names callers by the credentials that they bring for the system behind.
#[derive(Clone)]
pub struct HandedThrough {
    fingerprints: Fingerprints,
    blocks: SubjectBlocks,
    probe: Option<Arc<dyn Probe>>,
    scopes: ScopeSet,
}

impl fmt::Debug for HandedThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandedThrough").field("probe", &self.probe.is_some()).finish_non_exhaustive()
    }
}

impl HandedThrough {
    /// Callers are named by `probe`, else by a fingerprint. Each gets the scopes `tools:read` and
    /// `tools:write`: what they may do is for the system behind to say.
    #[must_use]
    pub fn new(fingerprints: Fingerprints, blocks: SubjectBlocks, probe: Option<Arc<dyn Probe>>) -> Self {
        Self { fingerprints, blocks, probe, scopes: ScopeSet::read_and_write() }
    }

    /// The caller who brings `presented`. `identity` is the part of it that makes them who they
    /// are: names and values, in an order that is always the same.
    pub(super) async fn caller<'h>(
        &self,
        identity: impl IntoIterator<Item = (&'h str, &'h Secret)> + Send,
        presented: Presented,
        sign_in: SignIn,
    ) -> Result<Caller, Denied> {
        if presented.iter().any(|(_, value)| holds_own_secret(value.expose())) {
            return Err(Denied::OwnKey);
        }
        // Whoever is cut off by a fingerprint stays so when a probe is configured, or a new root
        // key is put in front; and the system behind is not asked about them.
        let fingerprints = self.fingerprints.all_of(identity);
        for fingerprint in &fingerprints {
            self.blocks.check(&fingerprint.subject()).await?;
        }
        let named = match &self.probe {
            Some(probe) => probe.probe(&presented).await?.subject().cloned(),
            None => None,
        };
        let subject = match (named, fingerprints.first()) {
            (Some(subject), _) => {
                self.blocks.check(&subject).await?;
                subject
            }
            (None, Some(fingerprint)) => Fingerprint::subject(fingerprint),
            // There is one for each root key, and always a root key.
            (None, None) => return Err(Denied::Missing),
        };
        Ok(Caller { subject, scopes: self.scopes.clone(), sign_in, presented, claims: Claims::default() })
    }
}

impl From<ProbeFailure> for Denied {
    fn from(failure: ProbeFailure) -> Self {
        match failure {
            ProbeFailure::Refused => Self::Refused,
            ProbeFailure::Unavailable { .. } | ProbeFailure::Unusable { .. } => Self::JudgeUnavailable(failure),
        }
    }
}
