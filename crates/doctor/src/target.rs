//! What is looked at, and with which credential.

use bridgehead_core::Secret;
use http::HeaderName;
use url::Url;

use crate::Profile;

/// What is looked at.
#[derive(Debug, Clone)]
pub struct Target {
    /// The endpoint, as a teammate types it.
    pub url: Url,
    /// As whom.
    pub profile: Profile,
    /// The credential that was given, as the headers it travels in: `authorization` for a key or token. Empty
    /// where none was.
    pub headers: Vec<(HeaderName, Secret)>,
}
