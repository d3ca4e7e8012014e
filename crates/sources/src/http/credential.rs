//! What is presented to the system behind, and what never is.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bridgehead_core::{
    CallError, Caller, CallerCredential, CallerCredentials, Secret, SignIn, UpstreamCode, UpstreamFailure,
};
use bridgehead_outbound::Request;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;

use super::encode::encode;

mod vault;

pub use vault::{VaultCredential, VaultPlaces, VaultPresentation};

/// What is presented to a system behind.
#[derive(Debug, Clone, Default)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// The same for all callers.
    Fixed(Vec<Presentation>),
    /// What the caller handed over for the system behind
    /// ([`Caller::presented`](bridgehead_core::Caller)): never a key that Bridgehead issued.
    FromCaller,
    /// What the caller entered or connected once ([`CallerCredentials`]).
    Vault(VaultCredential),
}

/// One secret and where it stands in a request.
#[derive(Debug, Clone)]
pub struct Presentation {
    /// Where it stands.
    pub place: Place,
    /// The whole value, `Bearer ` and such included.
    pub value: Secret,
}

/// Where a secret stands in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this header.
    Header(HeaderName),
    /// In the query, under this name (OpenAPI `apiKey` in `query`).
    Query(String),
    /// In a cookie of this name (OpenAPI `apiKey` in `cookie`).
    Cookie(String),
}

impl Credential {
    /// Whether each caller has one of their own, so that answers are theirs as well.
    pub(crate) const fn is_per_caller(&self) -> bool {
        match self {
            Self::None | Self::Fixed(_) => false,
            Self::FromCaller | Self::Vault(_) => true,
        }
    }

    /// What the caller has in the vault; `None` where the credential is in none.
    ///
    /// # Errors
    /// As [`CallerCredentials::credential`].
    pub(crate) async fn held(
        &self,
        caller: &Caller,
        credentials: &dyn CallerCredentials,
    ) -> Result<Option<CallerCredential>, CallError> {
        match self {
            Self::Vault(credential) => credentials.credential(&credential.vault, caller).await.map(Some),
            Self::None | Self::Fixed(_) | Self::FromCaller => Ok(None),
        }
    }

    /// Puts the credential into a request, in the place of headers of the same name: where it is in a
    /// vault, what is `held` there. Returns what takes it out of texts again.
    ///
    /// # Errors
    /// The caller handed nothing over, or something that no header may have; nothing is sent then.
    pub(crate) fn apply(
        &self,
        source: &str,
        caller: &Caller,
        held: Option<&CallerCredential>,
        request: &mut Request,
    ) -> Result<Redactor, CallError> {
        let mut redactor = Redactor::default();
        match self {
            Self::None => {}
            Self::Fixed(presentations) => {
                for Presentation { place, value } in presentations {
                    redactor.learn(value);
                    put(place, value, request).map_err(|()| {
                        let message = format!(
                            "The credential for `{source}` has a character that no header may have, such as a line \
                             break; nothing was sent. Tell the operator of this server."
                        );
                        UpstreamFailure::new(UpstreamCode::Unauthorized, message)
                    })?;
                }
            }
            Self::Vault(credential) => credential.apply(source, held, request, &mut redactor)?,
            Self::FromCaller => {
                if caller.presented.is_empty() && !matches!(caller.sign_in, SignIn::Headers | SignIn::UpstreamKey) {
                    let message = format!(
                        "`{source}` is called with each teammate's own credential, and this sign-in brought none; \
                         nothing was sent. Tell the operator of this server."
                    );
                    return Err(UpstreamFailure::new(UpstreamCode::Unauthorized, message).into());
                }
                for (name, value) in caller.presented.iter() {
                    redactor.learn(value);
                    let Some(name) = forwarded(name) else { continue };
                    put(&Place::Header(name), value, request).map_err(|()| {
                        let message = format!(
                            "Your credential for `{source}` has a character that no header may have, such as a line \
                             break; nothing was sent. Enter it again where you connected this server."
                        );
                        UpstreamFailure::new(UpstreamCode::Unauthorized, message)
                    })?;
                }
            }
        }
        Ok(redactor)
    }
}

/// The header's name, unless it is one that belongs to the connection, the message or the MCP
/// client, and not to the system behind.
fn forwarded(name: &str) -> Option<HeaderName> {
    const NEVER: [&str; 22] = [
        // Of the connection (RFC 9110 §7.6.1).
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        // Of the message.
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "user-agent",
        // Of Bridgehead's own site, or said by a proxy in front of it.
        "cookie",
        "forwarded",
        "origin",
        "referer",
        "via",
    ];
    let theirs = ["mcp-", "x-forwarded-", "sec-"].iter().any(|prefix| name.starts_with(prefix));
    if theirs || NEVER.contains(&name) {
        return None;
    }
    HeaderName::from_bytes(name.as_bytes()).ok()
}

fn put(place: &Place, value: &Secret, request: &mut Request) -> Result<(), ()> {
    match place {
        Place::Header(name) => request.set_secret_header(name.clone(), value).map_err(|_| ()),
        Place::Query(name) => {
            let before = request.url.query().filter(|query| !query.is_empty());
            let before = before.map(|query| format!("{query}&")).unwrap_or_default();
            request.url.set_query(Some(&format!("{before}{}={}", encode(name), encode(value.expose()))));
            Ok(())
        }
        Place::Cookie(name) => {
            let cookie = format!("{}={}", encode(name), encode(value.expose()));
            add_cookie(&mut request.headers, &cookie)
        }
    }
}

/// A request has one `cookie` header (RFC 6265 §5.4).
fn add_cookie(headers: &mut HeaderMap, cookie: &str) -> Result<(), ()> {
    let before = headers.get(header::COOKIE).and_then(|value| value.to_str().ok());
    let all = before.map_or_else(|| cookie.to_owned(), |before| format!("{before}; {cookie}"));
    let mut value = HeaderValue::from_str(&all).map_err(|_| ())?;
    value.set_sensitive(true);
    headers.insert(header::COOKIE, value);
    Ok(())
}

/// Takes secrets out of texts, in every form in which they were sent.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<String>);

impl Redactor {
    /// Shorter ones would take half of every text with them, and hide nothing.
    const SHORTEST: usize = 4;
    const MARK: &'static str = "[redacted]";

    /// From now on takes this one out: as a whole, without its scheme (`Bearer x`), as a password
    /// (`Basic x`), percent-encoded, with `/` as PHP writes it in JSON (`\/`).
    pub(crate) fn learn(&mut self, secret: &Secret) {
        let whole = secret.expose();
        let mut forms = vec![whole.to_owned(), whole.trim().to_owned()];
        if let Some((scheme, rest)) = whole.trim().split_once(' ') {
            forms.push(rest.trim().to_owned());
            let decoded = STANDARD.decode(rest.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            if scheme.eq_ignore_ascii_case("basic")
                && let Some(pair) = decoded
            {
                forms.extend(pair.split_once(':').map(|(_, password)| password.to_owned()));
                forms.push(pair);
            }
        }
        let encoded: Vec<String> = forms.iter().flat_map(|form| [encode(form), form.replace('/', "\\/")]).collect();
        self.0.extend(forms.into_iter().chain(encoded).filter(|form| form.len() >= Self::SHORTEST));
        // The longest first, so that none is left over as a part of another one.
        self.0.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        self.0.dedup();
    }

    /// The text without secrets.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), Self::MARK) } else { text }
        })
    }

    /// The value without secrets, in members' names as well.
    pub(crate) fn redact_value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.redact(text).into(),
            Value::Array(list) => list.iter().map(|element| self.redact_value(element)).collect(),
            Value::Object(members) => Value::Object(
                members.iter().map(|(name, value)| (self.redact(name), self.redact_value(value))).collect(),
            ),
            other => other.clone(),
        }
    }
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

#[cfg(test)]
mod tests;
