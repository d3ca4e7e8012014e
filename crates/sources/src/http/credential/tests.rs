//! What reaches the system behind, and what never does.

use http::Method;
use serde_json::json;

use super::*;
use crate::http::testing::caller;

fn request() -> Request {
    let mut request = Request::new(Method::GET, "https://erp.internal/a?b=c".parse().unwrap());
    request.set_header(header::COOKIE, "theme=dark").unwrap();
    request.set_header(header::AUTHORIZATION, "from the description").unwrap();
    request
}

fn fixed(place: Place, value: &str) -> Credential {
    Credential::Fixed(vec![Presentation { place, value: Secret::new(value.into()) }])
}

#[test]
fn a_fixed_credential_stands_where_it_is_asked_for() {
    let mut sent = request();
    fixed(Place::Header(header::AUTHORIZATION), "Bearer abcdef").apply("erp", &caller(&[]), None, &mut sent).unwrap();
    assert_eq!(sent.headers.get_all("authorization").iter().collect::<Vec<_>>(), ["Bearer abcdef"]);
    assert!(sent.headers["authorization"].is_sensitive());

    let mut sent = request();
    fixed(Place::Query("api key".into()), "a&b").apply("erp", &caller(&[]), None, &mut sent).unwrap();
    assert_eq!(sent.url.query(), Some("b=c&api%20key=a%26b"));

    let mut sent = request();
    fixed(Place::Cookie("session".into()), "a;b").apply("erp", &caller(&[]), None, &mut sent).unwrap();
    assert_eq!(sent.headers["cookie"], "theme=dark; session=a%3Bb");

    let broken = fixed(Place::Header(header::AUTHORIZATION), "a\nb").apply("erp", &caller(&[]), None, &mut request());
    let error = broken.unwrap_err();
    assert!(error.code() == "upstream_unauthorized" && !error.to_string().contains("a\nb"), "{error}");
}

/// A2, A3: the caller's own goes out, and nothing that belongs to the connection or the client.
#[test]
fn the_callers_own_goes_out_and_nothing_else() {
    let mut sent = request();
    let presented = [
        ("authorization", "Bearer theirs"),
        ("x-tenant", "acme"),
        ("mcp-session-id", "1"),
        ("mcp-protocol-version", "2025-11-25"),
        ("Mcp-Method", "tools/call"),
        ("host", "evil.example"),
        ("content-length", "0"),
        ("transfer-encoding", "chunked"),
        ("connection", "x-tenant"),
        ("cookie", "bridgehead=session"),
        ("x-forwarded-for", "10.0.0.1"),
        ("origin", "https://platform.duvo.ai"),
    ];
    let redactor = Credential::FromCaller.apply("erp", &caller(&presented), None, &mut sent).unwrap();
    let mut names: Vec<&str> = sent.headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["authorization", "cookie", "x-tenant"]);
    assert_eq!(sent.headers["cookie"], "theme=dark");
    assert_eq!(sent.headers["authorization"], "Bearer theirs");
    assert_eq!(redactor.redact("acme: theirs"), "[redacted]: [redacted]");
}

/// Keys issued by Bridgehead are in no `Presented`; where one was expected, nothing is sent.
#[test]
fn an_issued_key_never_leaves() {
    let issued = Caller { sign_in: SignIn::IssuedKey { key_id: "k1".into() }, ..Caller::anonymous() };
    for caller in [issued, Caller::anonymous(), Caller { sign_in: SignIn::Local, ..Caller::anonymous() }] {
        let error = Credential::FromCaller.apply("erp", &caller, None, &mut request()).unwrap_err();
        assert!(error.code() == "upstream_unauthorized" && error.to_string().contains("nothing was sent"), "{error}");
        // With a credential of the operator's own, the caller's plays no part.
        let mut sent = request();
        Credential::None.apply("erp", &caller, None, &mut sent).unwrap();
        assert_eq!(sent.headers.len(), 2);
    }
    // Optional headers may all be left out.
    let caller = Caller { sign_in: SignIn::Headers, ..Caller::anonymous() };
    Credential::FromCaller.apply("erp", &caller, None, &mut request()).unwrap();
}

/// P2: what the caller has in a vault stands where the operator wrote, and comes back in no text.
#[test]
fn what_is_in_a_vault_is_put_in_its_places() {
    let at = |name: &str, value: &str| VaultPresentation::new(Place::Header(name.parse().unwrap()), value).unwrap();
    let places = VaultPlaces::At(vec![at("authorization", "Token {{v1}}:{api_key}"), at("x-tenant", "{tenant}")]);
    let credential = Credential::Vault(VaultCredential { vault: "crm".into(), places });
    let values = [("api_key", "s3cr3t"), ("tenant", "acme-1")];
    let values = values.map(|(name, value)| (name.to_owned(), Secret::new(value.into()))).into();
    let held = CallerCredential::new(values, "v".into());
    let mut sent = request();
    let redactor = credential.apply("crm", &caller(&[]), Some(&held), &mut sent).unwrap();
    assert_eq!(
        (&sent.headers["authorization"], &sent.headers["x-tenant"]),
        (&"Token {v1}:s3cr3t".parse().unwrap(), &"acme-1".parse().unwrap())
    );
    assert!(sent.headers["authorization"].is_sensitive());
    assert_eq!(redactor.redact("s3cr3t of acme-1, {v1}:s3cr3t"), "[redacted] of [redacted], [redacted]");
    let mut nothing = request();
    let error = credential.apply("crm", &caller(&[]), None, &mut nothing).unwrap_err();
    assert_eq!((error.code(), nothing.headers.get("x-tenant")), ("internal", None));
    for wrong in ["{", "a } b", "{}"] {
        assert!(VaultPresentation::new(Place::Query("key".into()), wrong).is_err(), "{wrong}");
    }
}

#[test]
fn secrets_are_found_in_every_form() {
    let mut redactor = Redactor::default();
    for secret in ["Bearer tok en+1", "Basic YWxpY2U6aHVudGVyMg==", "abc", "longer-abcdef", "abcdef", "a/b/c"] {
        redactor.learn(&Secret::new(secret.into()));
    }
    for (text, expected) in [
        ("Authorization: Bearer tok en+1.", "Authorization: [redacted]."),
        ("token tok en+1 is bad", "token [redacted] is bad"),
        ("?key=tok%20en%2B1", "?key=[redacted]"),
        ("user alice with hunter2", "user alice with [redacted]"),
        ("YWxpY2U6aHVudGVyMg==", "[redacted]"),
        ("alice:hunter2", "[redacted]"),
        ("longer-abcdef", "[redacted]"),
        (r#"Warning: {"key": "a\/b\/c"}"#, r#"Warning: {"key": "[redacted]"}"#),
        ("abc is too short to hide", "abc is too short to hide"),
    ] {
        assert_eq!(redactor.redact(text), expected);
    }
    let value = redactor.redact_value(&json!({"hunter2": ["x hunter2", 1, null]}));
    assert_eq!(value, json!({"[redacted]": ["x [redacted]", 1, null]}));
    assert_eq!(format!("{redactor:?}"), "Redactor(…)");
}
