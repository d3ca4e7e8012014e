//! Takes secrets out of what is shown: those that are known (a key that was given, a token that came), and
//! whatever stands where secrets stand.

use bridgehead_core::Secret;
use http::{HeaderMap, HeaderName, header};

const REDACTED: &str = "[redacted]";
/// How much of a body is shown, in bytes.
const SHOWN: usize = 4 << 10;
/// Their values are never shown.
const SECRET_HEADERS: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::SET_COOKIE, header::PROXY_AUTHORIZATION];
/// Members of JSON and fields of forms whose values are never shown.
const SECRET_MEMBERS: [&str; 9] = [
    "access_token",
    "refresh_token",
    "id_token",
    "client_secret",
    "registration_access_token",
    "code",
    "code_verifier",
    "client_assertion",
    "token",
];

/// What is known to be secret.
#[derive(Debug, Default)]
pub(crate) struct Redactor {
    known: Vec<Secret>,
}

impl Redactor {
    /// From here on this is shown nowhere. Short ones are left: they would be found everywhere.
    pub(crate) fn know(&mut self, secret: &Secret) {
        if secret.expose().len() >= 6 && !self.known.contains(secret) {
            self.known.push(secret.clone());
        }
    }

    /// Headers as they are shown.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = headers.iter().map(|(name, value)| {
            let hidden = value.is_sensitive() || SECRET_HEADERS.contains(name);
            let value =
                if hidden { REDACTED.to_owned() } else { self.text(&String::from_utf8_lossy(value.as_bytes())) };
            (name.to_string(), value)
        });
        shown.collect()
    }

    /// A body as it is shown.
    pub(crate) fn body(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        let text = match serde_json::from_str(&text) {
            Ok(mut value) => {
                members(&mut value);
                value.to_string()
            }
            Err(_) => fields(&text),
        };
        let mut text = self.text(&text);
        if text.len() > SHOWN {
            let end = (0..=SHOWN).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
            text.truncate(end);
            text.push('…');
        }
        text
    }

    /// A text (a URL, say) without what is known to be secret.
    pub(crate) fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.known {
            text = text.replace(secret.expose(), REDACTED);
        }
        text
    }
}

fn members(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                if SECRET_MEMBERS.contains(&name.as_str()) && value.is_string() {
                    *value = REDACTED.into();
                } else {
                    members(value);
                }
            }
        }
        serde_json::Value::Array(elements) => elements.iter_mut().for_each(members),
        _ => {}
    }
}

/// The body of a form, if it is one.
fn fields(text: &str) -> String {
    if text.contains(char::is_whitespace) || !text.contains('=') {
        return text.to_owned();
    }
    let shown = text.split('&').map(|field| match field.split_once('=') {
        Some((name, _)) if SECRET_MEMBERS.contains(&name) => format!("{name}={REDACTED}"),
        _ => field.to_owned(),
    });
    shown.collect::<Vec<_>>().join("&")
}
