//! A client of the authorization server, as the doctor is one: what it is known as, and its requests to the
//! endpoints that clients call by themselves. Judges nothing.

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_core::{Randomness, Secret};
use bridgehead_outbound::Request;
use http::{HeaderValue, Method, header};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use super::server::Server;
use crate::visit::{Answer, NoAnswer, Visit};

/// How a client proves who it is (RFC 7591 §2, `token_endpoint_auth_method`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthMethod {
    None,
    SecretPost,
    SecretBasic,
}

impl AuthMethod {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SecretPost => "client_secret_post",
            Self::SecretBasic => "client_secret_basic",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::None, Self::SecretPost, Self::SecretBasic].into_iter().find(|method| method.as_str() == text)
    }
}

/// A client that was registered.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(super) id: String,
    pub(super) method: AuthMethod,
    pub(super) secret: Option<Secret>,
    pub(super) redirect_uri: String,
    /// Where the registration is read and removed, and with what (RFC 7592 §3).
    pub(super) management: Option<(Url, Secret)>,
}

impl Client {
    /// A form to one of the endpoints that clients call, with what proves who it is.
    pub(super) fn post(&self, url: &Url, fields: &[(&str, &str)]) -> Request {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        let mut request = Request::new(Method::POST, url.clone());
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        match (self.method, &self.secret) {
            (AuthMethod::SecretBasic, Some(secret)) => {
                let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = STANDARD.encode(format!("{}:{}", encode(&self.id), encode(secret.expose())));
                // Base64 has no character that a header may not have.
                let _ = request.set_secret_header(header::AUTHORIZATION, &Secret::new(format!("Basic {pair}")));
            }
            (AuthMethod::SecretPost, Some(secret)) => {
                form.append_pair("client_id", &self.id).append_pair("client_secret", secret.expose());
            }
            _ => {
                form.append_pair("client_id", &self.id);
            }
        }
        request.body = form.finish().into_bytes().into();
        request
    }

    /// Exchanges a code (RFC 6749 §4.1.3).
    pub(super) fn exchange(&self, server: &Server, code: &Code, verifier: &Secret, resource: &str) -> Request {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.code.expose()),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", verifier.expose()),
            ("resource", resource),
        ];
        self.post(&server.token, &fields)
    }

    /// Uses a refresh token (RFC 6749 §6).
    pub(super) fn refresh(&self, server: &Server, token: &Secret, resource: &str) -> Request {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token.expose()), ("resource", resource)];
        self.post(&server.token, &fields)
    }
}

/// An authorization code, and the verifier that it is bound to.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) code: Secret,
    pub(super) verifier: Secret,
}

/// What a grant gave.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(super) access: Secret,
    pub(super) refresh: Option<Secret>,
}

impl Tokens {
    /// The tokens of an answer; kept secret from here on.
    pub(super) fn of(visit: &mut Visit<'_>, answer: &Answer) -> Option<Self> {
        let document = document(answer).filter(|_| answer.received.status.is_success())?;
        let mut secret = |member: &str| {
            let secret = Secret::new(document.get(member)?.as_str()?.to_owned());
            visit.keep_secret(&secret);
            Some(secret)
        };
        Some(Self { access: secret("access_token")?, refresh: secret("refresh_token") })
    }
}

/// An object of JSON.
pub(super) fn document(answer: &Answer) -> Option<Map<String, Value>> {
    serde_json::from_slice(&answer.received.body).ok()
}

/// The error code of an OAuth answer (RFC 6749 §5.2).
pub(super) fn error(answer: &Answer) -> Option<String> {
    document(answer)?.get("error")?.as_str().map(str::to_owned)
}

/// What came, in a few words: "400 invalid_grant".
pub(super) fn shown(answer: &Result<Answer, NoAnswer>) -> String {
    match answer {
        Ok(answer) => {
            let status = answer.received.status.as_u16();
            error(answer).map_or_else(|| status.to_string(), |error| format!("{status} {error}"))
        }
        Err(none) => format!("no answer ({})", none.error),
    }
}

/// The index of what came.
pub(super) const fn exchange(answer: &Result<Answer, NoAnswer>) -> usize {
    match answer {
        Ok(answer) => answer.exchange,
        Err(none) => none.exchange,
    }
}

/// Text that nobody can foretell, of 43 characters: for `state`, verifiers and made-up tokens.
pub(super) fn random(randomness: &dyn Randomness) -> String {
    let mut bytes = [0; 32];
    randomness.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(method: AuthMethod) -> Client {
        let secret = Some(Secret::new("s+1".to_owned()));
        Client { id: "a b".to_owned(), method, secret, redirect_uri: String::new(), management: None }
    }

    /// RFC 6749 §2.3.1: both are form-encoded before they are joined.
    #[test]
    fn a_client_proves_who_it_is_in_one_way() {
        let url = Url::parse("https://as.example/token").unwrap();
        let rows = [
            (AuthMethod::None, "x=1&client_id=a+b", None),
            (AuthMethod::SecretPost, "x=1&client_id=a+b&client_secret=s%2B1", None),
            (AuthMethod::SecretBasic, "x=1", Some("Basic YStiOnMlMkIx")),
        ];
        for (method, body, authorization) in rows {
            let request = client(method).post(&url, &[("x", "1")]);
            assert_eq!(request.body, body.as_bytes());
            let sent = request.headers.get(header::AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(sent.as_deref(), authorization);
        }
    }
}
