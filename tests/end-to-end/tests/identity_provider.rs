//! An identity provider in front of the built-in authorization server (A7): real clients through a real Chromium and real
//! providers of two makes; what changes there is felt here; and whoever is refused reads why.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use std::time::Duration;

use bridgehead_end_to_end::{
    browser::{self, Answer, Browser, Directory, Person},
    idp::{self, Idp},
    oauth,
    signing_in::{Client, Script},
    teammates::{self, TOOLS},
};
use bridgehead_harness::{TestServer, WAREHOUSE_TABLES, process::bridgehead};
use serde_json::{Value, json};
use url::Url;

/// Longer than an access token lives.
const LATER: Duration = Duration::from_secs(16 * 60);
const SECRET: &str = "a secret of Bridgehead, with : and & in it";

const fn at_the_provider(name: &'static str, password: &'static str) -> Option<Directory> {
    Some(Directory { name, password, cancels: false })
}

const ALICE: Person = Person { directory: at_the_provider("alice", "PASSWORD-OF-alice"), ..browser::ALICE };
const BOB: Person = Person { directory: at_the_provider("bob", "PASSWORD-OF-bob"), ..browser::BOB };

/// Two teammates, and what their groups let them do here.
fn people() -> Value {
    json!({
        "alice": {"email": ALICE.mail, "email_verified": true, "name": "Alice", "groups": ["buyers", "chess"]},
        "bob": {"email": BOB.mail, "email_verified": true, "name": "Bob", "groups": ["chess"]},
    })
}

fn config(issuer: &str) -> String {
    format!(
        "name = \"Warehouse\"
[server]
listen = \"127.0.0.1:0\"
[auth]
mode = \"oauth\"
[auth.oauth.login]
issuer = \"{issuer}\"
client_id = \"bridgehead\"
client_secret = \"{SECRET}\"
domains = [\"example.com\"]
groups = {{ staff = [\"tools:read\"], buyers = [\"tools:read\", \"tools:write\"] }}
[store]
url = \"sqlite:bridgehead.db\"
{TOOLS}"
    )
}

/// A server in front of which this provider stands.
async fn in_front_of(issuer: &str) -> TestServer {
    served(&config(issuer)).await
}

async fn served(config: &str) -> TestServer {
    let server = TestServer::with(config).file("warehouse.sql", WAREHOUSE_TABLES).start().await;
    idp::to_the_present(&server.clock);
    server
}

/// The same, registered at `oidc-provider` as the card says.
async fn registered_at(idp: &Idp) -> TestServer {
    let server = in_front_of(&idp.issuer).await;
    register(idp, &server).await;
    server
}

async fn register(idp: &Idp, server: &TestServer) {
    let after = json!({"post_logout_redirect_uris": [format!("{}/login?signed-out", server.origin)]});
    idp.client("bridgehead", SECRET, &[format!("{}/oauth/callback", server.origin)], after).await;
}

async fn connects_follows_the_groups_and_ends(script: Script) {
    let idp = Idp::start(&people()).await;
    let server = registered_at(&idp).await;
    let browser = Browser::start(&[]).await;
    let mut client = Client::start(script, &server.url, &json!({}), &browser, ALICE);
    let find = json!({"sku": "A-1"});
    let change = json!({"sku": "A-1", "location": "NORTH", "change": 1});

    let first = client.call("find_stock", find.clone(), true).await;
    assert_eq!(first["result"]["row_count"], 2, "{script:?}: {first}");
    assert_eq!(first["sign_ins"], 1, "{script:?}: {first}");

    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let second = client.call("adjust_stock", change.clone(), false).await;
    assert_eq!(second["result"]["affected"], 1, "{script:?}: {second}");
    assert!(
        idp.asked().await.iter().filter(|asked| *asked == "POST /token").count() >= 2,
        "the provider was asked again"
    );

    // In another group from now on: the next token lets nobody write.
    idp.person("alice", json!({"groups": ["staff"]})).await;
    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let third = client.call("find_stock", find.clone(), false).await;
    assert_eq!(third["result"]["row_count"], 2, "{script:?}: {third}");
    let token = third["token"].as_str().unwrap();
    let (status, challenge, _) = teammates::call(&server, token, "adjust_stock", change).await;
    assert_eq!(status, 403, "{script:?}");
    assert!(challenge.contains("error=\"insufficient_scope\""), "{script:?}: {challenge}");

    // Disabled there: with the next refresh everything ends, and nobody signs in anew.
    idp.person("alice", json!({"disabled": true})).await;
    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let fourth = client.call("find_stock", find, false).await;
    assert!(fourth["refused"].is_string(), "{script:?}: {fourth}");
    server.stop().await;
}

#[tokio::test]
async fn the_typescript_sdk_1_signs_in_at_a_provider() {
    connects_follows_the_groups_and_ends(Script::TypescriptV1).await;
}

#[tokio::test]
async fn the_typescript_sdk_2_signs_in_at_a_provider() {
    connects_follows_the_groups_and_ends(Script::TypescriptV2).await;
}

#[tokio::test]
async fn the_python_sdk_signs_in_at_a_provider() {
    connects_follows_the_groups_and_ends(Script::Python).await;
}

#[tokio::test]
async fn mcp_remote_signs_in_at_a_provider() {
    connects_follows_the_groups_and_ends(Script::McpRemote).await;
}

/// Its claims are in the user info, its algorithm is another one, and its keys change.
#[tokio::test]
async fn a_provider_may_tell_in_the_user_info_and_rotate_its_keys() {
    let options = json!({"people": people(), "claims_in": "userinfo", "algorithm": "ES256"});
    let idp = Idp::start_with(options).await;
    let server = registered_at(&idp).await;
    let browser = Browser::start(&[]).await;
    teammates::token(&server, &browser, ALICE).await;
    browser.sign_out(ALICE, &server.origin).await;
    idp.rotate_keys(false).await;
    server.clock.advance(Duration::from_secs(120));
    let token = teammates::token(&server, &browser, ALICE).await;
    let (status, _, found) = teammates::call(&server, &token, "find_stock", json!({"sku": "A-1"})).await;
    assert_eq!((status, &found["structuredContent"]["row_count"]), (200, &json!(2)));
    server.stop().await;
}

/// Another make: no PKCE, no `iss` in its answers, no page of its own to sign out at without a question.
#[tokio::test]
async fn a_provider_of_another_make_signs_people_in() {
    let idp = Idp::of_another_make(&people()).await;
    let server = in_front_of(&idp.issuer).await;
    let browser = Browser::start(&[]).await;
    let mut client = Client::start(Script::TypescriptV1, &server.url, &json!({}), &browser, ALICE);
    let first = client.call("find_stock", json!({"sku": "A-1"}), true).await;
    assert_eq!(first["result"]["row_count"], 2, "{first}");
    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let second = client.call("adjust_stock", json!({"sku": "A-1", "location": "NORTH", "change": 1}), false).await;
    assert_eq!(second["result"]["affected"], 1, "{second}");
    let said = browser.authorize(BOB, &asking(&server).await, Answer::Allow).await;
    assert_eq!(said["refused"], 403, "{said}");
    server.stop().await;
}

/// P2: what the provider says of a person reaches a statement, and what a client sends does not.
#[tokio::test]
async fn a_claim_of_the_provider_reaches_a_statement() {
    const STATEMENT: &str = "
[sources.stock.tools.of_my_team]
description = \"Says which team the caller is in.\"
sql = \"SELECT :team AS team, :who AS who\"
parameters.team = { type = \"string\", from = \"caller.claims.team\" }
parameters.who = { type = \"string\", from = \"caller.subject\" }
";
    let idp = Idp::start(&people()).await;
    idp.person("alice", json!({"team": "north"})).await;
    let config = config(&idp.issuer).replace("[auth.oauth.login]\n", "[auth.oauth.login]\nclaims = [\"team\"]\n");
    let server = served(&(config + STATEMENT)).await;
    register(&idp, &server).await;
    let browser = Browser::start(&[]).await;
    let mut client = Client::start(Script::TypescriptV1, &server.url, &json!({}), &browser, ALICE);
    let said = client.call("of_my_team", json!({}), true).await;
    assert_eq!(said["result"]["rows"], json!([{"team": "north", "who": ALICE.mail}]), "{said}");
    let token = said["token"].as_str().unwrap();
    let (status, _, forged) = teammates::call(&server, token, "of_my_team", json!({"team": "south"})).await;
    assert_eq!((status, &forged["_meta"]["bridgehead/error"]["code"]), (200, &json!("invalid_arguments")), "{forged}");

    // In another team from the next token on; without one, nothing is asked of the database.
    idp.person("alice", json!({"team": "south"})).await;
    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let said = client.call("of_my_team", json!({}), false).await;
    assert_eq!(said["result"]["rows"][0]["team"], "south", "{said}");
    idp.person("alice", json!({"team": null})).await;
    server.clock.advance(LATER);
    client.later(LATER.as_secs());
    let said = client.call("find_stock", json!({"sku": "A-1"}), false).await;
    let token = said["token"].as_str().unwrap();
    let (status, _, refused) = teammates::call(&server, token, "of_my_team", json!({})).await;
    assert_eq!(
        (status, &refused["_meta"]["bridgehead/error"]["code"]),
        (200, &json!("caller_lacks_claim")),
        "{refused}"
    );
    server.stop().await;
}

/// A client's way to consent.
async fn asking(server: &TestServer) -> String {
    let metadata = json!({"redirect_uris": ["https://a.example/cb"], "token_endpoint_auth_method": "none"});
    let registered = server.client().post(format!("{}/oauth/register", server.origin)).json(&metadata).send().await;
    let registered: Value = registered.unwrap().json().await.unwrap();
    let request = oauth::query(registered["client_id"].as_str().unwrap(), &[("redirect_uri", "https://a.example/cb")]);
    format!("{}/oauth/authorize?{request}", server.origin)
}

/// The state of a sign-in is the browser's that began it: bound by a cookie, and good once.
#[tokio::test]
async fn what_comes_back_belongs_to_the_browser_that_was_sent() {
    let idp = Idp::start(&people()).await;
    let server = registered_at(&idp).await;
    let browser = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let next = [("next", "/account")];
    let post = |origin: &str| {
        let request = browser.post(format!("{}/login", server.origin)).header("origin", origin);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(oauth::encoded(&next)).send()
    };
    assert_eq!(post("https://evil.example").await.unwrap().status(), 403, "no other site sends anybody there");

    let sent = post(&server.origin).await.unwrap();
    assert_eq!(sent.status(), 303);
    let there: Url = sent.headers()["location"].to_str().unwrap().parse().unwrap();
    assert!(there.as_str().starts_with(&format!("{}/auth?", idp.issuer)), "{there}");
    assert_eq!(sent.headers()["referrer-policy"], "no-referrer");
    let cookie = sent.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("bridgehead-sign-in-"), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
    let (pair, _) = cookie.split_once(';').unwrap();
    let state = oauth::parameter(&there, "state").unwrap();

    let back = format!("{}/oauth/callback?error=access_denied&state={state}&iss={}", server.origin, idp.issuer);
    let elsewhere = browser.get(&back).send().await.unwrap();
    assert_eq!(elsewhere.status(), 400);
    assert!(elsewhere.text().await.unwrap().contains("did not begin here"));
    let here = browser.get(&back).header("cookie", pair).send().await.unwrap();
    assert_eq!(here.status(), 403);
    let taken = here.headers()["set-cookie"].to_str().unwrap();
    assert!(taken.contains("=; Path=/; Max-Age=0"), "{taken}");
    assert!(here.text().await.unwrap().contains("You did not sign in"));
    let again = browser.get(&back).header("cookie", pair).send().await.unwrap();
    assert_eq!(again.status(), 400, "it was used");
    server.stop().await;
}

/// Where people sign in at a provider there are no passwords, and nothing to set one with.
#[tokio::test]
async fn there_are_no_passwords_beside_a_provider() {
    let server = in_front_of("https://login.example.com").await;
    let get = async |path: &str| server.client().get(format!("{}{path}", server.origin)).send().await.unwrap();
    let page = get("/login").await.text().await.unwrap();
    assert!(page.contains("Continue with") && !page.contains("type=\"password\""), "{page}");
    for path in ["/login/link?token=bhl_x", "/account/password"] {
        let answer = get(path).await;
        assert!(matches!(answer.status().as_u16(), 404 | 405), "{path}: {}", answer.status());
    }
    let form = server.client().post(format!("{}/account/password", server.origin)).header("origin", &server.origin);
    let answer = form.header("content-type", "application/x-www-form-urlencoded").body("").send().await.unwrap();
    assert_eq!(answer.status(), 404);
    server.stop().await;
}

/// Each refusal is a page that says why in plain words, and nothing was allowed.
#[tokio::test]
async fn whoever_is_refused_reads_why() {
    let idp = Idp::start(&people()).await;
    let server = registered_at(&idp).await;
    let browser = Browser::start(&[]).await;
    let url = asking(&server).await;
    let cancels = Person { directory: BOB.directory.map(|bob| Directory { cancels: true, ..bob }), ..BOB };
    let refused = browser.authorize(cancels, &url, Answer::Allow).await;
    assert!(refused["text"].as_str().unwrap().contains("You did not sign in"), "{refused}");

    for (change, words) in [
        (json!({}), "You are in no group that is let in here"),
        (json!({"email": "bob@elsewhere.example", "groups": ["staff"]}), "This account is not let in here"),
        (json!({"email": BOB.mail, "email_verified": false}), "Your mail address is not verified"),
        (json!({"email": ALICE.mail, "email_verified": true}), ""),
    ] {
        idp.person("bob", change.clone()).await;
        if words.is_empty() {
            // Somebody else of the provider was Alice here first.
            teammates::token(&server, &browser, ALICE).await;
            let refused = browser.authorize(BOB, &url, Answer::Allow).await;
            assert!(refused["text"].as_str().unwrap().contains("somebody else’s here"), "{refused}");
        } else {
            let refused = browser.authorize(BOB, &url, Answer::Allow).await;
            assert!(refused["text"].as_str().unwrap().contains(words), "{change}: {refused}");
        }
    }
    let users = server.users.list().await.unwrap();
    assert_eq!(users.len(), 1, "nobody but Alice became a user");
    server.stop().await;
}

/// Signing out here leads on to the provider, and both ask anew.
#[tokio::test]
async fn signing_out_ends_both_sessions() {
    let idp = Idp::start(&people()).await;
    let server = registered_at(&idp).await;
    let browser = Browser::start(&[]).await;
    teammates::token(&server, &browser, ALICE).await;
    let said = browser.sign_out(ALICE, &server.origin).await;
    assert!(said["url"].as_str().unwrap().starts_with(&format!("{}/login?signed-out", server.origin)), "{said}");
    idp.asked().await;
    teammates::token(&server, &browser, ALICE).await;
    let asked = idp.asked().await;
    assert!(asked.iter().any(|asked| asked.starts_with("POST /sign-in/")), "asked who she is: {asked:?}");
    server.stop().await;
}

/// The provider is not there when the server starts, and nobody minds before they sign in.
#[tokio::test]
async fn a_provider_that_is_not_there_keeps_no_server_from_starting() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = in_front_of(&format!("http://{gone}")).await;
    let browser = Browser::start(&[]).await;
    let refused = browser.authorize(ALICE, &asking(&server).await, Answer::Allow).await;
    assert_eq!(refused["refused"], 503, "{refused}");
    assert!(refused["text"].as_str().unwrap().contains("does not answer"), "{refused}");
    server.stop().await;
}

/// The commands on users say where people are.
#[tokio::test]
async fn people_are_added_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("bridgehead.toml"), config("https://login.example.com")).unwrap();
    std::fs::write(directory.path().join("warehouse.sql"), WAREHOUSE_TABLES).unwrap();
    let run = async |arguments: &[&str]| {
        let output = bridgehead(directory.path(), arguments).await;
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for command in [["users", "add", ALICE.mail], ["users", "invite", ALICE.mail], ["users", "passwd", ALICE.mail]] {
        let (code, said) = run(&command).await;
        assert_eq!(code, Some(2), "{command:?}: {said}");
        assert!(said.contains("teammates log in at https://login.example.com"), "{said}");
    }
    let (code, said) = run(&["users", "list"]).await;
    assert_eq!((code, said.contains("Nobody has signed in yet.")), (Some(0), true), "{said}");
    let (code, said) = run(&["users", "release", ALICE.mail]).await;
    assert_eq!((code, said.contains("nobody of an identity provider")), (Some(1), true), "{said}");
}
