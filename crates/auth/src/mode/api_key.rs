//! The mode `api_key` with `verify = "issued"` (requirement A2): a key that was issued here
//! arrives as a bearer token, or in a header that the configuration names.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Caller, EndpointId, Presented, SignIn};
use http::HeaderMap;

use super::{Mode, bearer, single};
use crate::{Denied, IssuedKeys, KeyHeader, KeyText, keys::title};

/// Lets the holders of keys in that were issued for this endpoint.
#[derive(Debug)]
pub struct ApiKeyMode {
    keys: Arc<IssuedKeys>,
    header: KeyHeader,
    endpoint: EndpointId,
}

impl ApiKeyMode {
    /// Takes keys for `endpoint` out of `header`.
    #[must_use]
    pub const fn new(keys: Arc<IssuedKeys>, header: KeyHeader, endpoint: EndpointId) -> Self {
        Self { keys, header, endpoint }
    }
}

#[async_trait]
impl Mode for ApiKeyMode {
    fn name(&self) -> &'static str {
        "api_key"
    }

    fn asks_for(&self) -> String {
        if self.header.is_bearer() {
            "Send your API key in the header `Authorization`, as `Bearer` and the key.".to_owned()
        } else {
            format!("Send your API key in the header `{}`, with nothing before or after it.", self.header.title())
        }
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied> {
        let header = self.header.name();
        let text = if self.header.is_bearer() { bearer(headers, KeyText::PREFIX)? } else { single(headers, header)? };
        let Some(text) = text else { return Ok(None) };
        let record = self.keys.verify(text).await?;
        if record.endpoint != self.endpoint {
            return Err(Denied::Unknown);
        }
        if let Some(made_for) = record.header.filter(|made_for| made_for != header.as_str()) {
            return Err(Denied::WrongHeader { expected: title(&made_for) });
        }
        Ok(Some(Caller {
            subject: record.subject,
            scopes: record.scopes,
            sign_in: SignIn::IssuedKey { key_id: record.id.to_shared() },
            presented: Presented::default(),
        }))
    }
}
