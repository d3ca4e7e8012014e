//! Asking the system behind whether a credential is good, and whose it is. How it is asked (which
//! request, over which connection) is not known here: that is the [`Probe`] it is asked through.

mod remembered;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::Presented;

use crate::{Fingerprint, error::Cause, keys};

pub use remembered::{Remembered, RememberedFor};

/// What the system behind said of a credential that it accepts: whose it is, or only that it is
/// good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeAnswer {
    subject: Option<Arc<str>>,
}

impl ProbeAnswer {
    /// The credential is good, and nothing is said of whose it is.
    #[must_use]
    pub const fn good() -> Self {
        Self { subject: None }
    }

    /// The credential is good, and this is whose it is, as the system behind calls them: usually a
    /// mail address.
    ///
    /// # Errors
    /// [`ProbeFailure::Unusable`]: it is not 1 to 255 characters without control characters, or
    /// has the form of a name that is given here.
    pub fn named(subject: &str) -> Result<Self, ProbeFailure> {
        let unusable = |what: String| ProbeFailure::Unusable { what };
        let subject = keys::subject(subject).ok_or_else(|| {
            unusable(format!("what it calls the caller is not 1 to {} printable characters", keys::LONGEST_SUBJECT))
        })?;
        if Fingerprint::is_subject(subject) {
            return Err(unusable("what it calls the caller has the form of a name that is given here".to_owned()));
        }
        Ok(Self { subject: Some(subject.into()) })
    }

    /// Whose it is.
    #[must_use]
    pub const fn subject(&self) -> Option<&Arc<str>> {
        self.subject.as_ref()
    }
}

/// Why there is no such answer. What stands in `what` is for the operator, and holds nothing of
/// the credential.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProbeFailure {
    /// The system behind does not accept the credential (HTTP 401, 403).
    #[error("the system behind does not accept it")]
    Refused,
    /// It cannot be asked: unreachable, too slow, too busy, broken. The same probe may succeed
    /// later.
    #[error("the system behind cannot be asked: {what}")]
    Unavailable {
        /// What is wrong.
        what: String,
        /// What lies behind.
        #[source]
        cause: Option<Cause>,
    },
    /// It answered, and the answer names nobody: the probe does not fit the system. No retry will
    /// help.
    #[error("the answer of the system behind cannot be used: {what}")]
    Unusable {
        /// What is wrong and how to mend it.
        what: String,
    },
}

/// Asks the system behind about a credential.
#[async_trait]
pub trait Probe: Send + Sync + 'static {
    /// Asks whether what a caller handed over is good, and whose it is. Ends in a time of its
    /// own: nobody puts an end to it from outside.
    ///
    /// # Errors
    /// [`ProbeFailure`].
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure>;
}

#[async_trait]
impl<P: Probe + ?Sized> Probe for Arc<P> {
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        (**self).probe(presented).await
    }
}
