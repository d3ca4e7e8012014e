//! How an authorization server that the operator named is reached: at any address, as a system behind
//! is.

use std::sync::Arc;

use async_trait::async_trait;
use bridgehead_auth::remote::{Exchange, RemoteRequest};
use bridgehead_core::{FetchError, Fetched};
use bridgehead_outbound::{Client, Configured, Limits, Net, Request, SendError};
use http::{HeaderValue, Method, header};

use super::fetch::texts;

/// Sends requests to addresses that the operator named.
pub(super) struct ConfiguredExchange(Client<Configured>);

impl ConfiguredExchange {
    pub(super) fn new(net: Net) -> Self {
        Self(Client::configured(net, Limits::CONFIGURED))
    }
}

#[async_trait]
impl Exchange for ConfiguredExchange {
    async fn send(&self, request: RemoteRequest) -> Result<Fetched, FetchError> {
        let RemoteRequest { url, authorization, form, bounds } = request;
        let method = if form.is_some() { Method::POST } else { Method::GET };
        let mut outgoing = Request::new(method, url.as_url().clone());
        outgoing.timeout = Some(bounds.timeout);
        outgoing.max_body_bytes = Some(bounds.max_bytes);
        outgoing.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(value) = &authorization {
            let set = outgoing.set_secret_header(header::AUTHORIZATION, value);
            set.map_err(|error| FetchError::Forbidden { what: format!("the header Authorization {error}") })?;
        }
        if let Some(form) = form {
            let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
            outgoing.headers.insert(header::CONTENT_TYPE, kind);
            outgoing.body = form.body().expose().to_owned().into();
        }
        let answer = match self.0.send(outgoing).await {
            Ok(answer) => answer.read().await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(failed)?;
        if answer.cut {
            return Err(FetchError::TooLarge { max_bytes: bounds.max_bytes });
        }
        Ok(Fetched {
            status: answer.status.as_u16(),
            content_type: texts(&answer.headers, &header::CONTENT_TYPE),
            cache_control: texts(&answer.headers, &header::CACHE_CONTROL),
            body: answer.body.to_vec(),
        })
    }
}

/// The words are for the operator, who named the address.
fn failed(error: SendError) -> FetchError {
    FetchError::Failed { what: error.to_string(), cause: Some(Arc::new(error)) }
}
