//! A2, A3, P2 as one table: modes × what is sent × who judges it × side by side, each row with the
//! exact answer, and with what reached the system behind.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_auth::{Fingerprint, Probe, ProbeAnswer, ProbeFailure};
use bridgehead_core::{Call, CallError, Outcome, Presented, Source, ToolSpec, catalog::NamedSource};
use bridgehead_harness::TestServer;
use serde_json::{Value, json};

/// Headers and their values.
type Lines = Vec<(String, String)>;

/// The system behind: knows some credentials, and writes down who called with which.
#[derive(Default)]
struct Crm {
    accounts: Mutex<BTreeMap<String, &'static str>>,
    calls: Mutex<Vec<(String, Lines)>>,
    probes: Mutex<Vec<Lines>>,
}

fn lines(presented: &Presented) -> Lines {
    presented.iter().map(|(name, value)| (name.to_owned(), value.expose().to_owned())).collect()
}

#[async_trait]
impl Source for Crm {
    fn kind(&self) -> &'static str {
        "test"
    }

    fn tools(&self) -> Vec<ToolSpec> {
        vec![ToolSpec::new("look", "Looks something up.")]
    }

    async fn call(&self, _: &str, call: &Call) -> Result<Outcome, CallError> {
        self.calls.lock().unwrap().push((call.caller.subject.to_string(), lines(&call.caller.presented)));
        Ok(Outcome::text("seen"))
    }
}

#[async_trait]
impl Probe for Crm {
    async fn probe(&self, presented: &Presented) -> Result<ProbeAnswer, ProbeFailure> {
        let lines = lines(presented);
        self.probes.lock().unwrap().push(lines.clone());
        let has = |wanted: &str| lines.iter().any(|(_, value)| value.ends_with(wanted));
        if has("crm-down") {
            return Err(ProbeFailure::Unavailable { what: "it is down".into(), cause: None });
        }
        if has("crm-odd") {
            return Err(ProbeFailure::Unusable { what: "there is no /email in the answer".into() });
        }
        let accounts = self.accounts.lock().unwrap();
        let known = lines.iter().find_map(|(_, value)| accounts.get(value.trim_start_matches("Bearer ")));
        known.map_or(Err(ProbeFailure::Refused), |subject| ProbeAnswer::named(subject))
    }
}

/// A server in front of the system behind, with keys in every state.
struct Desk {
    server: TestServer,
    crm: Arc<Crm>,
    /// What stands for `{name}` in a row.
    names: BTreeMap<&'static str, String>,
}

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@example.com";

impl Desk {
    async fn open(auth: &str) -> Self {
        let crm = Arc::new(Crm::default());
        crm.accounts.lock().unwrap().extend([
            ("crm-alice".to_owned(), ALICE),
            ("crm-bob".to_owned(), BOB),
            ("crm-mallory".to_owned(), "mallory@example.com"),
        ]);
        let config =
            format!("name = \"Desk\"\nserver.listen = \"127.0.0.1:0\"\nstore.url = \"sqlite:bridgehead.db\"\n{auth}\n");
        let source = NamedSource { name: "crm".into(), prefix: String::new(), source: crm.clone() };
        let server = TestServer::with(&config).source(source).probe("crm", crm.clone()).start().await;
        let mut names = BTreeMap::new();
        let soon = server.in_seconds(60);
        for (good, expired, revoked, header) in [
            ("key", "expired", "revoked", None),
            ("key-a", "expired-a", "revoked-a", Some("X-Api-Key")),
            ("key-t", "expired-t", "revoked-t", Some("X-Tenant")),
            ("key-r", "expired-r", "revoked-r", Some("X-Region")),
        ] {
            names.insert(good, server.key_in(header, ALICE, "tools:write", None).await.1);
            names.insert(expired, server.key_in(header, ALICE, "tools:write", Some(soon)).await.1);
            let (record, key) = server.key_in(header, ALICE, "tools:write", None).await;
            server.revoke(&record).await;
            names.insert(revoked, key);
        }
        names.insert("bobs-t", server.key_in(Some("X-Tenant"), BOB, "tools:write", None).await.1);
        names.insert("cut", names["key"][..names["key"].len() - 2].to_owned());
        names.insert("unknown", "bhk_0123456789AB_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef2DVmS2".to_owned());
        server.clock.advance(Duration::from_secs(61));
        Self { server, crm, names }
    }

    fn fill(&self, text: &str) -> String {
        self.names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    /// Calls the tool with these headers: status, challenge and body.
    async fn call(&self, sent: &[(&str, &str)]) -> (u16, Option<String>, Value) {
        let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "look"}});
        let mut request = self.server.post().body(call.to_string());
        // What is nobody's credential is never handed on.
        let noise = [("mcp-session-id", "abc"), ("x-other", "noise"), ("cookie", "a=b"), ("user-agent", "matrix")];
        for (name, value) in sent.iter().copied().chain(noise) {
            request = request.header(name, self.fill(value));
        }
        let answer = request.send().await.unwrap();
        let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        (answer.status().as_u16(), challenge, answer.json().await.unwrap())
    }

    /// Who called last with what, if anybody did since this was asked before.
    fn reached(&self) -> Option<(String, Lines)> {
        self.crm.calls.lock().unwrap().pop()
    }
}

/// What a row gets.
enum Gets {
    /// 200, and the system behind sees this caller with these headers. `key-*` is a name made of a
    /// hash.
    In(&'static str, &'static [(&'static str, &'static str)]),
    /// 401 with `error="invalid_token"`.
    Invalid(&'static str, &'static str),
    /// As `Invalid`, and all ways in are named behind it.
    InvalidUnclear(&'static str, &'static str),
    /// 401 with a bare challenge, as something is missing.
    Missing(&'static str, &'static str),
    /// As `Missing`, and all ways in are named behind it.
    MissingUnclear(&'static str, &'static str),
    /// 400.
    Malformed(&'static str),
    /// 503 without a challenge.
    NotNow(&'static str),
}

use Gets::{In, Invalid, InvalidUnclear, Malformed, Missing, MissingUnclear, NotNow};

/// One row: what is sent, and what it gets.
type Row = (&'static [(&'static str, &'static str)], Gets);

/// One configuration with its rows.
struct Table<'t> {
    what: &'t str,
    auth: &'t str,
    /// What is said to who sends nothing, behind the sentence that nobody gets in.
    ways: &'t str,
    rows: Vec<Row>,
}

const NOBODY: &str = "Nobody gets in here without signing in.";
const NOT_NOW: &str = "The server cannot check who you are at the moment. Try again in a minute; if that does not help, tell its operator.";

impl Table<'_> {
    async fn check(&self) {
        let desk = Desk::open(self.auth).await;
        for (number, (sent, gets)) in self.rows.iter().enumerate() {
            let row = format!("{}, row {number}: {sent:?}", self.what);
            let (status, challenge, body) = desk.call(sent).await;
            let reached = desk.reached();
            let words = |text: &str, unclear: bool| if unclear { format!("{text} {}", self.ways) } else { text.into() };
            let bare = || Some("Bearer realm=\"Desk\"".to_owned());
            let error = |error: &str, text: &str| {
                Some(format!("Bearer realm=\"Desk\", error=\"{error}\", error_description=\"{text}\""))
            };
            let refused = |message: String, code: &str| json!({"error": code, "message": message});
            let expected = match gets {
                In(subject, presented) => {
                    assert_eq!((status, &challenge), (200, &None), "{row}: {body}");
                    assert_eq!(body["result"]["content"][0]["text"], "seen", "{row}");
                    let (caller, handed) = reached.unwrap();
                    match *subject {
                        "key-*" => assert!(Fingerprint::is_subject(&caller), "{row}: {caller}"),
                        subject => assert_eq!(caller, subject, "{row}"),
                    }
                    let presented: Lines = presented.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
                    assert_eq!(handed, presented, "{row}");
                    continue;
                }
                Invalid(code, text) => (401, error("invalid_token", text), refused(words(text, false), code)),
                InvalidUnclear(code, text) => (401, error("invalid_token", text), refused(words(text, true), code)),
                Missing(code, text) => (401, bare(), refused(words(text, *code == "missing"), code)),
                MissingUnclear(code, text) => (401, bare(), refused(words(text, true), code)),
                Malformed(text) => (400, error("invalid_request", text), refused(words(text, false), "malformed")),
                NotNow(code) => (503, None, refused(NOT_NOW.to_owned(), code)),
            };
            assert_eq!((status, challenge, body), expected, "{row}");
            assert_eq!(reached, None, "{row}");
        }
        let secrets: Vec<_> = desk.names.values().cloned().collect();
        let probed = format!("{:?}", desk.crm.probes.lock().unwrap());
        assert!(secrets.iter().all(|secret| !probed.contains(secret)), "{}: a key of ours has left", self.what);
        desk.server.stop().await;
    }
}

const UNKNOWN: &str = "This API key is not known here. Ask whoever runs this server for a new one.";
const DAMAGED: &str = "The API key is incomplete or mistyped. Copy it again, whole, with nothing before or after it.";
const EXPIRED: &str = "This API key expired at 2026-01-01 00:01:00 UTC. Ask whoever runs this server for a new one.";
const REVOKED: &str =
    "This API key was revoked at 2026-01-01 00:00:00 UTC. Ask whoever runs this server for a new one.";
const UNRECOGNISED: &str =
    "What was sent is no API key of this server: those begin with bhk_. Ask whoever runs this server for a new one.";
const REFUSED: &str =
    "The system behind does not accept what was sent. Look whether it is yours, whole and still good there.";
const OWN_KEY: &str =
    "This is an API key that was issued here, and your own of the system behind is asked for. Enter that one.";
const BLOCKED: &str = "This sign-in was cut off at 2026-01-01 00:01:01 UTC. Ask whoever runs this server.";
const TWICE: &str = "The header `X-Api-Key` was sent more than once. Send it once, with one key or token.";

/// The rows for a key of ours as a bearer token.
fn issued_bearer_rows() -> Vec<Row> {
    vec![
        (&[("authorization", "Bearer {key}")], In(ALICE, &[])),
        (&[("authorization", "bearer  {key}")], In(ALICE, &[])),
        (&[("authorization", "Bearer {unknown}")], Invalid("unknown", UNKNOWN)),
        (&[("authorization", "Bearer {cut}")], Invalid("damaged", DAMAGED)),
        (&[("authorization", "Bearer {expired}")], Invalid("expired", EXPIRED)),
        (&[("authorization", "Bearer {revoked}")], Invalid("revoked", REVOKED)),
    ]
}

#[tokio::test]
async fn api_key_issued() {
    let mut rows = issued_bearer_rows();
    rows.extend::<Vec<Row>>(vec![
        (&[], Missing("missing", NOBODY)),
        (&[("x-api-key", "{key}")], Missing("missing", NOBODY)),
        (&[("authorization", "Basic YTpi")], Missing("missing", NOBODY)),
        (&[("authorization", "Bearer crm-alice")], Invalid("unrecognised", UNRECOGNISED)),
        (
            &[("authorization", "Bearer {key-a}")],
            Invalid(
                "wrong_header",
                "This API key was made for the header `X-Api-Key`. Send it there, or ask for one without that limit.",
            ),
        ),
        (
            &[("authorization", "{key}")],
            Malformed("The header `Authorization` holds a key alone. Put the word `Bearer` and a blank before it."),
        ),
    ]);
    let ways = "Send your API key in the header `Authorization`, as `Bearer` and the key.";
    Table { what: "api_key, issued", auth: "auth.mode = \"api_key\"", ways, rows }.check().await;

    let rows: Vec<Row> = vec![
        (&[("x-api-key", "{key}")], In(ALICE, &[])),
        (&[("x-api-key", "{key-a}"), ("authorization", "Bearer crm-alice")], In(ALICE, &[])),
        (&[("x-api-key", "{unknown}")], Invalid("unknown", UNKNOWN)),
        (&[("x-api-key", "crm-alice")], Invalid("unrecognised", UNRECOGNISED)),
        (&[("x-api-key", "{expired-a}")], Invalid("expired", EXPIRED)),
        (&[("x-api-key", "{revoked}")], Invalid("revoked", REVOKED)),
        (&[("x-api-key", "{key}"), ("x-api-key", "{key}")], Malformed(TWICE)),
        (&[("authorization", "Bearer {key}")], Missing("missing", NOBODY)),
    ];
    let auth = "auth.mode = \"api_key\"\nauth.api_key.header = \"X-Api-Key\"";
    let ways = "Send your API key in the header `X-Api-Key`, with nothing before or after it.";
    Table { what: "api_key in a header, issued", auth, ways, rows }.check().await;
}

#[tokio::test]
async fn api_key_handed_through_with_a_probe() {
    let rows: Vec<Row> = vec![
        (&[("authorization", "Bearer crm-alice")], In(ALICE, &[("authorization", "Bearer crm-alice")])),
        (&[("authorization", "bEARER  crm-bob")], In(BOB, &[("authorization", "Bearer crm-bob")])),
        (&[("authorization", "Bearer crm-nobody")], Invalid("refused", REFUSED)),
        (&[], Missing("missing", NOBODY)),
        (&[("authorization", "Basic YTpi")], Missing("missing", NOBODY)),
        (&[("x-api-key", "crm-alice")], Missing("missing", NOBODY)),
        (&[("authorization", "Bearer {key}")], Invalid("own_key", OWN_KEY)),
        (&[("authorization", "Bearer {revoked}")], Invalid("own_key", OWN_KEY)),
        (&[("authorization", "Bearer {cut}")], Invalid("own_key", OWN_KEY)),
        (&[("authorization", "Bearer crm-down")], NotNow("judge_unavailable")),
        (&[("authorization", "Bearer crm-odd")], NotNow("judge_unavailable")),
    ];
    let auth = "[auth]\nmode = \"api_key\"\n[auth.api_key]\nverify = \"upstream\"\n\
        probe = { source = \"crm\", path = \"/me\", subject = \"/email\" }";
    let ways = "Send your own API key of the system behind in the header `Authorization`, as `Bearer` and the key.";
    Table { what: "api_key, upstream with probe", auth, ways, rows }.check().await;
}

#[tokio::test]
async fn api_key_handed_through_without_a_probe() {
    let rows: Vec<Row> = vec![
        (&[("x-api-key", "crm-alice")], In("key-*", &[("x-api-key", "crm-alice")])),
        // Nobody has judged it: the system behind will, and sees it as it is.
        (&[("x-api-key", "crm-nobody")], In("key-*", &[("x-api-key", "crm-nobody")])),
        (&[("x-api-key", "crm-down"), ("authorization", "Bearer x")], In("key-*", &[("x-api-key", "crm-down")])),
        (&[], Missing("missing", NOBODY)),
        (&[("authorization", "Bearer crm-alice")], Missing("missing", NOBODY)),
        (&[("x-api-key", "{key}")], Invalid("own_key", OWN_KEY)),
        (&[("x-api-key", "Bearer {key}")], Invalid("own_key", OWN_KEY)),
        (&[("x-api-key", "crm-alice"), ("x-api-key", "crm-bob")], Malformed(TWICE)),
    ];
    let auth = "[auth]\nmode = \"api_key\"\n[auth.api_key]\nheader = \"X-Api-Key\"\nverify = \"upstream\"";
    let ways = "Send your own API key of the system behind in the header `X-Api-Key`, with nothing before or after it.";
    Table { what: "api_key, upstream without probe", auth, ways, rows }.check().await;
}

#[tokio::test]
async fn headers_issued() {
    let rows: Vec<Row> = vec![
        (&[("x-api-key", "{key-a}"), ("x-tenant", "{key-t}")], In(ALICE, &[])),
        (&[("x-api-key", "{key-a}"), ("x-tenant", "{key-t}"), ("x-region", "{key-r}")], In(ALICE, &[])),
        (&[], Missing("missing", NOBODY)),
        (&[("x-region", "{key-r}")], Missing("missing", NOBODY)),
        (
            &[("x-api-key", "{key-a}")],
            Missing("incomplete", "The header `X-Tenant` is missing. Send it too, with your own value."),
        ),
        (
            &[("x-api-key", "{key-a}"), ("x-tenant", "{unknown}")],
            Invalid(
                "unknown",
                "In the header `X-Tenant`: This API key is not known here. Ask whoever runs this server for a new one.",
            ),
        ),
        (
            &[("x-api-key", "{key-a}"), ("x-tenant", "{expired-t}")],
            Invalid(
                "expired",
                "In the header `X-Tenant`: This API key expired at 2026-01-01 00:01:00 UTC. Ask whoever runs this server for a new one.",
            ),
        ),
        (
            &[("x-api-key", "{revoked-a}"), ("x-tenant", "{key-t}")],
            Invalid(
                "revoked",
                "In the header `X-Api-Key`: This API key was revoked at 2026-01-01 00:00:00 UTC. Ask whoever runs this server for a new one.",
            ),
        ),
        (
            &[("x-api-key", "{key}"), ("x-tenant", "{key-t}")],
            Invalid(
                "made_for_no_header",
                "In the header `X-Api-Key`: This API key was not made for a header of its own. Ask whoever runs this server for one that is.",
            ),
        ),
        (
            &[("x-api-key", "{key-t}"), ("x-tenant", "{key-a}")],
            Invalid(
                "wrong_header",
                "In the header `X-Api-Key`: This API key was made for the header `X-Tenant`. Send it there, or ask for one without that limit.",
            ),
        ),
        (
            &[("x-api-key", "{key-a}"), ("x-tenant", "{bobs-t}")],
            Invalid(
                "different_teammates",
                "The API keys in `X-Api-Key` and `X-Tenant` were made for different teammates. Send those that were made for you.",
            ),
        ),
        (
            &[("x-api-key", "{key-a}"), ("x-tenant", "{key-t}"), ("x-region", "eu")],
            Invalid(
                "unrecognised",
                "In the header `X-Region`: What was sent is no API key of this server: those begin with bhk_. Ask whoever runs this server for a new one.",
            ),
        ),
        (&[("x-api-key", "{key-a}"), ("x-api-key", "{key-a}"), ("x-tenant", "{key-t}")], Malformed(TWICE)),
    ];
    let auth = "auth.mode = \"headers\"\nauth.headers = { required = [\"X-Api-Key\", \"X-Tenant\"], optional = [\"X-Region\"] }";
    let ways = "Send your API keys in the headers `X-Api-Key` and `X-Tenant`, in each the one that was made for it. You may add `X-Region`.";
    Table { what: "headers, issued", auth, ways, rows }.check().await;
}

#[tokio::test]
async fn headers_handed_through() {
    let rows: Vec<Row> = vec![
        (
            &[("x-api-key", "crm-alice"), ("x-tenant", "north")],
            In(ALICE, &[("x-api-key", "crm-alice"), ("x-tenant", "north")]),
        ),
        (
            &[("X-Tenant", "north"), ("X-Region", "eu"), ("X-Api-Key", "crm-bob")],
            In(BOB, &[("x-api-key", "crm-bob"), ("x-region", "eu"), ("x-tenant", "north")]),
        ),
        (&[("x-api-key", "crm-nobody"), ("x-tenant", "north")], Invalid("refused", REFUSED)),
        (&[("x-api-key", "crm-down"), ("x-tenant", "north")], NotNow("judge_unavailable")),
        (&[], Missing("missing", NOBODY)),
        (
            &[("x-tenant", "north")],
            Missing("incomplete", "The header `X-Api-Key` is missing. Send it too, with your own value."),
        ),
        (&[("x-api-key", "crm-alice"), ("x-tenant", "{key-t}")], Invalid("own_key", OWN_KEY)),
        (&[("x-api-key", "crm-alice"), ("x-tenant", "north"), ("x-region", "{key-r}")], Invalid("own_key", OWN_KEY)),
    ];
    let auth = "[auth]\nmode = \"headers\"\n[auth.headers]\nrequired = [\"X-Api-Key\", \"X-Tenant\"]\noptional = [\"X-Region\"]\n\
        verify = \"upstream\"\nprobe = { source = \"crm\", path = \"/me\", subject = \"/email\" }";
    let ways =
        "Send your own values for the system behind in the headers `X-Api-Key` and `X-Tenant`. You may add `X-Region`.";
    Table { what: "headers, upstream with probe", auth, ways, rows }.check().await;

    let rows: Vec<Row> = vec![
        (
            &[("x-api-key", "crm-nobody"), ("x-tenant", "north"), ("x-region", "eu")],
            In("key-*", &[("x-api-key", "crm-nobody"), ("x-region", "eu"), ("x-tenant", "north")]),
        ),
        (
            &[("x-api-key", "crm-alice")],
            Missing("incomplete", "The header `X-Tenant` is missing. Send it too, with your own value."),
        ),
        (&[("x-api-key", "{unknown}"), ("x-tenant", "north")], Invalid("own_key", OWN_KEY)),
    ];
    let auth = "[auth]\nmode = \"headers\"\n[auth.headers]\nrequired = [\"X-Api-Key\", \"X-Tenant\"]\noptional = [\"X-Region\"]\nverify = \"upstream\"";
    Table { what: "headers, upstream without probe", auth, ways, rows }.check().await;
}

/// Ours as a bearer token, theirs in headers: each is told by its form, whichever stands first.
#[tokio::test]
async fn ours_beside_theirs() {
    let [key, values] = [
        "Send your API key in the header `Authorization`, as `Bearer` and the key.",
        "Send your own values for the system behind in the headers `X-Crm-Key` and `X-Tenant`.",
    ];
    for (modes, ways) in [
        ("[\"api_key\", \"headers\"]", format!("{key} Or: {values}")),
        ("[\"headers\", \"api_key\"]", format!("{values} Or: {key}")),
    ] {
        let mut rows = issued_bearer_rows();
        rows.extend::<Vec<Row>>(vec![
            (
                &[("x-crm-key", "crm-bob"), ("x-tenant", "north")],
                In(BOB, &[("x-crm-key", "crm-bob"), ("x-tenant", "north")]),
            ),
            // Somebody else's token in Authorization is not in the way.
            (
                &[("authorization", "Bearer other"), ("x-crm-key", "crm-bob"), ("x-tenant", "north")],
                In(BOB, &[("x-crm-key", "crm-bob"), ("x-tenant", "north")]),
            ),
            (&[], Missing("missing", NOBODY)),
            (&[("authorization", "Bearer other")], InvalidUnclear("unrecognised", UNRECOGNISED)),
            (
                &[("x-crm-key", "crm-bob")],
                MissingUnclear("incomplete", "The header `X-Tenant` is missing. Send it too, with your own value."),
            ),
            (
                &[("authorization", "Bearer other"), ("x-crm-key", "crm-bob")],
                MissingUnclear("incomplete", "The header `X-Tenant` is missing. Send it too, with your own value."),
            ),
            (&[("x-crm-key", "crm-nobody"), ("x-tenant", "north")], InvalidUnclear("refused", REFUSED)),
            (&[("x-crm-key", "crm-down"), ("x-tenant", "north")], NotNow("judge_unavailable")),
            (&[("authorization", "Bearer {key}"), ("x-crm-key", "crm-down")], In(ALICE, &[])),
            (&[("x-crm-key", "{key}"), ("x-tenant", "north")], InvalidUnclear("own_key", OWN_KEY)),
        ]);
        let auth = format!(
            "[auth]\nmode = {modes}\n[auth.headers]\nrequired = [\"X-Crm-Key\", \"X-Tenant\"]\nverify = \"upstream\"\n\
             probe = {{ source = \"crm\", path = \"/me\", subject = \"/email\" }}"
        );
        Table { what: modes, auth: &auth, ways: &ways, rows }.check().await;
    }
}

/// Ours in headers, theirs as a bearer token, and both in one header.
#[tokio::test]
async fn theirs_beside_ours() {
    let rows: Vec<Row> = vec![
        (&[("x-api-key", "{key-a}")], In(ALICE, &[])),
        (&[("authorization", "Bearer crm-bob")], In("key-*", &[("authorization", "Bearer crm-bob")])),
        (
            &[("x-api-key", "other"), ("authorization", "Bearer crm-bob")],
            In("key-*", &[("authorization", "Bearer crm-bob")]),
        ),
        // A key of ours that is no longer good is told so, and nothing is handed on instead.
        (
            &[("x-api-key", "{revoked-a}"), ("authorization", "Bearer crm-bob")],
            Invalid(
                "revoked",
                "In the header `X-Api-Key`: This API key was revoked at 2026-01-01 00:00:00 UTC. Ask whoever runs this server for a new one.",
            ),
        ),
        (&[("authorization", "Bearer {key-a}")], InvalidUnclear("own_key", OWN_KEY)),
        (&[], Missing("missing", NOBODY)),
    ];
    let auth = "[auth]\nmode = [\"headers\", \"api_key\"]\n[auth.headers]\nrequired = [\"X-Api-Key\"]\n[auth.api_key]\nverify = \"upstream\"";
    let ways = "Send your API key in the header `X-Api-Key`. Or: Send your own API key of the system behind in the header `Authorization`, as `Bearer` and the key.";
    Table { what: "headers issued beside api_key upstream", auth, ways, rows }.check().await;

    for modes in ["[\"headers\", \"api_key\"]", "[\"api_key\", \"headers\"]"] {
        let rows: Vec<Row> = vec![
            (&[("authorization", "Bearer {key}")], In(ALICE, &[])),
            (&[("authorization", "Bearer crm-bob")], In("key-*", &[("authorization", "Bearer crm-bob")])),
            (&[("authorization", "Basic YTpi")], In("key-*", &[("authorization", "Basic YTpi")])),
            (&[("authorization", "Bearer {revoked}")], Invalid("revoked", REVOKED)),
            (&[("authorization", "Bearer {cut}")], Invalid("damaged", DAMAGED)),
        ];
        let auth =
            format!("[auth]\nmode = {modes}\n[auth.headers]\nrequired = [\"Authorization\"]\nverify = \"upstream\"");
        Table { what: "one header for both", auth: &auth, ways: "", rows }.check().await;
    }
}

/// P2: whoever is handed through is cut off by the name that the audit shows, for them alone, on
/// every replica at once; and stays so.
#[tokio::test]
async fn callers_without_a_key_of_ours_are_cut_off() {
    for (auth, named) in [
        ("[auth]\nmode = \"api_key\"\n[auth.api_key]\nheader = \"X-Api-Key\"\nverify = \"upstream\"", None),
        (
            "[auth]\nmode = \"api_key\"\n[auth.api_key]\nheader = \"X-Api-Key\"\nverify = \"upstream\"\n\
             probe = { source = \"crm\", path = \"/me\", subject = \"/email\" }",
            Some("mallory@example.com"),
        ),
        ("[auth]\nmode = \"headers\"\n[auth.headers]\nrequired = [\"X-Api-Key\"]\nverify = \"upstream\"", None),
    ] {
        let desk = Desk::open(auth).await;
        let other = desk.server.replica().await;
        assert_eq!(desk.call(&[("x-api-key", "crm-mallory")]).await.0, 200);
        let (subject, _) = desk.reached().unwrap();
        assert!(named.map_or(Fingerprint::is_subject(&subject), |named| named == subject), "{subject}");
        other.block(&subject).await;
        let (status, challenge, body) = desk.call(&[("x-api-key", "crm-mallory")]).await;
        assert_eq!((status, body), (401, json!({"error": "blocked", "message": BLOCKED})));
        let expected = format!("Bearer realm=\"Desk\", error=\"invalid_token\", error_description=\"{BLOCKED}\"");
        assert_eq!(challenge, Some(expected));
        assert_eq!(desk.reached(), None);
        assert_eq!(desk.call(&[("x-api-key", "crm-bob")]).await.0, 200, "for them alone");
        other.stop().await;
        desk.server.stop().await;
    }
}

/// What the system behind withdraws is noticed when the remembered answer's time is over; what it
/// grants, within seconds.
#[tokio::test]
async fn the_system_behind_is_asked_seldom_and_believed_for_minutes() {
    let auth = "[auth]\nmode = \"api_key\"\n[auth.api_key]\nverify = \"upstream\"\nprobe = { source = \"crm\", path = \"/me\", subject = \"/email\" }";
    let desk = Desk::open(auth).await;
    let bob = [("authorization", "Bearer crm-bob")];
    let new = [("authorization", "Bearer crm-new")];
    for _ in 0..3 {
        assert_eq!(desk.call(&bob).await.0, 200);
        assert_eq!(desk.call(&new).await.0, 401);
    }
    assert_eq!(desk.crm.probes.lock().unwrap().len(), 2);
    desk.crm.accounts.lock().unwrap().remove("crm-bob");
    desk.crm.accounts.lock().unwrap().insert("crm-new".to_owned(), "new@example.com");
    desk.server.clock.advance(Duration::from_secs(10));
    assert_eq!((desk.call(&bob).await.0, desk.call(&new).await.0), (200, 200));
    desk.server.clock.advance(Duration::from_secs(290));
    let (status, _, body) = desk.call(&bob).await;
    assert_eq!((status, body["error"].as_str()), (401, Some("refused")));
    assert_eq!(desk.crm.probes.lock().unwrap().len(), 4);
    desk.server.stop().await;
}
