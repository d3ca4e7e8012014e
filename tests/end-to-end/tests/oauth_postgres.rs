//! A4 and H1: two replicas on one PostgreSQL database, each step of a sign-in answered by another of
//! them than the step before, and both at once where a client races itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::oauth::{ALICE, Browser, CALLBACK, PASSWORD, Site, configuration, parameter, query};
use bridgehead_harness::{TestServer, WAREHOUSE_TABLES, postgres::Database};
use serde_json::json;

#[tokio::test]
async fn a_teammate_connects_to_replicas_on_postgresql() {
    let database = Database::empty().await;
    let config = configuration("", "mode = \"oauth\"\n[secrets]\nkeys = [\"file:bridgehead.keys\"]")
        .replace("sqlite:bridgehead.db", &database.url());
    let first = TestServer::with(&config).file("warehouse.sql", WAREHOUSE_TABLES).start().await;
    let second = first.replica().await;
    first.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&first, &second]);
    let client = site.public_client(CALLBACK).await;
    let mut browser = Browser::new(&site);
    let sent = browser.consent(&query(&client, &[])).await;
    let next = browser.get(&sent.header("location")).await.hidden("next");
    let signed_in = browser.post("/login", &[("mail", ALICE), ("password", PASSWORD), ("next", &next)]).await;
    let page = browser.get(&signed_in.header("location")).await;
    let back = browser.decide(&page, "allow", &["tools:write"]).await.goes_back_to();
    let code = parameter(&back, "code").unwrap();
    // Only one of two that exchange it at once gets tokens, and those are revoked: it was used twice.
    let (one, other) = tokio::join!(site.exchange(&client, &code), site.exchange(&client, &code));
    let mut statuses = [one.status, other.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400], "{} {}", one.text, other.text);
    let won = if one.status == 200 { one } else { other };
    assert!(!site.reads(won.json()["access_token"].as_str().unwrap()).await);

    let tokens = site.connect(&client).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let (one, other) = tokio::join!(site.refresh(&client, refresh), site.refresh(&client, refresh));
    assert_eq!((one.status, other.status), (200, 200), "{} {}", one.text, other.text);
    assert_eq!(one.json()["refresh_token"], other.json()["refresh_token"]);
    let access = one.json()["access_token"].as_str().unwrap().to_owned();
    assert!(site.reads(&access).await && site.reads(&access).await);
    let revoked = site.post("/oauth/revoke", &[("client_id", &client), ("token", &access)]).await;
    assert_eq!(revoked.status, 200);
    for _ in 0..2 {
        assert_eq!(site.rpc(Some(&access), "tools/list", json!({})).await.status, 401);
    }
    second.stop().await;
    first.stop().await;
}
