//! Clients that are named by the URL of their metadata document.

use bridgehead_auth::issuer::{ClientKind, Rate};
use bridgehead_core::Fetched;
use serde_json::{Value, json};

use crate::desk::{CALLBACK, DAY, Desk, MINUTE, access, from, refresh_token, refused, request, settings};

const URL: &str = "https://a.example/client.json";

fn document(more: &Value) -> Value {
    let mut document = json!({"client_id": URL, "client_name": "Claude", "redirect_uris": [CALLBACK]});
    document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    document
}

async fn refused_as(desk: &Desk, url: &str) -> (u16, &'static str) {
    let error = desk.issuer.authorization_request(&request(url, &[]), from()).await.unwrap_err();
    (error.status().as_u16(), error.code())
}

#[tokio::test]
async fn a_client_is_known_by_its_document() {
    for desk in Desk::of_each_store().await {
        desk.web.put(URL, &document(&json!({})));
        let asked = desk.ask(URL, &[]).await;
        let view = asked.client();
        assert_eq!((view.kind, view.host.as_deref(), view.verified), (ClientKind::Document, Some("a.example"), false));
        let code = desk.code(URL, &[]).await;
        let tokens = desk.redeem(URL, &code).await.unwrap();
        desk.caller(access(&tokens)).await.unwrap();
        desk.refresh(URL, refresh_token(&tokens)).await.unwrap();
        assert_eq!(desk.web.times_asked(), 1, "a good copy is kept, for all replicas");
        desk.replica().ask(URL, &[]).await;
        assert_eq!(desk.web.times_asked(), 1);
        // The default of an hour is over: what it says now counts.
        desk.clock.advance(60 * MINUTE);
        desk.web.put(URL, &document(&json!({"redirect_uris": ["https://a.example/new"]})));
        assert_eq!(refused_as(&desk, URL).await, (400, "invalid_request"));
        desk.ask(URL, &[("redirect_uri", "https://a.example/new")]).await;
        assert_eq!(desk.web.times_asked(), 2);
    }
}

#[tokio::test]
async fn a_copy_outlives_a_failed_refresh_for_a_week() {
    let desk = Desk::new().await;
    desk.web.put(URL, &document(&json!({})));
    let code = desk.code(URL, &[]).await;
    let tokens = desk.redeem(URL, &code).await.unwrap();
    desk.web.remove(URL);
    desk.clock.advance(6 * DAY);
    let renewed = desk.refresh(URL, refresh_token(&tokens)).await.unwrap();
    desk.ask(URL, &[]).await;
    desk.clock.advance(2 * DAY);
    assert_eq!(refused_as(&desk, URL).await, (400, "invalid_client"));
    let error = desk.refresh(URL, refresh_token(&renewed)).await.unwrap_err().answer();
    assert_eq!((error.status.as_u16(), error.error), (503, "temporarily_unavailable"), "it is not to forget itself");
    desk.web.put(URL, &document(&json!({})));
    desk.refresh(URL, refresh_token(&renewed)).await.unwrap();
}

/// Nobody makes the server fetch something but by the front door.
#[tokio::test]
async fn the_token_endpoint_fetches_no_document_that_is_not_known() {
    let desk = Desk::new().await;
    desk.web.put(URL, &document(&json!({})));
    assert_eq!(refused(desk.redeem(URL, "bhc_x").await), (401, "invalid_client"));
    assert_eq!(desk.web.times_asked(), 0);
}

#[tokio::test]
async fn a_failure_is_never_kept() {
    let desk = Desk::new().await;
    for asked in 1..4 {
        assert_eq!(refused_as(&desk, URL).await, (400, "invalid_client"));
        assert_eq!(desk.web.times_asked(), asked);
    }
    assert_eq!(desk.issuer.clients(ClientKind::Document).await.unwrap(), []);
    desk.web.put(URL, &document(&json!({})));
    desk.ask(URL, &[]).await;
}

/// SSRF and look-alikes: what is not exactly a document of the draft is none, and much is not fetched.
#[tokio::test]
async fn what_is_not_a_good_document_is_refused() {
    let desk = Desk::new().await;
    let page = |status, content_type: &str, body: Vec<u8>| Fetched {
        status,
        content_type: Some(content_type.into()),
        cache_control: None,
        body,
    };
    let good = serde_json::to_vec(&document(&json!({}))).unwrap();
    let pages = [
        page(404, "application/json", good.clone()),
        page(302, "application/json", good.clone()),
        page(204, "application/json", good.clone()),
        page(200, "text/html", good.clone()),
        page(200, "application/json", b"<html>".to_vec()),
        page(200, "application/json", [good, vec![b' '; 5 * 1024]].concat()),
    ];
    for page in pages {
        desk.web.put_page(URL, page.clone());
        assert_eq!(refused_as(&desk, URL).await, (400, "invalid_client"), "{} {:?}", page.status, page.content_type);
    }
    for more in [
        json!({"client_id": "https://b.example/client.json"}),
        json!({"client_id": null}),
        json!({"redirect_uris": ["http://a.example/cb"]}),
        json!({"token_endpoint_auth_method": "client_secret_basic"}),
        json!({"client_secret": "x"}),
        json!({"token_endpoint_auth_method": "private_key_jwt"}),
    ] {
        desk.web.put(URL, &document(&more));
        assert_eq!(refused_as(&desk, URL).await, (400, "invalid_client"), "{more}");
    }
    let asked = desk.web.times_asked();
    for url in [
        "https://a.example",
        "https://a.example/",
        "https://u@a.example/x",
        "https://a.example/x/../y",
        "https://A.example/x",
        "https://a.example:443/x",
        "https://a.example/x#y",
        "http://a.example/x",
    ] {
        assert_eq!(refused_as(&desk, url).await, (400, "invalid_client"), "{url}");
    }
    assert_eq!(desk.web.times_asked(), asked, "none of them was fetched");
}

#[tokio::test]
async fn strangers_make_it_fetch_so_often_and_no_more() {
    let mut limited = settings();
    limited.limits.fetches_per_address = Rate { count: 3, per: MINUTE };
    let desk = Desk::with(limited).await;
    for number in 0..3 {
        assert_eq!(refused_as(&desk, &format!("https://a.example/{number}")).await, (400, "invalid_client"));
    }
    let query = request("https://a.example/4", &[]);
    let error = desk.issuer.authorization_request(&query, from()).await.unwrap_err();
    assert_eq!((error.status().as_u16(), error.code()), (429, "temporarily_unavailable"));
    assert!(error.retry_after().is_some());
    assert_eq!(desk.web.times_asked(), 3);
}

/// Documents that nobody signs in with make room, as registrations do; one that the operator revoked
/// is not fetched anew.
#[tokio::test]
async fn a_document_that_was_shut_out_stays_so() {
    let mut small = settings();
    small.limits.clients = 3;
    let desk = Desk::with(small).await;
    desk.web.put(URL, &document(&json!({})));
    let asked = desk.ask(URL, &[]).await;
    desk.issuer.revoke_client(&asked.client().id).await.unwrap();
    desk.clock.advance(2 * DAY);
    for number in 0..20 {
        let url = format!("https://a.example/{number}");
        desk.web.put(&url, &json!({"client_id": url, "redirect_uris": [CALLBACK]}));
        desk.ask(&url, &[]).await;
        desk.clock.advance(61 * MINUTE);
    }
    let kept = desk.issuer.clients(ClientKind::Document).await.unwrap();
    assert_eq!(kept.len(), 3);
    let error = desk.issuer.authorization_request(&request(URL, &[]), from()).await.unwrap_err();
    assert!(error.to_string().contains("shut this application out"), "{error}");
}
