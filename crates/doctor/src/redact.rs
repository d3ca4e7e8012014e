//! Takes secrets out of what is shown: those that are known (a key that was given, a token that came), in whatever
//! writing a server gives them back, and whatever stands where secrets stand.

use std::{cmp::Reverse, collections::HashMap};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use bridgehead_core::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use url::{Url, form_urlencoded};

const REDACTED: &str = "[redacted]";
/// How much of a body is shown, in bytes.
const SHOWN: usize = 4 << 10;
/// How much is shown of anything else that a server writes: a header, a URL, what was seen.
const SHOWN_LINE: usize = 2 << 10;
/// Shorter secrets would be found everywhere.
const SHORTEST: usize = 6;
/// No more of a secret is ever shown, so no more of it has to be known.
const LONGEST: usize = 16 << 10;
/// Shorter values of cookies are no secrets: a language, a colour.
const SHORTEST_COOKIE: usize = 12;
/// How much of a secret that was cut gives it away.
const SHORTEST_BEGINNING: usize = 4;
/// Their values are never shown.
const SECRET_HEADERS: [HeaderName; 4] =
    [header::AUTHORIZATION, header::COOKIE, header::SET_COOKIE, header::PROXY_AUTHORIZATION];
/// Members of JSON and fields of forms whose values are never shown, without regard to case, `_` and `-`.
const SECRET_MEMBERS: [&str; 16] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "clientsecret",
    "registrationaccesstoken",
    "code",
    "codeverifier",
    "clientassertion",
    "token",
    "subjecttoken",
    "sessiontoken",
    "devicecode",
    "assertion",
    "apikey",
    "password",
    "secret",
];
/// How the names of parameters end that carry a credential in the URL of an endpoint.
const ENDS_OF_KEYS: [&str; 8] = ["key", "token", "secret", "password", "auth", "sig", "signature", "code"];

/// What is known to be secret. Without `Debug`: the beginnings are no secret that is kept as one.
#[derive(Default)]
pub(crate) struct Redactor {
    /// In all writings by their beginnings, each time the longest first: one may begin with another.
    known: HashMap<[u8; 2], Vec<Secret>>,
}

impl Redactor {
    /// From here on this is shown nowhere, nor as it stands in a URL, in JSON or in Base64.
    pub(crate) fn know(&mut self, secret: &Secret) {
        let text = beginning(secret.expose(), LONGEST);
        if text.len() < SHORTEST || self.known(text).iter().any(|known| known.expose() == text) {
            return;
        }
        let in_json = serde_json::Value::from(text).to_string();
        let in_json = in_json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(text).to_owned();
        let mut written = vec![text.to_owned(), in_json.replace('/', "\\/"), in_json];
        for in_url in [form_urlencoded::byte_serialize(text.as_bytes()).collect(), percent_encoded(text)] {
            written.extend([small_digits(&in_url), in_url]);
        }
        for in_base64 in in_base64(text) {
            written.extend([in_base64.replace('+', "-").replace('/', "_"), in_base64]);
        }
        for written in written {
            let Some(beginning) = written.as_bytes().first_chunk().copied() else { continue };
            let known = self.known.entry(beginning).or_default();
            let written = Secret::new(written);
            if !known.contains(&written) {
                known.push(written);
                known.sort_by_key(|secret| Reverse(secret.expose().len()));
            }
        }
    }

    /// What may be known of a text that begins like this one.
    fn known(&self, text: &str) -> &[Secret] {
        let beginning = text.as_bytes().first_chunk();
        beginning.and_then(|beginning| self.known.get(beginning)).map_or(&[], Vec::as_slice)
    }

    /// What a request sends as secret, and each part of it: the token behind its scheme, the password of `Basic`.
    pub(crate) fn know_sent(&mut self, headers: &HeaderMap) {
        let secret = headers.iter().filter(|(name, value)| value.is_sensitive() && **name != header::COOKIE);
        for (_, value) in secret {
            self.know_credential(&String::from_utf8_lossy(value.as_bytes()));
        }
    }

    /// A credential as it stands in a header.
    pub(crate) fn know_credential(&mut self, value: &str) {
        self.know(&Secret::new(value.to_owned()));
        let Some((scheme, credential)) = value.split_once(' ') else { return };
        self.know(&Secret::new(credential.to_owned()));
        let pair = STANDARD.decode(credential).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let pair = pair.map(|pair| String::from_utf8_lossy(&pair).into_owned());
        if let Some((_, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            self.know(&Secret::new(password.to_owned()));
        }
    }

    /// Cookies that were set: whoever has them is who they were set for.
    pub(crate) fn know_cookies(&mut self, headers: &HeaderMap) {
        for cookie in headers.get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok()) {
            let value = cookie.split(';').next().and_then(|pair| pair.split_once('=')).map(|(_, value)| value.trim());
            if let Some(value) = value.filter(|value| value.len() >= SHORTEST_COOKIE) {
                self.know(&Secret::new(value.to_owned()));
            }
        }
    }

    /// The credential that stands in the URL of an endpoint, where one does.
    pub(crate) fn know_url(&mut self, url: &Url) {
        for part in [url.username(), url.password().unwrap_or_default()] {
            self.know(&Secret::new(part.to_owned()));
        }
        for (name, value) in url.query_pairs() {
            let name = plain_name(&name);
            if ENDS_OF_KEYS.iter().any(|end| name.ends_with(end)) {
                self.know(&Secret::new(value.into_owned()));
            }
        }
    }

    /// Headers as they are shown.
    pub(crate) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let is_hidden = |name: &HeaderName, value: &HeaderValue| value.is_sensitive() || SECRET_HEADERS.contains(name);
        let shown = headers.iter().map(|(name, value)| {
            let value = match is_hidden(name, value) {
                true => REDACTED.to_owned(),
                false => self.line(&String::from_utf8_lossy(value.as_bytes())),
            };
            (name.to_string(), value)
        });
        shown.collect()
    }

    /// A body as it is shown.
    pub(crate) fn body(&self, body: &[u8]) -> String {
        let text = String::from_utf8_lossy(body);
        match serde_json::from_str(&text) {
            Ok(mut value) => {
                members(&mut value);
                self.safe(&value.to_string(), SHOWN)
            }
            Err(_) => self.safe(&text, SHOWN),
        }
    }

    /// Anything else that a server wrote, or that holds something of it: a URL, a header, what was seen.
    pub(crate) fn line(&self, text: &str) -> String {
        self.safe(text, SHOWN_LINE)
    }

    /// What was made safe before more was known.
    pub(crate) fn again(&self, text: &mut String) {
        *text = self.text(text);
    }

    /// Cut first: what is left of a secret that the cut goes through is known by what is behind it.
    fn safe(&self, text: &str, bytes: usize) -> String {
        let start = beginning(text, bytes);
        if start.len() == text.len() { self.text(&fields(text)) } else { self.text(&fields(&format!("{start}…"))) }
    }

    /// A text without what is known to be secret.
    fn text(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let hidden = self.known(rest).iter().find_map(|secret| hidden(rest, secret.expose()));
            if hidden.is_some() {
                shown.push_str(REDACTED);
            } else {
                shown.push(character);
            }
            rest = rest.get(hidden.unwrap_or(character.len_utf8())..).unwrap_or_default();
        }
        shown
    }
}

/// The text, or as much of its beginning as these bytes hold.
fn beginning(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|index| text.is_char_boundary(*index));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

/// How much of the beginning of this text is the secret, or what is left of it where somebody cut it.
fn hidden(text: &str, secret: &str) -> Option<usize> {
    if text.starts_with(secret) {
        return Some(secret.len());
    }
    let same = text.bytes().zip(secret.bytes()).take_while(|(one, other)| one == other).count();
    let is_cut = || text.get(same..).is_some_and(|rest| rest.starts_with('…') || rest.starts_with("..."));
    (same >= SHORTEST_BEGINNING && is_cut()).then_some(same)
}

/// As `encodeURIComponent` and most libraries write it (RFC 3986 §2.3).
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// `%2f` for `%2F`.
fn small_digits(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut small = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2).unwrap_or((part, ""));
        small.push('%');
        small.push_str(&digits.to_ascii_lowercase());
        small.push_str(rest);
    }
    small
}

/// The secret as it stands in the Base64 of a text that holds it: three ways, by how many bytes are before it.
/// Without the characters at its ends that depend on its neighbours.
fn in_base64(text: &str) -> impl Iterator<Item = String> {
    (0..3).filter_map(move |before: usize| {
        let bytes = [vec![0; before], text.as_bytes().to_vec()].concat();
        let encoded = STANDARD_NO_PAD.encode(&bytes);
        let end = if bytes.len() % 3 == 0 { encoded.len() } else { encoded.len() - 1 };
        let start = if before == 0 { 0 } else { before + 1 };
        encoded.get(start..end).map(str::to_owned)
    })
}

/// A name without regard to case, `_` and `-`.
fn plain_name(name: &str) -> String {
    name.chars().filter(|character| !matches!(character, '_' | '-')).map(|one| one.to_ascii_lowercase()).collect()
}

fn is_secret(name: &str) -> bool {
    SECRET_MEMBERS.contains(&plain_name(name).as_str())
}

fn members(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object {
                if value.is_string() && is_secret(name) {
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

/// The text without the values of secret fields: of a form, of an address that stands anywhere in it, or of JSON
/// that is not whole or stands within a text.
fn fields(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let length = escape(rest).unwrap_or_else(|| rest.chars().take_while(is_of_name).map(char::len_utf8).sum());
        let (word, behind) = rest.split_at_checked(length).unwrap_or((rest, ""));
        shown.push_str(word);
        rest = behind;
        if word.is_empty() {
            let mut characters = rest.chars();
            shown.extend(characters.next());
            rest = characters.as_str();
        } else if is_secret(word)
            && let Some((sign, value)) = assigned(rest)
        {
            shown.push_str(sign);
            shown.push_str(REDACTED);
            rest = rest.get(sign.len() + value.len()..).unwrap_or_default();
        }
    }
    shown
}

fn is_of_name(character: &char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '-')
}

/// How long the escape is that the text begins with, of a URL (`%26`) or of JSON (`\u0026`).
fn escape(text: &str) -> Option<usize> {
    let (start, digits) = if text.starts_with('%') { (1, 2) } else { (2, 4) };
    let is_escape = start == 1 || text.starts_with("\\u");
    let is_hex = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (is_escape && text.get(start..start + digits).is_some_and(is_hex)).then_some(start + digits)
}

/// What stands between a name and its value, and the value, where the text begins so.
fn assigned(text: &str) -> Option<(&str, &str)> {
    for sign in ["=", "%3D", "%3d"] {
        let Some(value) = text.strip_prefix(sign) else { continue };
        let plain_end = value.find(['?', '#', '&', ';', '"', '\'', '<', '>', ',', ')', '\\', '…']);
        let ends = [plain_end, value.find(char::is_whitespace), (sign != "=").then(|| value.find("%26")).flatten()];
        let end = ends.into_iter().flatten().min().unwrap_or(value.len());
        return value.get(..end).filter(|value| !value.is_empty()).map(|value| (sign, value));
    }
    // `":"` with any space in between, each quote with a backslash before it where it stands in a text.
    let quote = if text.starts_with("\\\"") { "\\\"" } else { "\"" };
    let behind = text.strip_prefix(quote)?.trim_start().strip_prefix(':')?.trim_start().strip_prefix(quote)?;
    let sign = text.get(..text.len() - behind.len())?;
    let mut ends = behind.match_indices(quote).map(|(end, _)| end);
    let is_escaped = |end: usize| quote == "\"" && behind.get(..end).is_some_and(|before| before.ends_with('\\'));
    let end = ends.find(|end| !is_escaped(*end)).unwrap_or(behind.len());
    behind.get(..end).filter(|value| !value.is_empty()).map(|value| (sign, value))
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use bridgehead_core::Secret;
    use http::{HeaderMap, HeaderValue, header};
    use proptest::prelude::*;
    use url::Url;

    use super::{REDACTED, Redactor, SHOWN, SHOWN_LINE};

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
            for shown in [redactor.text(text), redactor.body(text.as_bytes()), redactor.line(text)] {
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
        let url = redactor.line("http://127.0.0.1:1/callback?code=c-1&state=s#access_token=at-1");
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

    /// Whatever a server makes of it: an escape of its own, Base64 of a text around it, a beginning alone.
    #[test]
    fn what_is_known_is_shown_in_no_writing_of_others() {
        let redactor = knowing("s3cret/+key~9");
        let around = |before: &str| STANDARD.encode(format!("{before}s3cret/+key~9 and more"));
        let rows = [
            "https://c.example/?next=s3cret%2f%2bkey~9".to_owned(),
            "s3cret%2F%2Bkey%7E9".to_owned(),
            r#"{"said":"s3cret\/+key~9"}{"#.to_owned(),
            format!("Basic {}", around("")),
            format!("Basic {}", around("a")),
            format!("Basic {}", around("ab")),
            "no such key: s3cret/+k…".to_owned(),
            "no such key: s3cret...".to_owned(),
        ];
        let in_base64 = [around(""), around("a"), around("ab")];
        for text in rows {
            let shown = redactor.line(&text);
            assert!(shown.contains("[redacted]") && !shown.contains("s3cr"), "{text}: {shown}");
            assert!(!in_base64.iter().any(|encoded| shown.contains(&encoded[4..16])), "{text}: {shown}");
        }
    }

    /// One secret may begin with another one.
    #[test]
    fn nothing_is_left_of_the_longer_secret() {
        let mut redactor = knowing("s3cret");
        redactor.know(&Secret::new("s3cret-of-alice".to_owned()));
        assert_eq!(redactor.line("s3cret-of-alice, s3cret"), "[redacted], [redacted]");
    }

    /// A token that came in JSON with something behind it, or in JSON within a text; a code in the address within an
    /// address.
    #[test]
    fn fields_are_found_where_they_are_no_fields_for_a_parser() {
        let rows = [
            (r#"{"access_token": "at-1"}{"#, r#"{"access_token": "[redacted]"}{"#),
            (r#"data: {"refresh_token":"rt\"-1","a":1}"#, r#"data: {"refresh_token":"[redacted]","a":1}"#),
            (r#"no {\"accessToken\": \"at-1\", \"b\": 1}"#, r#"no {\"accessToken\": \"[redacted]\", \"b\": 1}"#),
            ("/login?next=%2Fcb%3Fcode%3Dc-1%26state%3Ds", "/login?next=%2Fcb%3Fcode%3D[redacted]%26state%3Ds"),
            ("(code=c-1), Client-Secret=cs-1", "(code=[redacted]), Client-Secret=[redacted]"),
            (r"a\u0026code=c-1\u0026b", r"a\u0026code=[redacted]\u0026b"),
            ("code_challenge_method=S256&token_type=Bearer", "code_challenge_method=S256&token_type=Bearer"),
            (r#"code = 7, "code": -32601, code="#, r#"code = 7, "code": -32601, code="#),
        ];
        for (text, expected) in rows {
            assert_eq!(Redactor::default().body(text.as_bytes()), expected);
        }
    }

    /// What a request proves itself with is known by itself: a server may say what it was sent.
    #[test]
    fn what_is_sent_is_known_in_its_parts() {
        let mut basic = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode("client:s3cret-one"))).unwrap();
        basic.set_sensitive(true);
        let mut redactor = Redactor::default();
        redactor.know_sent(&HeaderMap::from_iter([(header::AUTHORIZATION, basic)]));
        let echo = format!("got {} with s3cret-one", STANDARD.encode("client:s3cret-one"));
        assert_eq!(redactor.line(&echo), "got [redacted] with [redacted]");
        let cookies = ["lang=en-GB; Path=/", "session=0123456789abcdef; HttpOnly"].map(HeaderValue::from_static);
        redactor.know_cookies(&cookies.into_iter().map(|cookie| (header::SET_COOKIE, cookie)).collect());
        assert_eq!(redactor.line("?sid=0123456789abcdef&l=en-GB"), "?sid=[redacted]&l=en-GB");
    }

    #[test]
    fn a_key_in_the_address_is_one() {
        let mut redactor = Redactor::default();
        let url = Url::parse("https://user-1:pass-1@mcp.example/mcp?api_key=s3cret%2B1&profile=north-1").unwrap();
        redactor.know_url(&url);
        let shown = redactor.line("user-1 pass-1 s3cret+1 s3cret%2B1 north-1");
        assert_eq!(shown, "[redacted] [redacted] [redacted] [redacted] north-1");
    }

    #[test]
    fn nothing_is_longer_than_people_read() {
        let redactor = Redactor::default();
        assert_eq!(redactor.line(&"ä".repeat(SHOWN_LINE)).chars().count(), SHOWN_LINE / 2 + 1);
        assert!(redactor.body(&vec![b'x'; SHOWN * 9]).len() <= SHOWN + '…'.len_utf8());
    }

    proptest! {
        /// Whatever a server writes, and wherever the cut goes through.
        #[test]
        fn anything_can_be_made_safe(text in any::<String>(), secret in "[ -~]{6,20}") {
            let redactor = knowing(&secret);
            for text in [text.clone(), format!("{text}{secret}{text}"), format!("token=\\\"{text}")] {
                prop_assert!(!redactor.line(&text).contains(&secret) || REDACTED.contains(&secret));
            }
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
