//! Clients that are named by the URL of their metadata document (draft-ietf-oauth-client-id-metadata-
//! document). A copy that was checked is kept in the store, so that it outlives a restart and a host
//! that is down for a while; a failure is never kept.

use std::{net::IpAddr, time::Duration};

use bridgehead_core::{FetchBounds, FetchError};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use url::Url;

use super::{
    Admission, AuthMethod, ClientId, ClientKind, ClientMetadata, ClientRecord, DocumentCopy, Issuer, MetadataError,
    RegistrationPolicy, Room,
    client_metadata::{self, is_fetchable},
};
use crate::{
    StoreError,
    fetched::{is_json, max_age},
};

/// The draft's own bound.
const MOST_BYTES: usize = 5 * 1024;
const TIMEOUT: Duration = Duration::from_secs(4);
/// How long a copy is used at least and at most, and where the document does not say.
const SHORTEST: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const USUAL: Duration = Duration::from_secs(60 * 60);
/// How long a copy may be used when no newer one can be had.
const STALE_FOR: SignedDuration = SignedDuration::from_hours(7 * 24);

/// Why a metadata document is of no use.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentError {
    /// Clients may not introduce themselves here.
    #[error("this server knows only clients that its operator registered")]
    Closed,
    /// The URL is not one that can name a client.
    #[error("the client_id has to be an https URL with a path, written as a URL reader would write it")]
    Url,
    /// It cannot be fetched.
    #[error("the metadata document of the client cannot be had: {0}")]
    Fetch(FetchError),
    /// It is not there.
    #[error("the metadata document of the client is not there: its host answered {0}")]
    Status(u16),
    /// It is something else.
    #[error("the metadata document of the client is not JSON")]
    NotJson,
    /// It is another client's.
    #[error("the metadata document has another client_id than its own URL")]
    OtherClient,
    /// It holds a secret, or asks for a way of proving itself that needs one.
    #[error(
        "a client with a metadata document cannot have a secret: its token_endpoint_auth_method is none or private_key_jwt"
    )]
    Secret,
    /// What it says is refused.
    #[error("the metadata document is refused: {0}")]
    Metadata(#[from] MetadataError),
    /// Too many documents were asked for.
    #[error("too many documents were fetched for this address. Try again later")]
    TooMany {
        /// How long to wait.
        wait: Duration,
    },
    /// There is no room for another client.
    #[error("this server knows as many clients as it may, and all of them are in use")]
    Full,
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Issuer {
    /// The client whose document is at this URL, and which may be kept here.
    pub(crate) async fn document_client(
        &self,
        id: &ClientId,
        kept: Option<ClientRecord>,
        from: IpAddr,
    ) -> Result<ClientRecord, DocumentError> {
        if self.settings.registration == RegistrationPolicy::Closed {
            return Err(DocumentError::Closed);
        }
        if !names_a_document(id.as_str()) {
            return Err(DocumentError::Url);
        }
        let now = self.now();
        let copy = kept.as_ref().and_then(|client| client.document);
        match kept {
            Some(client) if client.revoked_at.is_some() || copy.is_some_and(|copy| copy.fresh_until > now) => {
                Ok(client)
            }
            kept => match self.fetch_document(id, from).await {
                Ok((metadata, lifetime)) => self.keep_document(id, kept, metadata, lifetime).await,
                Err(error @ DocumentError::Store(_)) => Err(error),
                Err(error) => {
                    let usable = |copy: DocumentCopy| now.duration_since(copy.fresh_until) < STALE_FOR;
                    match kept.filter(|_| copy.is_some_and(usable)) {
                        Some(client) => {
                            tracing::warn!(client = %id, %error, "an older copy of a client's metadata document is used");
                            Ok(client)
                        }
                        None => Err(error),
                    }
                }
            },
        }
    }

    async fn keep_document(
        &self,
        id: &ClientId,
        kept: Option<ClientRecord>,
        metadata: ClientMetadata,
        lifetime: Duration,
    ) -> Result<ClientRecord, DocumentError> {
        let now = self.now();
        let fresh_until = now.saturating_add(lifetime).unwrap_or(Timestamp::MAX);
        let document = Some(DocumentCopy { fetched_at: now, fresh_until });
        if let Some(client) = kept {
            let client = ClientRecord { metadata, document, ..client };
            self.store.refresh_document(&client).await?;
            return Ok(client);
        }
        let client = ClientRecord {
            id: id.clone(),
            kind: ClientKind::Document,
            metadata,
            secret: None,
            registration_token: None,
            created_at: now,
            last_seen_at: None,
            document,
            revoked_at: None,
        };
        match self.store.admit_client(client.clone(), self.room(now)).await? {
            Admission::Admitted => Ok(client),
            // Somebody else fetched it in the meantime.
            Admission::IdTaken => self.store.find_client(id).await?.ok_or(DocumentError::Full),
            Admission::Full => Err(DocumentError::Full),
        }
    }

    /// What has to go first when there is no room for another client.
    pub(crate) fn room(&self, now: Timestamp) -> Room {
        let open_since = now.saturating_sub(self.settings.lifetimes.open_flow).unwrap_or(Timestamp::MIN);
        Room { clients: self.settings.limits.clients, now, open_since }
    }

    async fn fetch_document(&self, id: &ClientId, from: IpAddr) -> Result<(ClientMetadata, Duration), DocumentError> {
        let (value, lifetime) = self.fetch_json(id.as_str(), MOST_BYTES, from).await?;
        Ok((read(id.as_str(), &value)?, bounded(lifetime)))
    }

    /// Fetches JSON from a URL that was checked as text, and how long it says it may be kept.
    pub(crate) async fn fetch_json(
        &self,
        url: &str,
        max_bytes: usize,
        from: IpAddr,
    ) -> Result<(Value, Option<Duration>), DocumentError> {
        self.limits.fetches.take(from, self.clock.now()).map_err(|wait| DocumentError::TooMany { wait })?;
        let fetched = self.fetch.get(url, FetchBounds { timeout: TIMEOUT, max_bytes }).await;
        let fetched = fetched.map_err(DocumentError::Fetch)?;
        if fetched.status != 200 {
            return Err(DocumentError::Status(fetched.status));
        }
        if fetched.body.len() > max_bytes || !is_json(&fetched) {
            return Err(DocumentError::NotJson);
        }
        let value = serde_json::from_slice(&fetched.body).map_err(|_| DocumentError::NotJson)?;
        Ok((value, fetched.cache_control.as_deref().and_then(max_age)))
    }
}

/// Whether a raw text can name a document: https, a path, nothing in it that a reader of URLs would
/// change (dot segments, another case of the host, a port that goes without saying).
fn names_a_document(raw: &str) -> bool {
    is_fetchable(raw) && Url::parse(raw).is_ok_and(|url| url.path() != "/")
}

/// For how long a copy is used, whatever its host says.
pub(crate) fn bounded(lifetime: Option<Duration>) -> Duration {
    lifetime.unwrap_or(USUAL).clamp(SHORTEST, LONGEST)
}

fn read(url: &str, value: &Value) -> Result<ClientMetadata, DocumentError> {
    let object = value.as_object().ok_or(DocumentError::NotJson)?;
    if object.get("client_id").and_then(Value::as_str) != Some(url) {
        return Err(DocumentError::OtherClient);
    }
    let secret = ["client_secret", "client_secret_expires_at"].iter().any(|member| object.contains_key(*member));
    let metadata = client_metadata::read(object, AuthMethod::None)?;
    if secret || metadata.token_endpoint_auth_method.has_secret() {
        return Err(DocumentError::Secret);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_is_named_by_a_url_as_a_reader_writes_it() {
        for url in [
            "https://a.example/client.json",
            "https://a.example/x/",
            "https://a.example:8443/x",
            "https://a.example/x?y=z",
        ] {
            assert!(names_a_document(url), "{url}");
        }
        for url in [
            "https://a.example",
            "https://a.example/",
            "http://a.example/x",
            "https://A.example/x",
            "HTTPS://a.example/x",
            "https://a.example:443/x",
            "https://a.example/x/../y",
            "https://a.example/./x",
            "https://a.example/%2e%2e/x",
            "https://u@a.example/x",
            "https://u:p@a.example/x",
            "https://a.example/x#y",
            "https://a.example/x#",
            "https://a.example/x y",
            "https://a.example\\x",
            "https:a.example/x",
            "https://0x7f.1/x",
            "https://ä.example/x",
            "bhi_0123456789AB",
            "",
        ] {
            assert!(!names_a_document(url), "{url}");
        }
    }

    #[test]
    fn a_document_names_itself_and_has_no_secret() {
        let url = "https://a.example/client.json";
        let document = |members: Value| {
            let mut object = json!({"client_id": url, "redirect_uris": ["https://a.example/cb"]});
            object.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
            read(url, &object)
        };
        let metadata = document(json!({})).unwrap();
        assert_eq!(metadata.token_endpoint_auth_method, AuthMethod::None);
        assert!(metadata.may_refresh());
        assert!(!document(json!({"grant_types": ["authorization_code"]})).unwrap().may_refresh());
        assert!(matches!(
            document(json!({"client_id": "https://a.example/client.json/"})),
            Err(DocumentError::OtherClient)
        ));
        assert!(matches!(
            read(url, &json!({"redirect_uris": ["https://a.example/cb"]})),
            Err(DocumentError::OtherClient)
        ));
        assert!(matches!(read(url, &json!([])), Err(DocumentError::NotJson)));
        for member in [
            json!({"client_secret": "x"}),
            json!({"client_secret_expires_at": 0}),
            json!({"token_endpoint_auth_method": "client_secret_basic"}),
            json!({"token_endpoint_auth_method": "client_secret_post"}),
        ] {
            assert!(matches!(document(member.clone()), Err(DocumentError::Secret)), "{member}");
        }
        assert!(matches!(document(json!({"redirect_uris": []})), Err(DocumentError::Metadata(_))));
    }

    #[test]
    fn a_copy_is_used_neither_too_short_nor_too_long() {
        let rows = [
            (None, 3600),
            (Some("max-age=600"), 600),
            (Some("public, MAX-AGE=7200"), 7200),
            (Some("max-age=1"), 300),
            (Some("no-store"), 300),
            (Some("max-age=99999999"), 86400),
            (Some("max-age=x"), 3600),
            (Some("private"), 3600),
        ];
        for (header, seconds) in rows {
            assert_eq!(bounded(header.and_then(max_age)).as_secs(), seconds, "{header:?}");
        }
    }
}
