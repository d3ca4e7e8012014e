//! What is said to the provider's token endpoint and to its user info, and what they answer (RFC 6749
//! §4.1.3, §5 and §6; OpenID Connect Core §5.3).

use std::time::Duration;

use bridgehead_core::{FetchBounds, Fetched, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Provider;
use crate::remote::{Form, RemoteError, RemoteRequest, RemoteUrl};

const BOUNDS: FetchBounds = FetchBounds { timeout: Duration::from_secs(5), max_bytes: 256 * 1024 };
/// How many characters of an error code are repeated.
const LONGEST_CODE: usize = 60;

/// Errors of the token endpoint that are about the person, and not about us (RFC 6749 §5.2, OpenID Connect
/// Core §3.1.2.6).
const ABOUT_THE_PERSON: [&str; 5] =
    ["invalid_grant", "access_denied", "interaction_required", "login_required", "consent_required"];

/// The tokens of a person. Neither is ever shown to anybody, nor kept unsealed.
#[derive(Clone)]
pub(super) struct Tokens {
    pub(super) access_token: Secret,
    pub(super) id_token: Option<Secret>,
    pub(super) refresh_token: Option<Secret>,
}

/// Those that are kept.
#[derive(Serialize, Deserialize)]
pub(super) struct KeptTokens {
    pub(super) refresh_token: Option<String>,
    /// By which the provider knows whose sign-out it is.
    pub(super) id_token: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    #[serde(default)]
    id_token: Option<String>,
    #[serde(default)]
    refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// Why there is nothing.
#[derive(Debug)]
pub(super) enum AskError {
    /// The person's code or token is not good (any more): the provider's error code.
    Refused(String),
    /// The provider does not take us for who we are, or answers nonsense: for the operator.
    Ours(String),
    /// It does not answer.
    Down(RemoteError),
}

impl std::fmt::Display for AskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(what) | Self::Ours(what) => f.write_str(what),
            Self::Down(error) => error.fmt(f),
        }
    }
}

impl Provider {
    /// Exchanges a code.
    pub(super) async fn redeem(&self, code: &str, verifier: &str) -> Result<Tokens, AskError> {
        let form = Form::default()
            .with("grant_type", "authorization_code")
            .with("code", code)
            .with("redirect_uri", &self.redirect_uris.sign_in)
            .with("code_verifier", verifier);
        self.tokens(form).await
    }

    /// Exchanges a refresh token.
    pub(super) async fn renew(&self, refresh_token: &str) -> Result<Tokens, AskError> {
        self.tokens(Form::default().with("grant_type", "refresh_token").with("refresh_token", refresh_token)).await
    }

    async fn tokens(&self, form: Form) -> Result<Tokens, AskError> {
        let metadata = self.remote.metadata().await.map_err(AskError::Down)?;
        let Some(url) = &metadata.token_endpoint else { return Err(lacks("token_endpoint")) };
        let request = RemoteRequest::post(url.clone(), form, BOUNDS);
        let methods = &metadata.token_endpoint_auth_methods_supported;
        let request =
            self.settings.client.add_to(request, methods).map_err(|error| AskError::Ours(error.to_string()))?;
        let answer = self.remote.send(request).await.map_err(AskError::Down)?;
        read(url, &answer)
    }

    /// What the provider says of whoever an access token is of. It is looked at only where its `sub` is
    /// that of the ID token (OpenID Connect Core §5.3.2).
    pub(super) async fn user_info(&self, access_token: &Secret) -> Result<Option<Map<String, Value>>, AskError> {
        let metadata = self.remote.metadata().await.map_err(AskError::Down)?;
        let Some(url) = &metadata.userinfo_endpoint else { return Ok(None) };
        let authorization = Some(Secret::new(format!("Bearer {}", access_token.expose())));
        let request = RemoteRequest { authorization, ..RemoteRequest::get(url.clone(), BOUNDS) };
        let answer = self.remote.send(request).await.map_err(AskError::Down)?;
        match answer.status {
            200 => serde_json::from_slice(&answer.body)
                .map(Some)
                .map_err(|_| AskError::Ours(format!("{url} answered something that is no JSON object"))),
            // RFC 6750 §3.1: the token was good a moment ago, so this is about the person.
            401 | 403 => Err(AskError::Refused("invalid_token".to_owned())),
            status => Err(AskError::Down(RemoteError::Status { url: url.to_string(), status })),
        }
    }
}

fn read(url: &RemoteUrl, answer: &Fetched) -> Result<Tokens, AskError> {
    if answer.status == 200 {
        let Answer { access_token, id_token, refresh_token } = serde_json::from_slice(&answer.body)
            .map_err(|_| AskError::Ours(format!("{url} answered something that holds no tokens")))?;
        let [id_token, refresh_token] = [id_token, refresh_token].map(|token| token.map(Secret::new));
        return Ok(Tokens { access_token: Secret::new(access_token), id_token, refresh_token });
    }
    match serde_json::from_slice(&answer.body) {
        Ok(Refusal { error }) if ABOUT_THE_PERSON.contains(&error.as_str()) => Err(AskError::Refused(error)),
        Ok(Refusal { error }) if (400..500).contains(&answer.status) && answer.status != 429 => {
            Err(AskError::Ours(format!("{url} answered {}: {}", answer.status, code(&error))))
        }
        _ => Err(AskError::Down(RemoteError::Status { url: url.to_string(), status: answer.status })),
    }
}

/// An error code of somebody else's, as far as it can be one (RFC 6749 §5.2).
pub(super) fn code(text: &str) -> String {
    let legal = |letter: &char| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\' | '<' | '>' | '&' | '\'');
    text.chars().take_while(legal).take(LONGEST_CODE).collect()
}

pub(super) fn lacks(member: &str) -> AskError {
    AskError::Ours(format!("its metadata names no {member}"))
}
