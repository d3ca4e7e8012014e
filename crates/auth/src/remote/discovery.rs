//! Reads an issuer's metadata from where the standards put it: RFC 8414 §3.1 before the path, OpenID
//! Connect Discovery §4 behind it, and, as some do, its name before the path.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_core::{FetchBounds, Fetched};
use serde_json::{Map, Value};

use super::{Exchange, IssuerUrl, ProviderMetadata, RemoteError, RemoteRequest, RemoteUrl, held::Source};
use crate::fetched::max_age;

/// How long and how much a document of an issuer may be.
pub(super) const BOUNDS: FetchBounds = FetchBounds { timeout: Duration::from_secs(5), max_bytes: 256 * 1024 };

const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

/// Which document is asked for first, where an issuer has both: they may say different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstDocument {
    /// The one of RFC 8414: for a resource server.
    AuthorizationServer,
    /// The one of OpenID Connect: for signing people in.
    OpenId,
}

pub(super) struct Discovery {
    issuer: IssuerUrl,
    first: FirstDocument,
    exchange: Arc<dyn Exchange>,
}

impl Discovery {
    pub(super) const fn new(issuer: IssuerUrl, first: FirstDocument, exchange: Arc<dyn Exchange>) -> Self {
        Self { issuer, first, exchange }
    }

    /// Where the document may be, in the order in which it is asked for.
    fn places(&self) -> Vec<RemoteUrl> {
        let authorization_server = self.issuer.with_inserted(AUTHORIZATION_SERVER);
        let openid = [self.issuer.with_appended(OPENID), self.issuer.with_inserted(OPENID)];
        let mut places: Vec<_> = match self.first {
            FirstDocument::AuthorizationServer => std::iter::once(authorization_server).chain(openid).collect(),
            FirstDocument::OpenId => openid.into_iter().chain([authorization_server]).collect(),
        };
        // Without a path, before and behind it are the same.
        places.dedup();
        places
    }

    async fn read(&self, url: &RemoteUrl) -> Result<(ProviderMetadata, Option<Duration>), RemoteError> {
        let (document, said) = fetch_json(&*self.exchange, url, "metadata (a JSON object)").await?;
        let found = document.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if found != self.issuer.as_str() {
            return Err(RemoteError::OtherIssuer {
                url: url.to_string(),
                expected: self.issuer.to_string(),
                found: found.to_owned(),
            });
        }
        let metadata = ProviderMetadata::read(&self.issuer, &document);
        let metadata = metadata.map_err(|fault| RemoteError::Metadata { url: url.to_string(), fault })?;
        Ok((metadata, said))
    }
}

#[async_trait]
impl Source for Discovery {
    type Document = ProviderMetadata;

    /// The first place that has it. Where none has, the one is told that came nearest: something that is
    /// there and wrong, before something that is not there.
    async fn fetch(&self) -> Result<(ProviderMetadata, Option<Duration>), RemoteError> {
        let mut nearest = None;
        for url in self.places() {
            match self.read(&url).await {
                Ok(read) => return Ok(read),
                // All places are at one host: what does not answer here does not answer there.
                Err(error @ RemoteError::Fetch { .. }) => return Err(error),
                Err(error) => {
                    let told_before = matches!(error, RemoteError::Status { .. } | RemoteError::NotA { .. });
                    if nearest.is_none() || !told_before {
                        nearest = Some(error);
                    }
                }
            }
        }
        // There is always a place.
        Err(nearest.unwrap_or_else(|| RemoteError::Lacks { issuer: self.issuer.to_string(), member: "metadata" }))
    }
}

/// A JSON object at a URL, and how long it says that it may be kept.
pub(super) async fn fetch_json(
    exchange: &dyn Exchange,
    url: &RemoteUrl,
    expected: &'static str,
) -> Result<(Map<String, Value>, Option<Duration>), RemoteError> {
    let fetched = exchange.send(RemoteRequest::get(url.clone(), BOUNDS)).await;
    let fetched = fetched.map_err(|error| RemoteError::Fetch { url: url.to_string(), error })?;
    let object = object(&fetched, url, expected)?;
    Ok((object, fetched.cache_control.as_deref().and_then(max_age)))
}

/// The JSON object that was answered. Its content type is not asked for: some key sets have one of
/// their own.
pub(super) fn object(
    fetched: &Fetched,
    url: &RemoteUrl,
    expected: &'static str,
) -> Result<Map<String, Value>, RemoteError> {
    if fetched.status != 200 {
        return Err(RemoteError::Status { url: url.to_string(), status: fetched.status });
    }
    serde_json::from_slice(&fetched.body).map_err(|_| RemoteError::NotA { url: url.to_string(), expected })
}
