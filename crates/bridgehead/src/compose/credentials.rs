//! From `[vaults]` to the credentials of teammates, and the way to the token endpoints of the systems
//! behind.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bridgehead_auth::{
    UpstreamCredentials,
    credentials::{CredentialParts, TokenEndpoint, TokenEndpointDown, TokenReply, TokenRequest},
};
use bridgehead_outbound::{Client, Configured, Limits, Request};
use http::{HeaderValue, Method, header};
use url::Url;

use super::{Ambient, Keyring};
use crate::config::{Settings, settings::PublicUrl};

/// How long a token endpoint may take: a call waits for it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How large its answer may be.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// What teammates enter and connect, for a server that is called `public_url` from outside.
pub(super) fn credentials(
    settings: &Settings,
    public_url: &Url,
    keyring: &Keyring,
    ambient: &Ambient,
) -> UpstreamCredentials {
    let parts = CredentialParts {
        store: keyring.store.credentials.clone(),
        vault: keyring.vault.clone(),
        tokens: Arc::new(TokenEndpoints(Client::configured(ambient.net.clone(), Limits::CONFIGURED))),
        clock: ambient.clock.clone(),
        randomness: ambient.randomness.clone(),
    };
    UpstreamCredentials::new(settings.vaults.clone(), public_url.as_str(), parts)
}

/// As the server has them: for commands on credentials, and for calls without a server.
#[must_use]
pub fn for_commands(settings: &Settings, keyring: &Keyring, ambient: &Ambient) -> UpstreamCredentials {
    let (PublicUrl::Given(public_url) | PublicUrl::SameAsListen(public_url)) = &settings.server.public_url;
    credentials(settings, public_url, keyring, ambient)
}

/// The token endpoints that the operator wrote.
struct TokenEndpoints(Client<Configured>);

#[async_trait]
impl TokenEndpoint for TokenEndpoints {
    async fn ask(&self, asked: TokenRequest) -> Result<TokenReply, TokenEndpointDown> {
        // A POST: no redirect is followed.
        let mut request = Request::new(Method::POST, asked.url);
        request.timeout = Some(TIMEOUT);
        request.max_body_bytes = Some(MAX_ANSWER_BYTES);
        request.body = asked.body.expose().to_owned().into();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        request.headers.insert(header::CONTENT_TYPE, form);
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &asked.authorization {
            let failed = |error: bridgehead_outbound::IllegalHeaderValue| TokenEndpointDown {
                what: "the client's id or secret cannot stand in a header".to_owned(),
                cause: Some(Arc::new(error)),
            };
            request.set_secret_header(header::AUTHORIZATION, authorization).map_err(failed)?;
        }
        let answer = match self.0.send(request).await {
            Ok(answer) => answer.read().await,
            Err(error) => Err(error),
        };
        let answer =
            answer.map_err(|error| TokenEndpointDown { what: error.to_string(), cause: Some(Arc::new(error)) })?;
        Ok(TokenReply { status: answer.status.as_u16(), body: answer.body.to_vec() })
    }
}
