//! An authorization server or identity provider that is not ours and that the operator named
//! ([`RemoteIssuer`]): its metadata, its keys, and whether a token is of its making. What a token
//! lets anybody do is not asked here, and nobody is sent there from here.
//!
//! It may be down when the server starts, and later: what was read once outlives that for a day, and
//! what was never read is asked for again, a few seconds apart, by whoever needs it.

mod address;
mod credentials;
mod discovery;
mod exchange;
mod held;
mod introspection;
mod keys;
mod metadata;
mod token;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use bridgehead_core::{Clock, FetchError};

pub use address::{IssuerUrl, IssuerUrlError, RemoteUrl};
pub use credentials::{ClientCredentials, NoWayToAuthenticate};
pub use discovery::FirstDocument;
pub use exchange::{Exchange, Form, RemoteRequest};
pub use introspection::Introspector;
pub use metadata::{MetadataFault, ProviderMetadata};
pub use token::{Expected, TokenError, TokenFault, TokenKind, VerifiedToken};

use discovery::Discovery;
use held::{Held, Lifetime};
use keys::{KeySet, KeySetSource};

use crate::jwt;

/// What a remote issuer is asked through.
#[derive(Clone)]
pub struct RemoteParts {
    /// The way there.
    pub exchange: Arc<dyn Exchange>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// Why something of a remote issuer cannot be had; for the log and the operator's pages, and nothing
/// in it is secret.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RemoteError {
    /// No answer, or none that may be read.
    #[error("{url}: {error}")]
    Fetch {
        /// What was asked.
        url: String,
        /// What happened.
        #[source]
        error: FetchError,
    },
    /// Another answer than 200.
    #[error("{url} answered {status}")]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// Something else than the JSON object that belongs there.
    #[error("{url} answered something that is not {expected}")]
    NotA {
        /// What was asked.
        url: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// Metadata of another issuer (RFC 8414 §3.3).
    #[error("the metadata at {url} is of the issuer `{found}`, not of `{expected}`: write the issuer exactly so")]
    OtherIssuer {
        /// What was asked.
        url: String,
        /// The issuer that the operator named.
        expected: String,
        /// The one that it names.
        found: String,
    },
    /// Metadata with something wrong in it.
    #[error("the metadata at {url}: {fault}")]
    Metadata {
        /// What was asked.
        url: String,
        /// What is wrong.
        fault: MetadataFault,
    },
    /// Metadata without what is needed.
    #[error("the metadata of {issuer} names no {member}")]
    Lacks {
        /// The issuer.
        issuer: String,
        /// The member that is not there.
        member: &'static str,
    },
    /// It is there, and does not take us for who we are.
    #[error("{url} does not accept the client id and the secret that stand in the configuration ({status})")]
    NotAuthenticated {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// It is there, and none of its ways to authenticate is known here.
    #[error("{url}: {error}")]
    Authentication {
        /// What was asked.
        url: String,
        /// What it wants.
        error: NoWayToAuthenticate,
    },
}

/// An authorization server or identity provider that the operator named. Cheap to clone; clones share
/// what was read.
#[derive(Clone)]
pub struct RemoteIssuer {
    url: IssuerUrl,
    parts: RemoteParts,
    metadata: Arc<Held<ProviderMetadata>>,
    keys: Arc<Held<KeySet>>,
}

impl fmt::Debug for RemoteIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RemoteIssuer").field(&self.url.as_str()).finish()
    }
}

impl RemoteIssuer {
    /// The issuer of that URL. Nothing is asked yet.
    #[must_use]
    pub fn new(url: IssuerUrl, first: FirstDocument, parts: RemoteParts) -> Self {
        jwt::install();
        let discovery = Discovery::new(url.clone(), first, parts.exchange.clone());
        let metadata = Arc::new(Held::new(discovery, Lifetime::OF_METADATA, parts.clock.clone()));
        let source = KeySetSource::new(metadata.clone(), parts.exchange.clone());
        let keys = Arc::new(Held::new(source, Lifetime::OF_KEYS, parts.clock.clone()));
        Self { url, parts, metadata, keys }
    }

    /// The issuer identifier, as the operator wrote it.
    #[must_use]
    pub const fn url(&self) -> &IssuerUrl {
        &self.url
    }

    /// Its metadata: a copy that is fresh, or is all that can be had.
    ///
    /// # Errors
    /// [`RemoteError`]; it was asked within the last seconds, or just now.
    pub async fn metadata(&self) -> Result<Arc<ProviderMetadata>, RemoteError> {
        self.metadata.get().await
    }

    /// Its metadata as far as it was read; nobody is asked.
    #[must_use]
    pub fn known_metadata(&self) -> Option<Arc<ProviderMetadata>> {
        self.metadata.known()
    }

    /// Checks a JWT: that this issuer signed it, for us, for now, and as what it is presented as.
    ///
    /// # Errors
    /// [`TokenError`].
    pub async fn verify(&self, jwt: &str, expected: &Expected) -> Result<VerifiedToken, TokenError> {
        let presented = token::read(jwt, &self.url, expected)?;
        let set = self.keys.get().await?;
        let verified = match presented.signed_by(&set) {
            Err(fault) if fault.may_be_a_new_key(&presented) => {
                let newer = self.keys.newer_than(&set).await?;
                presented.signed_by(&newer)
            }
            other => other,
        };
        Ok(token::check(verified?, &self.url, expected, self.parts.clock.now())?)
    }

    /// Sends a request of one's own there: to the token endpoint, say.
    ///
    /// # Errors
    /// [`RemoteError::Fetch`]; another status than 200 is none.
    pub async fn send(&self, request: RemoteRequest) -> Result<bridgehead_core::Fetched, RemoteError> {
        let url = request.url.to_string();
        self.parts.exchange.send(request).await.map_err(|error| RemoteError::Fetch { url, error })
    }
}
