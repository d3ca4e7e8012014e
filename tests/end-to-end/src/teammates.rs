//! A server with sign-in for clients that sign in by themselves: the warehouse, two teammates, and whatever stands outside.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use bridgehead_auth::issuer::NewClient;
use bridgehead_harness::{
    Replica, TestServer, WAREHOUSE_TABLES,
    outside::{Ca, Names},
};
use serde_json::{Value, json};

use crate::{
    browser::{ALICE, Answer, BOB, Browser, Person},
    oauth,
    signing_in::Callback,
};

/// One tool that reads and one that writes; what stands in front of it is the test's.
pub const TOOLS: &str = "
[sources.stock]
type = \"sql\"
url = \"sqlite:warehouse.db\"
seed = \"warehouse.sql\"
[sources.stock.tools.find_stock]
description = \"Units of one article on hand, per location.\"
sql = \"SELECT location, units FROM stock WHERE sku = :sku ORDER BY location\"
parameters.sku = { type = \"string\", description = \"Stock keeping unit, e.g. A-1\" }
[sources.stock.tools.adjust_stock]
description = \"Changes how many units of an article lie at a location.\"
sql = \"UPDATE stock SET units = units + :change WHERE sku = :sku AND location = :location\"
parameters.sku = { type = \"string\", description = \"Stock keeping unit, e.g. A-1\" }
parameters.location = { type = \"string\", description = \"NORTH or SOUTH\" }
parameters.change = { type = \"integer\", description = \"Units to add, negative to take away\" }
";

/// Where the metadata document of a client is, which [`start`] serves.
pub const DOCUMENT: &str = "https://client.example/oauth/client.json";

/// That document: loopback redirects, whose port does not matter.
const DOCUMENT_TEXT: &str = r#"{"client_id": "https://client.example/oauth/client.json", "client_name": "Documented",
"redirect_uris": ["http://127.0.0.1/callback", "http://localhost/oauth/callback"], "token_endpoint_auth_method": "none",
"grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"]}"#;

/// An address of the public internet; what leads there is led back to this machine.
const OUTSIDE: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

/// Starts a server of the mode `oauth` on loopback, with Alice and Bob, and [`DOCUMENT`] on the internet.
pub async fn start() -> TestServer {
    start_with(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"oauth\"\n[store]\nurl = \"sqlite:bridgehead.db\"\n",
    )
    .await
}

/// As [`start`], with these sections instead of its own before the tools.
pub async fn start_with(front: &str) -> TestServer {
    let ca = Arc::new(Ca::default());
    let port = ca.serve("client.example", DOCUMENT_TEXT).await;
    let names = Names::here(&["localhost"]).and("client.example", OUTSIDE);
    let detour = move |address| (address == OUTSIDE).then_some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let server = TestServer::with(&format!("name = \"Warehouse\"\n{front}{TOOLS}"))
        .file("warehouse.sql", WAREHOUSE_TABLES)
        .way_out(move |net| ca.net(net, names.clone(), true).with_detour(detour))
        .start()
        .await;
    for person in [ALICE, BOB] {
        server.user(person.mail, person.password, "tools:read tools:write").await;
    }
    server
}

/// Makes a client with a secret for these redirect URIs; as the scripts take it.
pub async fn preregister(server: &Replica, name: &str, redirect_uris: &[&str]) -> Value {
    let redirect_uris = redirect_uris.iter().map(|uri| (*uri).to_owned()).collect();
    let new = NewClient { preset: None, name: Some(name.to_owned()), redirect_uris, public: false };
    let (record, secret) = server.issuer().add_client(new).await.expect("a client");
    json!({"client_id": record.id.as_str(), "client_secret": secret.expect("a secret").expose()})
}

/// Calls a tool with a token as any client would, and returns the status, the challenge, and the result.
pub async fn call(server: &Replica, token: &str, tool: &str, arguments: Value) -> (u16, String, Value) {
    let message =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
    let request = server.post().bearer_auth(token).header("mcp-protocol-version", "2025-11-25");
    let answer = request.body(message.to_string()).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let challenge = answer.headers().get("www-authenticate").map(|value| value.to_str().expect("ASCII").to_owned());
    let body: Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    (status, challenge.unwrap_or_default(), body["result"].clone())
}

/// An access token for somebody, as the smallest client gets one: it registers, sends the browser, and exchanges the code.
pub async fn token(server: &Replica, browser: &Browser, person: Person) -> String {
    let callback = Callback::listen().await;
    let metadata =
        json!({"client_name": "Smallest", "redirect_uris": [callback.url], "token_endpoint_auth_method": "none"});
    let registered = server.client().post(format!("{}/oauth/register", server.origin)).json(&metadata).send().await;
    let registered: Value = registered.expect("an answer").json().await.expect("JSON");
    let client_id = registered["client_id"].as_str().expect("an id").to_owned();
    let redirect = callback.url.clone();
    let request = oauth::query(&client_id, &[("redirect_uri", &redirect)]);
    let url = format!("{}/oauth/authorize?{request}", server.origin);
    let (visit, arrived) = tokio::join!(browser.authorize(person, &url, Answer::Allow), callback.arrived());
    assert!(visit["arrived"].is_string(), "{visit}");
    let code = oauth::parameter(&arrived.parse().expect("a URL"), "code").expect("a code");
    let form = oauth::encoded(&[
        ("grant_type", "authorization_code"),
        ("client_id", &client_id),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("code_verifier", oauth::VERIFIER),
    ]);
    let request = server.client().post(format!("{}/oauth/token", server.origin)).body(form);
    let answer = request.header("content-type", "application/x-www-form-urlencoded").send().await;
    let tokens: Value = answer.expect("an answer").json().await.expect("JSON");
    tokens["access_token"].as_str().unwrap_or_else(|| panic!("no token: {tokens}")).to_owned()
}
