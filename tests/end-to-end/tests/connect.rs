//! P1, D1: the page at `/` towards strangers and teammates: who sees which tools, the way to the account and
//! back, and that nothing of the configuration that is secret stands on it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::{
    hunt::{Haystack, Hunted},
    oauth::{ALICE, Browser, PASSWORD, Site, warehouse},
};
use bridgehead_harness::TestServer;

const BOB: &str = "bob@example.com";

/// What the tools of [`warehouse`] are recognised by.
const READS: &str = "Units of one article on hand, per location.";
const WRITES: &str = "Sets the units of one article at one location.";

/// Everybody sees all tools, or nobody any, or each teammate theirs.
#[tokio::test]
async fn tools_are_shown_to_whom_the_configuration_says() {
    const HIDDEN: &str = "pages.tools = \"signed_in\"";
    const PUBLIC: &str = "pages.tools = \"public\"";
    for (top, auth, shown) in [
        ("", "mode = \"open\"", true),
        (HIDDEN, "mode = \"open\"", false),
        ("", "mode = \"api_key\"", false),
        (PUBLIC, "mode = \"api_key\"", true),
        ("", "mode = \"oauth\"", false),
        (PUBLIC, "mode = \"oauth\"", true),
    ] {
        let server = warehouse(top, auth).start().await;
        let page = Site::of(&[&server]).get("/").await;
        assert_eq!(page.status, 200, "{}", page.text);
        for description in [READS, WRITES] {
            assert_eq!(page.text.contains(description), shown, "{top} {auth}: {description}");
        }
        server.stop().await;
    }
}

/// A teammate sees what their scopes let them call, and what they ask for of it. The sign-in leads back.
#[tokio::test]
async fn a_teammate_signs_in_and_sees_their_tools() {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    server.user(BOB, PASSWORD, "tools:read").await;
    let site = Site::of(&[&server]);
    let mut alice = Browser::new(&site);
    let stranger = alice.get("/").await.text;
    assert!(stranger.contains("href=\"/login?next=%2F\"") && !stranger.contains("/account\""), "{stranger}");

    let form = alice.get("/login?next=%2F").await;
    assert!(form.text.contains("href=\"/\""), "{}", form.text);
    let pairs = [("mail", ALICE), ("password", PASSWORD), ("next", &form.hidden("next"))];
    let answer = alice.post("/login", &pairs).await;
    assert_eq!((answer.status, answer.header("location").as_str()), (303, "/"), "{}", answer.text);
    let page = alice.get("/").await.text;
    for part in [ALICE, "href=\"/account\"", READS, WRITES, "tools:write", "Grade", "tokens on them"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(alice.get("/account").await.text.contains("href=\"/\""));

    let found = alice.get("/?find=UNITS+sets").await.text;
    assert!(found.contains("1 of 2 tools fit") && found.contains(WRITES) && !found.contains(READS), "{found}");
    let hostile = alice.get("/?find=%3Cscript%3E").await.text;
    assert!(hostile.contains("&#60;script&#62;") && !hostile.contains("<script>"), "{hostile}");

    let mut bob = Browser::new(&site);
    bob.sign_in(BOB, PASSWORD).await;
    for path in ["/", "/?find=sets"] {
        let page = bob.get(path).await.text;
        assert!(!page.contains(WRITES) && !page.contains("set_units"), "{path}: {page}");
    }
    assert!(bob.get("/").await.text.contains(READS));
    server.stop().await;
}

/// The page's policy lets the one script run that this server serves, and no other.
#[tokio::test]
async fn the_script_is_served_as_one() {
    let server = warehouse("", "mode = \"open\"").start().await;
    let site = Site::of(&[&server]);
    let policy = site.get("/").await.header("content-security-policy");
    assert!(policy.contains("script-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let script = site.get("/copy.js").await;
    assert_eq!((script.status, script.header("content-type").as_str()), (200, "text/javascript; charset=utf-8"));
    assert_eq!(script.header("x-content-type-options"), "nosniff");
    server.stop().await;
}

/// Secrets of a configuration, by variable.
const SECRETS: [(&str, &str); 4] = [
    ("CRM_TOKEN", "crmTok/9fQ+zLw7~vT2=Ke"),
    ("IDP_SECRET", "idpSec/6dP+sGk3~uW5=Yx"),
    ("VAULT_SECRET", "vltSec/2aM+eHv9~iB4=Zo"),
    ("INTROSPECT", "intSec/8cJ+rDn5~yF1=Ut"),
];
/// The root key: `bhs_` and 32 bytes.
const ROOT_KEY: &str = "bhs_q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s";

const FIXED: &str = "credential = { header = \"Authorization\", value = \"Bearer ${CRM_TOKEN}\" }";
const FROM_CALLER: &str = "credential = { from = \"caller\" }";
const FROM_VAULT: &str = "credential = { vault = \"crm\" }";
const VAULT: &str = "[vaults.crm.oauth]\nauthorization_url = \"https://crm.invalid/authorize\"\n\
    token_url = \"https://crm.invalid/token\"\nclient_id = \"bridgehead\"\nclient_secret = \"${VAULT_SECRET}\"\n";

/// Every mode, with what else may be secret beside it.
const MODES: [(&str, &str); 11] = [
    ("mode = \"open\"", FIXED),
    ("mode = \"api_key\"", FIXED),
    ("mode = \"api_key\"\napi_key = { header = \"X-Api-Key\", verify = \"upstream\" }", FROM_CALLER),
    ("mode = \"headers\"\nheaders = { required = [\"X-Api-Key\", \"X-Tenant\"] }", FIXED),
    ("mode = \"headers\"\nheaders = { required = [\"X-Api-Key\"], verify = \"upstream\" }", FROM_CALLER),
    ("mode = \"oauth\"", FIXED),
    ("mode = \"oauth\"\noauth.registration = \"closed\"", FIXED),
    ("mode = \"oauth\"", FROM_VAULT),
    ("mode = [\"oauth\", \"api_key\"]", FIXED),
    (
        "mode = \"oauth\"\noauth.login = { issuer = \"https://idp.invalid\", client_id = \"bridgehead\", \
         client_secret = \"${IDP_SECRET}\", domains = [\"example.com\"] }",
        FIXED,
    ),
    (
        "mode = \"oauth\"\noauth = { issuer = \"https://idp.invalid\", \
         introspection = { client_id = \"bridgehead\", client_secret = \"${INTROSPECT}\" } }",
        FIXED,
    ),
];

fn configuration(auth: &str, credential: &str) -> String {
    let vault = if credential == FROM_VAULT { VAULT } else { "" };
    format!(
        "name = \"CRM\"\npages.tools = \"public\"\nsecrets.keys = [\"${{BRIDGEHEAD_KEYS}}\"]\n\
         store.url = \"sqlite:bridgehead.db\"\n[server]\nlisten = \"127.0.0.1:0\"\n[auth]\n{auth}\n{vault}\
         [sources.crm]\ntype = \"http\"\n{credential}\n[sources.crm.tools.find_customer]\n\
         description = \"Finds one customer by number and returns name and address.\"\n\
         request = {{ url = \"https://crm.invalid/customers/{{number}}\" }}\n\
         parameters.number = {{ type = \"integer\", description = \"The customer's number, for example 4711\" }}\n"
    )
}

/// In each mode, with all tools shown: neither a stranger nor a teammate finds a secret of the configuration,
/// in any form, or a key or cookie of anybody.
#[tokio::test]
async fn nothing_secret_is_on_the_page() {
    let mut haystack = Haystack::default();
    let mut hunted: Vec<Hunted> = SECRETS.iter().map(|(name, secret)| Hunted::new(name, secret)).collect();
    hunted.push(Hunted::new("the root key", ROOT_KEY.strip_prefix("bhs_").unwrap()));
    for (auth, credential) in MODES {
        let mut builder = TestServer::with(&configuration(auth, credential)).variable("BRIDGEHEAD_KEYS", ROOT_KEY);
        for (name, secret) in SECRETS {
            builder = builder.variable(name, secret);
        }
        let server = builder.start().await;
        let (_, key) = server.key(ALICE, "tools:read", None).await;
        hunted.push(Hunted::new("a key", key.rsplit('_').next().unwrap()));
        server.user(ALICE, PASSWORD, "tools:read").await;
        hunted.push(Hunted::new("the password", PASSWORD));
        let site = Site::of(&[&server]);
        let mut pages = vec![site.get("/").await];
        if auth.contains("oauth") && !auth.contains("issuer") {
            let mut browser = Browser::at(&site, &server.origin);
            browser.sign_in(ALICE, PASSWORD).await;
            let cookie = browser.cookie.clone().unwrap();
            hunted.push(Hunted::new("the session", cookie.split_once('=').unwrap().1));
            pages.push(browser.get("/?find=customer").await);
        }
        for page in pages {
            assert!(page.status == 200 && page.text.contains("find_customer"), "{auth}: {}", page.text);
            haystack.add(auth, format!("{:?}{}", page.headers, page.text));
        }
        server.stop().await;
    }
    assert!(haystack.bytes() > 100_000);
    assert_eq!(haystack.finds(&hunted), Vec::<String>::new());
}
