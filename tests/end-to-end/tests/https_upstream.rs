//! A system behind by HTTPS: the harness bends its name and makes its certificate (S5, D4).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::sync::Arc;

use bridgehead_harness::{
    TestServer,
    outside::{Ca, Names},
};
use serde_json::{Value, json};

async fn called(ca: &Arc<Ca>, name: &str, port: u16, trusted: bool) -> Value {
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"open\"\n[store]\nurl = \"memory:\"\n\
         [sources.erp]\ntype = \"http\"\n[sources.erp.tools.look]\ndescription = \"Looks.\"\n\
         request = {{ url = \"https://{name}:{port}/orders\" }}\n"
    );
    let authority = ca.clone();
    let names = Names::here(&["erp.internal", "crm.internal"]);
    let server = TestServer::with(&config).way_out(move |net| authority.net(net, names.clone(), trusted)).start().await;
    let (_, answer) = server.rpc("2025-11-25", "none", "tools/call", json!({"name": "look"})).await;
    server.stop().await;
    answer["result"].clone()
}

#[tokio::test]
async fn a_certificate_is_checked_for_its_authority_and_its_name() {
    let ca = Arc::new(Ca::default());
    let port = ca.serve("erp.internal", "{\"orders\": 3}").await;
    let good = called(&ca, "erp.internal", port, true).await;
    assert_eq!(good["structuredContent"]["orders"], 3, "{good}");
    for (name, trusted) in [("erp.internal", false), ("crm.internal", true), ("nowhere.internal", true)] {
        let refused = called(&ca, name, port, trusted).await;
        let error = &refused["_meta"]["bridgehead/error"];
        assert_eq!(
            (&error["code"], refused.get("structuredContent")),
            (&json!("upstream_unavailable"), None),
            "{name}: {refused}"
        );
    }
}

/// S1: a description is fetched where it is served, and its tools call that server.
#[tokio::test]
async fn a_description_is_fetched_from_its_url() {
    const DESCRIPTION: &str = r#"{"openapi": "3.1.0", "info": {"title": "ERP", "version": "1"}, "servers": [{"url": "../api"}],
        "paths": {"/orders/{id}": {"get": {"operationId": "get_order", "summary": "Gets one order.",
            "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "integer"}}],
            "responses": {"200": {"description": "ok", "content": {"application/json": {"schema": {"type": "object"}}}}}}}}}"#;
    let ca = Arc::new(Ca::default());
    let port = ca.serve("erp.internal", DESCRIPTION).await;
    let config = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"open\"\n[store]\nurl = \"memory:\"\n\
         [sources.erp]\ntype = \"openapi\"\nspec = \"https://erp.internal:{port}/docs/openapi.json\"\n"
    );
    let authority = ca.clone();
    let names = Names::here(&["erp.internal"]);
    let server = TestServer::with(&config).way_out(move |net| authority.net(net, names.clone(), true)).start().await;
    let (_, listed) = server.rpc("2025-11-25", "none", "tools/list", json!({})).await;
    assert_eq!(listed["result"]["tools"][0]["name"], "get_order", "{listed}");
    let call = json!({"name": "get_order", "arguments": {"id": 7}});
    let (_, answer) = server.rpc("2025-11-25", "none", "tools/call", call).await;
    // The stand-in answers everything with the description.
    assert_eq!(answer["result"]["structuredContent"]["info"]["title"], "ERP", "{answer}");
    server.stop().await;
}
