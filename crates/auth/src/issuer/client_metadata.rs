//! What a client says of itself (RFC 7591 §2), read out of JSON that a stranger wrote. What is not
//! understood is left out; what is understood and wrong is refused, with words for whoever wrote the
//! client.

use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};

use super::{
    AuthMethod, ClientMetadata, RedirectUriError,
    redirect::{self},
};
use crate::jwt;

/// How many redirect URIs one client may have.
const MOST_REDIRECT_URIS: usize = 20;
/// How long a text may be, in characters.
const LONGEST_TEXT: usize = 200;
/// How long a URL may be, in bytes.
const LONGEST_URL: usize = 2048;
const MOST_CONTACTS: usize = 10;
/// How many keys one client may have.
const MOST_KEYS: usize = 20;

/// Why metadata of a client is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetadataError {
    /// One of the redirect URIs; none of the others is taken either.
    #[error("redirect_uris[{index}] ({uri}) is refused: {why}")]
    RedirectUri {
        /// Which one, from 0.
        index: usize,
        /// The URI, cut and made printable.
        uri: String,
        /// What is wrong with it.
        why: RedirectUriError,
    },
    /// There is no redirect URI.
    #[error("redirect_uris has to name at least one URI")]
    NoRedirectUri,
    /// There are too many.
    #[error("redirect_uris names more than {MOST_REDIRECT_URIS} URIs")]
    TooManyRedirectUris,
    /// A member has another type, or is too long.
    #[error("{member} has to be {expected}")]
    Member {
        /// Which one.
        member: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A way to prove who it is that is not there.
    #[error(
        "token_endpoint_auth_method has to be one of none, client_secret_basic, client_secret_post, private_key_jwt"
    )]
    AuthMethod,
    /// It does not use the one flow that is there.
    #[error(
        "only the authorization code flow is offered: grant_types has to name authorization_code, response_types code"
    )]
    Flow,
    /// Assertions without keys.
    #[error("private_key_jwt needs jwks or jwks_uri, one of them")]
    Keys,
    /// An algorithm for assertions that is not there.
    #[error("token_endpoint_auth_signing_alg is none of those that the metadata of the server names")]
    Algorithm,
}

impl MetadataError {
    /// The error code (RFC 7591 §3.2.2).
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RedirectUri { .. } | Self::NoRedirectUri | Self::TooManyRedirectUris => "invalid_redirect_uri",
            Self::Member { .. } | Self::AuthMethod | Self::Flow | Self::Keys | Self::Algorithm => {
                "invalid_client_metadata"
            }
        }
    }
}

/// Reads metadata. `method` is what counts where the client names none.
pub(crate) fn read(object: &Map<String, Value>, method: AuthMethod) -> Result<ClientMetadata, MetadataError> {
    let reader = Reader(object);
    let redirect_uris = redirect_uris(reader)?;
    let token_endpoint_auth_method = match reader.text("token_endpoint_auth_method")? {
        None => method,
        Some(name) => AuthMethod::parse(&name).ok_or(MetadataError::AuthMethod)?,
    };
    let (jwks, jwks_uri) = keys(reader, token_endpoint_auth_method)?;
    let token_endpoint_auth_signing_alg = reader.text("token_endpoint_auth_signing_alg")?;
    if token_endpoint_auth_signing_alg.as_deref().is_some_and(|name| jwt::algorithm_named(name).is_none()) {
        return Err(MetadataError::Algorithm);
    }
    Ok(ClientMetadata {
        redirect_uris,
        token_endpoint_auth_method,
        grant_types: grant_types(reader)?,
        response_types: response_types(reader)?,
        client_name: reader.text("client_name")?,
        client_uri: reader.web_url("client_uri"),
        logo_uri: reader.web_url("logo_uri"),
        scope: reader.text("scope")?,
        contacts: contacts(reader)?,
        tos_uri: reader.web_url("tos_uri"),
        policy_uri: reader.web_url("policy_uri"),
        jwks_uri,
        jwks,
        software_id: reader.text("software_id")?,
        software_version: reader.text("software_version")?,
        application_type: reader.text("application_type")?.filter(|kind| matches!(kind.as_str(), "web" | "native")),
        token_endpoint_auth_signing_alg,
    })
}

/// Some clients send `null` or an empty text for what they do not have: it counts as none.
#[derive(Clone, Copy)]
struct Reader<'o>(&'o Map<String, Value>);

impl<'o> Reader<'o> {
    fn get(self, member: &str) -> Option<&'o Value> {
        self.0.get(member).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn text(self, member: &'static str) -> Result<Option<String>, MetadataError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let longest = if member == "scope" { LONGEST_URL } else { LONGEST_TEXT };
        let text = value.as_str().filter(|text| text.chars().count() <= longest);
        text.map(|text| Some(text.to_owned()))
            .ok_or(MetadataError::Member { member, expected: "a text of at most 200 characters" })
    }

    /// A URL that is for people alone: one that is wrong is left out.
    fn web_url(self, member: &str) -> Option<String> {
        let text = self.get(member)?.as_str().filter(|text| text.len() <= LONGEST_URL)?;
        let url = url::Url::parse(text).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| text.to_owned())
    }

    fn list(self, member: &'static str) -> Result<Option<Vec<&'o str>>, MetadataError> {
        let Some(value) = self.get(member) else { return Ok(None) };
        let texts = value.as_array().and_then(|values| values.iter().map(Value::as_str).collect());
        texts.map(Some).ok_or(MetadataError::Member { member, expected: "a list of texts" })
    }
}

fn redirect_uris(reader: Reader<'_>) -> Result<Vec<String>, MetadataError> {
    let uris = reader.list("redirect_uris")?.unwrap_or_default();
    if uris.is_empty() {
        return Err(MetadataError::NoRedirectUri);
    }
    if uris.len() > MOST_REDIRECT_URIS {
        return Err(MetadataError::TooManyRedirectUris);
    }
    check_redirect_uris(&uris)?;
    Ok(uris.into_iter().map(str::to_owned).collect())
}

/// Refuses the first that is not one, by its place.
pub(crate) fn check_redirect_uris(uris: &[&str]) -> Result<(), MetadataError> {
    for (index, uri) in uris.iter().enumerate() {
        redirect::check(uri).map_err(|why| {
            let shown = uri.chars().take(100).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect();
            MetadataError::RedirectUri { index, uri: shown, why }
        })?;
    }
    Ok(())
}

/// Those that are there, of those that are asked for. Whoever asks for none gets both.
fn grant_types(reader: Reader<'_>) -> Result<Vec<String>, MetadataError> {
    let offered = ["authorization_code", "refresh_token"];
    let asked = reader.list("grant_types")?.unwrap_or_else(|| offered.to_vec());
    let both: Vec<_> = offered.into_iter().filter(|one| asked.contains(one)).map(str::to_owned).collect();
    if asked.contains(&"authorization_code") { Ok(both) } else { Err(MetadataError::Flow) }
}

fn response_types(reader: Reader<'_>) -> Result<Vec<String>, MetadataError> {
    match reader.list("response_types")? {
        Some(asked) if !asked.contains(&"code") => Err(MetadataError::Flow),
        _ => Ok(vec!["code".to_owned()]),
    }
}

fn contacts(reader: Reader<'_>) -> Result<Option<Vec<String>>, MetadataError> {
    let Some(contacts) = reader.list("contacts")? else { return Ok(None) };
    let short = |contact: &&str| contact.chars().count() <= LONGEST_TEXT;
    if contacts.len() > MOST_CONTACTS || !contacts.iter().all(short) {
        return Err(MetadataError::Member { member: "contacts", expected: "a list of at most 10 short texts" });
    }
    Ok(Some(contacts.into_iter().map(str::to_owned).collect()))
}

/// The keys of a client that signs assertions; those of others are of no use and left out.
fn keys(reader: Reader<'_>, method: AuthMethod) -> Result<(Option<JwkSet>, Option<String>), MetadataError> {
    if method != AuthMethod::PrivateKeyJwt {
        return Ok((None, None));
    }
    match (reader.get("jwks"), reader.get("jwks_uri")) {
        (Some(set), None) => {
            let wrong = MetadataError::Member { member: "jwks", expected: "a set of 1 to 20 public keys (RFC 7517)" };
            let set: JwkSet = serde_json::from_value(set.clone()).map_err(|_| wrong.clone())?;
            if (1..=MOST_KEYS).contains(&set.keys.len()) { Ok((Some(set), None)) } else { Err(wrong) }
        }
        (None, Some(uri)) => {
            let wrong = MetadataError::Member { member: "jwks_uri", expected: "an https URL" };
            let uri = uri.as_str().filter(|uri| uri.len() <= LONGEST_URL && is_fetchable(uri)).ok_or(wrong)?;
            Ok((None, Some(uri.to_owned())))
        }
        (None, None) | (Some(_), Some(_)) => Err(MetadataError::Keys),
    }
}

/// Whether a raw text is an https URL in which nothing is hidden: no user, no fragment, and not a
/// character that a reader would change.
pub(crate) fn is_fetchable(raw: &str) -> bool {
    let Ok(url) = url::Url::parse(raw) else { return false };
    url.scheme() == "https"
        && url.as_str() == raw
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
}

/// A client's name for people: without control characters and those that turn or hide text, blanks
/// in one piece, and short. Still hostile: a name can lie with plain letters.
pub(crate) fn shown_name(name: &str) -> Option<String> {
    const LONGEST_SHOWN: usize = 80;
    let visible = |character: char| if is_invisible(character) { ' ' } else { character };
    let text: String = name.chars().map(visible).collect();
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = if text.chars().count() > LONGEST_SHOWN {
        let start: String = text.chars().take(LONGEST_SHOWN - 1).collect();
        format!("{start}…")
    } else {
        text
    };
    (!text.is_empty()).then_some(text)
}

/// Controls, and the format characters that turn, join or hide what stands around them (Unicode's
/// default ignorable code points).
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(u32::from(character),
            0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
            | 0x2028..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
            | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read_json(value: Value) -> Result<ClientMetadata, MetadataError> {
        read(value.as_object().unwrap(), AuthMethod::ClientSecretBasic)
    }

    fn with(member: &str, value: Value) -> Result<ClientMetadata, MetadataError> {
        let mut object = json!({"redirect_uris": ["https://a.example/cb"]});
        object[member] = value;
        read_json(object)
    }

    #[test]
    fn what_is_left_out_has_the_standards_defaults() {
        let metadata = read_json(json!({"redirect_uris": ["https://a.example/cb"], "unknown": 1})).unwrap();
        let expected = json!({
            "redirect_uris": ["https://a.example/cb"],
            "token_endpoint_auth_method": "client_secret_basic",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
        });
        assert_eq!(serde_json::to_value(&metadata).unwrap(), expected);
    }

    #[test]
    fn all_that_is_understood_is_echoed() {
        let object = json!({
            "redirect_uris": ["http://127.0.0.1:1/cb", "https://vscode.dev/redirect", "cursor://a/b"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "client_name": "Name ☂",
            "client_uri": "https://a.example",
            "logo_uri": "https://a.example/logo.png",
            "scope": "tools:read openid",
            "contacts": ["ops@a.example"],
            "tos_uri": "https://a.example/tos",
            "policy_uri": "https://a.example/privacy",
            "software_id": "4711",
            "software_version": "1.2",
            "application_type": "native",
        });
        assert_eq!(serde_json::to_value(read_json(object.clone()).unwrap()).unwrap(), object);
    }

    #[test]
    fn what_clients_send_for_nothing_counts_as_nothing() {
        for value in [json!(null), json!("")] {
            for member in ["client_name", "client_uri", "logo_uri", "token_endpoint_auth_method", "grant_types", "jwks"]
            {
                with(member, value.clone()).unwrap();
            }
        }
        assert_eq!(with("logo_uri", json!("data:image/png;base64,x")).unwrap().logo_uri, None);
        assert_eq!(with("client_uri", json!("javascript:alert(1)")).unwrap().client_uri, None);
        assert_eq!(with("application_type", json!("service")).unwrap().application_type, None);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let member = |member, expected| Err(MetadataError::Member { member, expected });
        assert_eq!(with("redirect_uris", json!([])), Err(MetadataError::NoRedirectUri));
        assert_eq!(with("redirect_uris", json!(null)), Err(MetadataError::NoRedirectUri));
        assert_eq!(with("redirect_uris", json!("https://a")), member("redirect_uris", "a list of texts"));
        assert_eq!(with("redirect_uris", json!(vec!["https://a/"; 21])), Err(MetadataError::TooManyRedirectUris));
        assert_eq!(
            with("client_name", json!("x".repeat(201))),
            member("client_name", "a text of at most 200 characters")
        );
        assert_eq!(with("client_name", json!(1)), member("client_name", "a text of at most 200 characters"));
        assert_eq!(with("token_endpoint_auth_method", json!("tls_client_auth")), Err(MetadataError::AuthMethod));
        assert_eq!(with("grant_types", json!(["client_credentials"])), Err(MetadataError::Flow));
        assert_eq!(with("response_types", json!(["token"])), Err(MetadataError::Flow));
        assert_eq!(with("token_endpoint_auth_signing_alg", json!("none")), Err(MetadataError::Algorithm));
        assert_eq!(with("token_endpoint_auth_signing_alg", json!("HS256")), Err(MetadataError::Algorithm));
        assert_eq!(with("token_endpoint_auth_method", json!("private_key_jwt")), Err(MetadataError::Keys));
        for uri in [
            "http://a.example/keys",
            "https://u@a.example/keys",
            "https://a.example/x/../keys",
            "keys",
            "https://a.example/k#x",
        ] {
            let object = json!({"redirect_uris": ["https://a/"], "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri});
            assert_eq!(read_json(object), member("jwks_uri", "an https URL"), "{uri}");
        }
        let grants = with("grant_types", json!(["authorization_code", "implicit"])).unwrap().grant_types;
        assert_eq!(grants, ["authorization_code"], "what is not offered is left out");
    }

    /// oauth.md, Registration: one bad redirect among several is refused, and which one is said.
    #[test]
    fn one_bad_redirect_uri_spoils_the_rest() {
        let uris = json!(["https://a.example/cb", "http://a.example/cb", "cursor://a/b"]);
        let error = with("redirect_uris", uris).unwrap_err();
        assert_eq!(error.code(), "invalid_redirect_uri");
        assert_eq!(
            error.to_string(),
            "redirect_uris[1] (http://a.example/cb) is refused: plain http is for loopback alone (127.0.0.1, [::1], localhost). Use https"
        );
        let error = with("redirect_uris", json!(["java\nscript:\"'"])).unwrap_err();
        assert!(error.to_string().contains("(java?script:"), "{error}");
    }

    #[test]
    fn a_name_is_shown_without_what_turns_or_hides_text() {
        let rows = [
            ("Claude", Some("Claude")),
            ("  My \t\r\n Client ", Some("My Client")),
            ("\u{202e}edualC\u{202c}", Some("edualC")),
            ("Cl\u{200b}aude\u{e0041}", Some("Cl aude")),
            ("\u{0}\u{1b}[31m", Some("[31m")),
            ("", None),
            (" \u{200d} ", None),
        ];
        for (name, shown) in rows {
            assert_eq!(shown_name(name).as_deref(), shown, "{name:?}");
        }
        assert_eq!(shown_name(&"ü".repeat(200)).unwrap().chars().count(), 80);
    }

    proptest! {
        #[test]
        fn no_name_is_shown_with_what_cannot_be_seen(name in "(?s).{0,200}") {
            let shown = shown_name(&name).unwrap_or_default();
            prop_assert!(shown.chars().count() <= 80 && !shown.chars().any(is_invisible));
            prop_assert_eq!(shown.trim(), &shown);
        }

        #[test]
        fn no_text_in_any_member_makes_the_reader_panic(text in "(?s).{0,40}", member in 0_usize..12) {
            const MEMBERS: [&str; 12] = [
                "redirect_uris", "token_endpoint_auth_method", "grant_types", "response_types", "client_name", "client_uri",
                "scope", "contacts", "jwks_uri", "jwks", "application_type", "token_endpoint_auth_signing_alg",
            ];
            for value in [json!(text), json!([text]), json!({text.clone(): text})] {
                let _ = with(MEMBERS[member], value.clone());
                let object = json!({"redirect_uris": ["https://a/"], "token_endpoint_auth_method": "private_key_jwt", MEMBERS[member]: value});
                let _ = read_json(object);
            }
        }
    }
}
