//! The mode `api_key` (requirement A2): one key, as a bearer token or in a header that the
//! configuration names. It was issued here, or it is one of the system behind and is handed
//! through.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_core::{Caller, Claims, EndpointId, Presented, Secret, SignIn};
use http::HeaderMap;

use super::{HandedThrough, Mode, bearer, single};
use crate::{Denied, IssuedKeys, KeyHeader, KeyText, keys::title};

/// Lets the holders of keys in.
#[derive(Debug)]
pub struct ApiKeyMode {
    header: KeyHeader,
    judge: Judge,
}

#[derive(Debug)]
enum Judge {
    Issued { keys: Arc<IssuedKeys>, endpoint: EndpointId },
    Upstream(HandedThrough),
}

impl ApiKeyMode {
    /// Takes keys that were issued here for `endpoint` out of `header`.
    #[must_use]
    pub const fn issued(keys: Arc<IssuedKeys>, header: KeyHeader, endpoint: EndpointId) -> Self {
        Self { header, judge: Judge::Issued { keys, endpoint } }
    }

    /// Takes keys of the system behind out of `header`, and hands them through.
    #[must_use]
    pub const fn handed_through(callers: HandedThrough, header: KeyHeader) -> Self {
        Self { header, judge: Judge::Upstream(callers) }
    }

    async fn issued_to(&self, keys: &IssuedKeys, endpoint: &EndpointId, text: &str) -> Result<Caller, Denied> {
        let record = keys.verify(text).await?;
        if record.endpoint != *endpoint {
            return Err(Denied::Unknown);
        }
        if let Some(made_for) = record.header.filter(|made_for| made_for != self.header.name().as_str()) {
            return Err(Denied::WrongHeader { expected: title(&made_for) });
        }
        Ok(Caller {
            subject: record.subject,
            scopes: record.scopes,
            sign_in: SignIn::IssuedKey { key_id: record.id.to_shared() },
            presented: Presented::default(),
            claims: Claims::default(),
        })
    }

    async fn handed_on(&self, callers: &HandedThrough, text: &str) -> Result<Caller, Denied> {
        // The key alone is who they are, however the scheme is written and whatever the header.
        let key = Secret::new(text.to_owned());
        let value = if self.header.is_bearer() { Secret::new(format!("Bearer {text}")) } else { key.clone() };
        let presented = Presented::default().with(self.header.name().as_str(), value);
        callers.caller([("", &key)], presented, SignIn::UpstreamKey).await
    }
}

#[async_trait]
impl Mode for ApiKeyMode {
    fn name(&self) -> &'static str {
        "api_key"
    }

    fn asks_for(&self) -> String {
        let whose = match self.judge {
            Judge::Issued { .. } => "your API key",
            Judge::Upstream(_) => "your own API key of the system behind",
        };
        if self.header.is_bearer() {
            format!("Send {whose} in the header `Authorization`, as `Bearer` and the key.")
        } else {
            format!("Send {whose} in the header `{}`, with nothing before or after it.", self.header.title())
        }
    }

    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Denied> {
        let text = if self.header.is_bearer() {
            bearer(headers, KeyText::PREFIX)?
        } else {
            single(headers, self.header.name())?
        };
        let Some(text) = text else { return Ok(None) };
        match &self.judge {
            Judge::Issued { keys, endpoint } => self.issued_to(keys, endpoint, text).await.map(Some),
            Judge::Upstream(callers) => self.handed_on(callers, text).await.map(Some),
        }
    }
}
