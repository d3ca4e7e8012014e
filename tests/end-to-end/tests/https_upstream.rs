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
