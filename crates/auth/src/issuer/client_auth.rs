//! Which client is calling (RFC 6749 §2.3, RFC 7523 §2.2). One way at a time: two at once are
//! refused rather than one of them chosen.

use std::{net::IpAddr, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::StatusCode;
use url::form_urlencoded;

use super::{
    AuthMethod, ClientId, ClientKind, ClientRecord, DocumentError, ErrorAnswer, FormError, Issuer, RegistrationPolicy,
    assertion::AssertionError, form::Form,
};
use crate::{SecretKind, SecretText, StoreError};

/// One request at the endpoints that clients call themselves.
#[derive(Clone, Copy)]
pub struct ClientCall<'c> {
    /// The decoded pairs of the form.
    pub form: &'c [(String, String)],
    /// `Authorization`, as it was sent.
    pub authorization: Option<&'c str>,
    /// Who sent it.
    pub from: IpAddr,
}

/// Why it is not known which client is calling.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientAuthError {
    /// The form of the parameters.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Two ways at once.
    #[error("the client proved who it is in more than one way. Use one")]
    TwoWays,
    /// Nothing that names a client.
    #[error("the client did not say who it is: client_id is missing")]
    Missing,
    /// Unknown, revoked or with a wrong secret; which of them is not told.
    #[error("the client is not known here, or its secret is wrong. Register again")]
    Refused {
        /// Whether it came by `Authorization: Basic`.
        basic: bool,
    },
    /// It proved who it is in another way than it is registered with.
    #[error("the client is registered with another token_endpoint_auth_method: {expected}", expected = .expected.as_str())]
    OtherMethod {
        /// The way it is registered with.
        expected: AuthMethod,
        /// Whether it came by `Authorization: Basic`.
        basic: bool,
    },
    /// A signed assertion that is not good.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// Its metadata document cannot be had.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// The store cannot be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ClientAuthError {
    /// What it is on the wire (RFC 6749 §5.2).
    #[must_use]
    pub fn answer(&self) -> ErrorAnswer {
        let text = self.to_string();
        let refused = |basic: bool| {
            let challenge = basic.then(|| "Basic realm=\"token\"".to_owned());
            ErrorAnswer::new(StatusCode::UNAUTHORIZED, "invalid_client", &text).with_challenge(challenge)
        };
        match self {
            Self::Form(_) | Self::TwoWays => ErrorAnswer::new(StatusCode::BAD_REQUEST, "invalid_request", &text),
            Self::Missing | Self::Assertion(AssertionError::NotGood(_)) => refused(false),
            Self::Refused { basic } | Self::OtherMethod { basic, .. } => refused(*basic),
            Self::Document(DocumentError::TooMany { wait }) | Self::Assertion(AssertionError::TooMany { wait }) => {
                ErrorAnswer::too_many(*wait)
            }
            Self::Document(DocumentError::Store(_)) | Self::Store(_) | Self::Assertion(AssertionError::Store(_)) => {
                ErrorAnswer::unavailable()
            }
            // The client is not to forget who it is because its own host is down for a moment.
            Self::Document(DocumentError::Fetch(_) | DocumentError::Status(500..))
            | Self::Assertion(AssertionError::Keys(_)) => {
                ErrorAnswer::new(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", &text)
                    .after(Duration::from_secs(5))
            }
            Self::Document(_) => refused(false),
        }
    }
}

/// What a client sent to prove who it is.
enum Proof<'c> {
    Nothing,
    Secret { text: String, basic: bool },
    Assertion(&'c str),
}

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Issuer {
    /// The client that is calling. Its secret is compared in constant time, and one that is not
    /// there costs the same work.
    pub(crate) async fn authenticate_client(&self, call: &ClientCall<'_>) -> Result<ClientRecord, ClientAuthError> {
        let (id, proof) = read(call)?;
        let basic = matches!(proof, Proof::Secret { basic: true, .. });
        let known = match ClientId::parse(&id) {
            None => None,
            Some(id) => self.known_client(&id, call.from).await?,
        };
        let Some(client) = known.filter(|client| client.revoked_at.is_none()) else {
            if let Proof::Secret { text, .. } = &proof {
                std::hint::black_box(self.peppers.hash(&bridgehead_core::Secret::new(text.clone())));
            }
            return Err(ClientAuthError::Refused { basic });
        };
        let expected = client.metadata.token_endpoint_auth_method;
        match (expected, proof) {
            (AuthMethod::None, Proof::Nothing) => Ok(client),
            (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, Proof::Secret { text, .. }) => {
                let secret = SecretText::parse(SecretKind::ClientSecret, &text).ok();
                let good =
                    secret.zip(client.secret.as_ref()).is_some_and(|(secret, stored)| self.is_stored(&secret, stored));
                if good { Ok(client) } else { Err(ClientAuthError::Refused { basic }) }
            }
            (AuthMethod::PrivateKeyJwt, Proof::Assertion(assertion)) => {
                self.check_assertion(&client, assertion, call.from).await?;
                Ok(client)
            }
            _ => Err(ClientAuthError::OtherMethod { expected, basic }),
        }
    }

    /// A client that somebody was sent here with before: no document is fetched because a stranger
    /// posts its URL.
    async fn known_client(&self, id: &ClientId, from: IpAddr) -> Result<Option<ClientRecord>, DocumentError> {
        match self.store.find_client(id).await? {
            Some(client) if client.kind == ClientKind::Document => {
                self.document_client(id, Some(client), from).await.map(Some)
            }
            client => Ok(client.filter(|client| self.may_be_here(client))),
        }
    }

    /// The client with this id; that of a document is fetched where it has to be.
    pub(crate) async fn client(&self, id: &ClientId, from: IpAddr) -> Result<Option<ClientRecord>, DocumentError> {
        let client = self.store.find_client(id).await?;
        if id.is_document() {
            return self.document_client(id, client, from).await.map(Some);
        }
        Ok(client.filter(|client| self.may_be_here(client)))
    }

    /// Where registration is closed, whoever registered before is not known any more either.
    fn may_be_here(&self, client: &ClientRecord) -> bool {
        self.settings.registration == RegistrationPolicy::Open || client.kind == ClientKind::PreRegistered
    }
}

fn read<'c>(call: &ClientCall<'c>) -> Result<(String, Proof<'c>), ClientAuthError> {
    let form = Form(call.form);
    let named = form.get("client_id")?.map(str::to_owned);
    let posted = form.get("client_secret")?;
    let assertion = form.get("client_assertion")?;
    let assertion_type = form.get("client_assertion_type")?;
    let (basic_id, basic_secret) = match call.authorization.map(basic) {
        None => (None, None),
        Some(pair) => pair.map(|(id, secret)| (Some(id), Some(secret).filter(|secret| !secret.is_empty())))?,
    };
    let ways = [posted.is_some(), assertion.is_some(), basic_secret.is_some()];
    if ways.into_iter().filter(|way| *way).count() > 1 {
        return Err(ClientAuthError::TwoWays);
    }
    let proof = match (assertion, basic_secret, posted) {
        (Some(assertion), ..) if assertion_type == Some(JWT_BEARER) => Proof::Assertion(assertion),
        (Some(_), ..) => return Err(AssertionError::NotGood("client_assertion_type is not jwt-bearer").into()),
        (None, Some(text), _) => Proof::Secret { text, basic: true },
        (None, None, Some(text)) => Proof::Secret { text: text.to_owned(), basic: false },
        (None, None, None) => Proof::Nothing,
    };
    let asserted = match &proof {
        Proof::Assertion(assertion) if named.is_none() => super::assertion::subject(assertion),
        _ => None,
    };
    let id = match (named, basic_id.or(asserted)) {
        (Some(one), Some(other)) if one != other => return Err(ClientAuthError::TwoWays),
        (one, other) => one.or(other).ok_or(ClientAuthError::Missing)?,
    };
    Ok((id, proof))
}

/// Id and secret, each form-encoded before they were joined (RFC 6749 §2.3.1).
fn basic(authorization: &str) -> Result<(String, String), ClientAuthError> {
    let refused = ClientAuthError::Refused { basic: true };
    let read = || {
        let (scheme, pair) = authorization.split_once([' ', '\t'])?;
        let pair = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(pair.trim()).ok()).flatten()?;
        let pair = String::from_utf8(pair).ok()?;
        let (id, secret) = pair.split_once(':')?;
        Some((form_decoded(id), form_decoded(secret)))
    };
    read().ok_or(refused)
}

/// Many clients do not encode at all, and nothing that is given out here would be changed by it. The
/// URL of a document may be, where it holds `+` or `%`: sent as it is, it is taken as it is.
fn form_decoded(text: &str) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    let pair = format!("text={}", text.replace('&', "%26"));
    form_urlencoded::parse(pair.as_bytes()).next().map_or_else(String::new, |(_, text)| text.into_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn basic_holds_id_and_secret_each_encoded() {
        let rows = [
            ("bhi_1:s", Some(("bhi_1", "s"))),
            ("bhi%5f1:s%2b+t%26u", Some(("bhi_1", "s+ t&u"))),
            ("a:b:c", Some(("a", "b:c"))),
            (":", Some(("", ""))),
            ("a=b:c=d", Some(("a=b", "c=d"))),
            ("no colon", None),
        ];
        for (pair, expected) in rows {
            let read = basic(&format!("bASIC  {}", STANDARD.encode(pair))).ok();
            let expected = expected.map(|(id, secret)| (id.to_owned(), secret.to_owned()));
            assert_eq!(read, expected, "{pair}");
        }
        for header in ["", "Basic", "Basic ?", "Bearer YTpi", "Basic YTpi YTpi"] {
            assert!(basic(header).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_reader_panic(text in "(?s).{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = basic(&text);
            let _ = basic(&format!("Basic {}", STANDARD.encode(bytes)));
            let _ = form_decoded(&text);
        }
    }
}
