//! What is said to the token endpoint of a system behind, and what it answers (RFC 6749 §4.1.3, §5
//! and §6). The HTTP around it is the [`TokenEndpoint`]'s.

use std::{error::Error, sync::Arc};

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_core::Secret;
use serde_json::Value;
use url::{Url, form_urlencoded};

use super::{OAuthVault, TokenEndpointAuth, sealed::Tokens};

/// How many characters of what an authorization server says are repeated.
const MOST_WORDS: usize = 200;

/// One request for tokens. `Debug` shows where it goes alone.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// Where it goes.
    pub url: Url,
    /// The header `Authorization`, where there is one.
    pub authorization: Option<Secret>,
    /// The body, `application/x-www-form-urlencoded`.
    pub body: Secret,
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct TokenReply {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Vec<u8>,
}

/// Nobody answered, or not to the end. The text repeats no more of the URL than its host.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}")]
pub struct TokenEndpointDown {
    /// What happened.
    pub what: String,
    /// What lies behind, for the log.
    #[source]
    pub cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// Sends requests for tokens by POST, asking for JSON, within seconds and without redirects.
#[async_trait]
pub trait TokenEndpoint: Send + Sync + 'static {
    /// Sends one.
    ///
    /// # Errors
    /// [`TokenEndpointDown`]; a status that is no success is none.
    async fn ask(&self, request: TokenRequest) -> Result<TokenReply, TokenEndpointDown>;
}

/// Tokens, and for how long.
pub(super) struct Granted {
    pub(super) tokens: Tokens,
    /// Seconds; `None` where it was not said.
    pub(super) expires_in: Option<i64>,
}

/// Why there are no tokens.
#[derive(Debug)]
pub(super) enum NotGranted {
    /// The code or the refresh token is not good (any more): `invalid_grant`.
    Grant,
    /// Bridgehead is not known there, or asks for what it may not have: the operator's to mend.
    Client { error: String },
    /// It does not answer, or not as one that works.
    Down(TokenEndpointDown),
    /// It answered a success that has no token in it.
    Unreadable,
}

impl OAuthVault {
    pub(super) fn for_code(&self, code: &str, redirect_uri: &str, verifier: &str) -> TokenRequest {
        self.request(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", verifier),
        ])
    }

    pub(super) fn for_refresh(&self, token: &Secret) -> TokenRequest {
        self.request(&[("grant_type", "refresh_token"), ("refresh_token", token.expose())])
    }

    fn request(&self, pairs: &[(&str, &str)]) -> TokenRequest {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        let authorization = match (&self.client_secret, self.token_endpoint_auth) {
            (Some(secret), TokenEndpointAuth::Basic) => Some(basic(&self.client_id, secret)),
            (secret, _) => {
                form.append_pair("client_id", &self.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret.expose());
                }
                None
            }
        };
        TokenRequest { url: self.token_url.clone(), authorization, body: Secret::new(form.finish()) }
    }
}

/// RFC 6749 §2.3.1: both are form-encoded first.
fn basic(id: &str, secret: &Secret) -> Secret {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret.expose())))))
}

/// Asks, and reads the answer. A new refresh token takes the place of `kept`.
pub(super) async fn ask(
    endpoint: &dyn TokenEndpoint,
    request: TokenRequest,
    kept: Option<Secret>,
) -> Result<Granted, NotGranted> {
    let reply = endpoint.ask(request).await.map_err(NotGranted::Down)?;
    read(&reply, kept)
}

fn read(reply: &TokenReply, kept: Option<Secret>) -> Result<Granted, NotGranted> {
    let body: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    // Some say what is wrong with status 200.
    if let Some(error) = text("error").filter(|_| reply.status < 500 && reply.status != 429) {
        return Err(match error {
            "invalid_grant" | "bad_refresh_token" | "bad_verification_code" => NotGranted::Grant,
            "temporarily_unavailable" | "server_error" => down(reply.status),
            error => NotGranted::Client { error: words(error) },
        });
    }
    match reply.status {
        200..=299 => {}
        400..=499 if reply.status != 429 && reply.status != 408 => {
            return Err(NotGranted::Client { error: format!("HTTP {}", reply.status) });
        }
        status => return Err(down(status)),
    }
    let is_bearer = text("token_type").is_none_or(|kind| kind.eq_ignore_ascii_case("bearer"));
    let access = text("access_token").filter(|_| is_bearer).ok_or(NotGranted::Unreadable)?;
    let seconds = |value: &Value| value.as_i64().or_else(|| value.as_str()?.parse().ok());
    Ok(Granted {
        tokens: Tokens {
            access: Secret::new(access.to_owned()),
            refresh: text("refresh_token").map(|token| Secret::new(token.to_owned())).or(kept),
        },
        expires_in: body.get("expires_in").and_then(seconds).filter(|seconds| *seconds > 0),
    })
}

fn down(status: u16) -> NotGranted {
    NotGranted::Down(TokenEndpointDown { what: format!("it answered with the status {status}"), cause: None })
}

/// A word of a stranger's, for a message.
pub(super) fn words(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MOST_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(secret: Option<&str>, token_endpoint_auth: TokenEndpointAuth) -> OAuthVault {
        OAuthVault {
            authorization_url: "https://crm.example/authorize".parse().unwrap(),
            token_url: "https://crm.example/token".parse().unwrap(),
            client_id: "bridge head".into(),
            client_secret: secret.map(|secret| Secret::new(secret.into())),
            token_endpoint_auth,
            scopes: Vec::new(),
        }
    }

    #[test]
    fn the_client_proves_itself_as_it_is_told() {
        let token = Secret::new("r t".into());
        let rows = [
            (Some("s:1"), TokenEndpointAuth::Basic, Some("Basic YnJpZGdlK2hlYWQ6cyUzQTE="), ""),
            (Some("s:1"), TokenEndpointAuth::Post, None, "&client_id=bridge+head&client_secret=s%3A1"),
            (None, TokenEndpointAuth::Basic, None, "&client_id=bridge+head"),
        ];
        for (secret, auth, header, more) in rows {
            let request = vault(secret, auth).for_refresh(&token);
            assert_eq!(request.authorization.as_ref().map(Secret::expose), header);
            assert_eq!(request.body.expose(), format!("grant_type=refresh_token&refresh_token=r+t{more}"));
        }
    }

    #[test]
    fn every_answer_is_one_of_four() {
        let read = |status, body: &str| {
            let kept = Some(Secret::new("kept".into()));
            match read(&TokenReply { status, body: body.into() }, kept) {
                Ok(Granted { tokens, expires_in }) => {
                    let refresh = tokens.refresh.unwrap();
                    format!("{} {} {expires_in:?}", tokens.access.expose(), refresh.expose())
                }
                Err(NotGranted::Grant) => "grant".to_owned(),
                Err(NotGranted::Client { error }) => format!("client: {error}"),
                Err(NotGranted::Down(_)) => "down".to_owned(),
                Err(NotGranted::Unreadable) => "unreadable".to_owned(),
            }
        };
        for (status, body, expected) in [
            (200, r#"{"access_token":"a","token_type":"bearer","expires_in":60,"refresh_token":"r"}"#, "a r Some(60)"),
            (200, r#"{"access_token":"a","expires_in":"60"}"#, "a kept Some(60)"),
            (200, r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#, "a kept None"),
            (200, r#"{"access_token":"a","token_type":"mac"}"#, "unreadable"),
            (200, "access_token=a", "unreadable"),
            (400, r#"{"error":"invalid_grant"}"#, "grant"),
            (200, r#"{"error":"bad_refresh_token"}"#, "grant"),
            (401, r#"{"error":"invalid_client"}"#, "client: invalid_client"),
            (403, "<html>", "client: HTTP 403"),
            (503, r#"{"error":"invalid_grant"}"#, "down"),
            (429, r#"{"error":"slow_down"}"#, "down"),
            (400, r#"{"error":"temporarily_unavailable"}"#, "down"),
            (302, "", "down"),
            (500, "", "down"),
        ] {
            assert_eq!(read(status, body), expected, "{status} {body}");
        }
    }
}
