//! Takes secrets out of what is shown: those that are known (a key that was given, a token that came), and
//! whatever stands where secrets stand.

use bridgehead_core::Secret;
use http::{HeaderMap, HeaderName, header};
use url::form_urlencoded;

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
    /// From here on this is shown nowhere, nor as it stands in a form or in JSON. Short ones are left: they would
    /// be found everywhere.
    pub(crate) fn know(&mut self, secret: &Secret) {
        let text = secret.expose();
        if text.len() < 6 {
            return;
        }
        let in_form: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let in_json = serde_json::Value::from(text).to_string();
        let in_json = in_json.trim_matches('"').to_owned();
        for written in [text.to_owned(), in_form, in_json].map(Secret::new) {
            if !self.known.contains(&written) {
                self.known.push(written);
            }
        }
    }

    /// Headers as they are shown.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let shown = headers.iter().map(|(name, value)| {
            let hidden = value.is_sensitive() || SECRET_HEADERS.contains(name);
            let text = String::from_utf8_lossy(value.as_bytes());
            let value = match *name {
                _ if hidden => REDACTED.to_owned(),
                header::LOCATION => self.url(&text),
                _ => self.text(&text),
            };
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
                fields(&value.to_string())
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

    /// A URL without what is known to be secret, and without what stands where secrets stand.
    pub(crate) fn url(&self, url: &str) -> String {
        self.text(&fields(url))
    }

    /// A text without what is known to be secret.
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

/// The text without the values of secret fields: of a form, or of an address that stands anywhere in it.
fn fields(text: &str) -> String {
    let parts = text.split_inclusive(['?', '#', '&', ';', '"', '\'', '<', '>', ' ', '\n']).map(|part| {
        let (part, sign) = match part.char_indices().next_back() {
            Some((end, '?' | '#' | '&' | ';' | '"' | '\'' | '<' | '>' | ' ' | '\n')) => part.split_at(end),
            _ => (part, ""),
        };
        match part.split_once('=') {
            Some((name, value)) if SECRET_MEMBERS.contains(&name) && !value.is_empty() => {
                format!("{name}={REDACTED}{sign}")
            }
            _ => format!("{part}{sign}"),
        }
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use bridgehead_core::Secret;
    use http::{HeaderMap, HeaderValue, header};

    use super::{Redactor, SHOWN};

    fn knowing(secret: &str) -> Redactor {
        let mut redactor = Redactor::default();
        redactor.know(&Secret::new(secret.to_owned()));
        redactor
    }

    /// P1: however a server gives back what it was given.
    #[test]
    fn what_is_known_is_shown_in_no_writing() {
        let redactor = knowing("s3cret/\"+key");
        for text in ["s3cret/\"+key", "a s3cret/\"+key b", "k=s3cret%2F%22%2Bkey", r#"{"k":"s3cret/\"+key"}"#] {
            for shown in [redactor.text(text), redactor.body(text.as_bytes()), redactor.url(text)] {
                assert!(shown.contains("[redacted]") && !shown.contains("s3cret"), "{shown}");
            }
        }
    }

    #[test]
    fn what_stands_where_secrets_stand_is_not_shown() {
        let redactor = Redactor::default();
        let json = redactor.body(br#"{"access_token":"at-1","token_type":"Bearer","more":[{"client_secret":"cs-1"}]}"#);
        assert_eq!(
            json,
            r#"{"access_token":"[redacted]","token_type":"Bearer","more":[{"client_secret":"[redacted]"}]}"#
        );
        let form = redactor.body(b"grant_type=authorization_code&code=c-1&code_verifier=v-1&client_id=x");
        assert_eq!(form, "grant_type=authorization_code&code=[redacted]&code_verifier=[redacted]&client_id=x");
        let url = redactor.url("http://127.0.0.1:1/callback?code=c-1&state=s#access_token=at-1");
        assert_eq!(url, "http://127.0.0.1:1/callback?code=[redacted]&state=s#access_token=[redacted]");
    }

    /// A page that leads back with a code, as some authorization servers answer at once.
    #[test]
    fn an_address_within_a_page_shows_no_code() {
        let page = "<p>Found. Redirecting to http://127.0.0.1:1/cb?state=s&amp;code=c-1</p>";
        let shown = Redactor::default().body(page.as_bytes());
        assert_eq!(shown, "<p>Found. Redirecting to http://127.0.0.1:1/cb?state=s&amp;code=[redacted]</p>");
        let json = Redactor::default().body(br#"{"next":"https://c.example/cb?code=c-1&state=s"}"#);
        assert_eq!(json, r#"{"next":"https://c.example/cb?code=[redacted]&state=s"}"#);
    }

    #[test]
    fn headers_that_carry_secrets_are_named_alone() {
        let mut sensitive = HeaderValue::from_static("k-1");
        sensitive.set_sensitive(true);
        let headers = HeaderMap::from_iter([
            (header::AUTHORIZATION, HeaderValue::from_static("Bearer at-1")),
            (header::SET_COOKIE, HeaderValue::from_static("session=1")),
            (header::LOCATION, HeaderValue::from_static("https://c.example/cb?code=c-1")),
            ("x-api-key".parse().unwrap(), sensitive),
        ]);
        for (name, value) in Redactor::default().headers(&headers) {
            let shown = if name == "location" { "https://c.example/cb?code=[redacted]" } else { "[redacted]" };
            assert_eq!(value, shown, "{name}");
        }
    }

    /// A secret that the cut goes through is no longer the secret that is known.
    #[test]
    fn a_body_is_cut_after_it_was_made_safe() {
        let redactor = knowing("s3cret-key");
        let shown = redactor.body(format!("{}s3cret-key", "ä".repeat(SHOWN / 2 - 2)).as_bytes());
        assert!(!shown.contains("s3c") && shown.ends_with('…'), "{}", &shown[SHOWN - 8..]);
    }
}
