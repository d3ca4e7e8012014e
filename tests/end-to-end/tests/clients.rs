//! Real clients against the shipped binary (T2, A2, D3, D4): the TypeScript SDK in both major
//! versions, the Python SDK and rmcp's own client, each once for every revision it speaks.
//! `cargo xtask test` installs the SDKs and says where they are.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::sdk::{Sdk, run_matrix, run_sdk};
use bridgehead_harness::process::{Served, repository};
use rmcp::{
    ClientLifecycleMode, ClientServiceExt,
    model::{CallToolRequestParams, ClientCapabilities, ClientConfig, ErrorCode, Implementation, ProtocolVersion},
    service::ServiceError,
    transport::{StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig},
};
use serde_json::{Value, json};

const REVISIONS: [&str; 4] = ["2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"];

fn warehouse_plan() -> Value {
    json!({
        "list_contains": ["search_articles", "find_stock", "adjust_stock", "create_purchase_order"],
        "calls": [
            {"tool": "find_stock", "arguments": {"sku": "A-9999"}, "expect_structured": {"rows": [], "row_count": 0}, "expect_error_code": null},
            {"tool": "search_articles", "arguments": {"text": "mug"}, "expect_structured": {"row_count": 3}, "expect_error_code": null},
            {"tool": "create_purchase_order",
             "arguments": {"supplier_id": "S-02", "expected_on": "2026-12-11", "note": "Before Christmas"},
             "expect_structured": {"affected": 1}, "expect_error_code": null},
            {"tool": "find_stock", "arguments": {"sku": 7}, "expect_structured": null, "expect_error_code": "invalid_arguments"},
            {"tool": "adjust_stock",
             "arguments": {"sku": "A-1001", "location": "SHOP-CENTRE", "change_units": -30, "reason": "damage", "note": "all of it"},
             "expect_structured": null, "expect_error_code": "upstream_rejected"},
        ],
        "unknown_tool": "no_such_tool",
    })
}

async fn warehouse() -> (tempfile::TempDir, Served) {
    let copy = tempfile::tempdir().unwrap();
    for file in ["bridgehead.toml", "warehouse.sql"] {
        std::fs::copy(repository().join("examples/warehouse").join(file), copy.path().join(file)).unwrap();
    }
    let served = Served::start(&copy.path().join("bridgehead.toml")).await;
    (copy, served)
}

#[tokio::test]
async fn the_sdks_of_other_people() {
    let (copy, served) = warehouse().await;
    run_matrix(copy.path(), &served, &warehouse_plan()).await;
    served.terminate().await;
}

/// The scripts can fail: with an expectation that does not hold, they do.
#[tokio::test]
async fn the_scripts_can_fail() {
    let (copy, served) = warehouse().await;
    let mut plan = warehouse_plan();
    plan["calls"][0]["expect_structured"]["row_count"] = 17.into();
    for sdk in [Sdk::TypescriptV1, Sdk::TypescriptV2, Sdk::Python] {
        let output = run_sdk(sdk, copy.path(), &served, "2025-11-25", &plan).await;
        assert_eq!(output.status.code(), Some(1), "{sdk:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
    served.terminate().await;
}

/// Each revision in the way it begins: the older ones with `initialize`, 2026-07-28 with
/// `server/discover`.
#[tokio::test]
async fn the_client_of_rmcp() {
    let (_copy, served) = warehouse().await;
    for revision in REVISIONS {
        let version: ProtocolVersion = serde_json::from_value(json!(revision)).unwrap();
        let mut info = ClientConfig::new(ClientCapabilities::default(), Implementation::new("end-to-end", "1"));
        info.protocol_version = version.clone();
        let lifecycle = || match revision {
            "2026-07-28" => ClientLifecycleMode::Discover { preferred_versions: vec![version.clone()] },
            _ => ClientLifecycleMode::Initialize,
        };
        let transport = |key: &str| {
            let config = StreamableHttpClientTransportConfig::with_uri(served.url.clone()).auth_header(key.to_owned());
            StreamableHttpClientTransport::from_config(config)
        };
        let key = served.key.clone().unwrap();
        let client = info.clone().serve_with_lifecycle(transport(&key), lifecycle()).await.unwrap();
        assert_eq!(client.peer_info().unwrap().protocol_version, version, "{revision}");
        let tools = client.list_all_tools().await.unwrap();
        assert_eq!(tools.len(), 10, "{revision}");
        let call = |name: &'static str, arguments: Value| {
            let mut params = CallToolRequestParams::new(name);
            params.arguments = arguments.as_object().cloned();
            client.call_tool(params)
        };
        let found = call("find_stock", json!({"sku": "A-1010"})).await.unwrap();
        assert_eq!(found.structured_content.unwrap()["row_count"], 5, "{revision}");
        let bad = call("find_stock", json!({"sku": 7})).await.unwrap();
        assert_eq!(bad.is_error, Some(true));
        assert_eq!(bad.meta.unwrap().0["bridgehead/error"]["code"], "invalid_arguments");
        match call("no_such_tool", json!({})).await {
            Err(ServiceError::McpError(error)) => assert_eq!(error.code, ErrorCode::INVALID_PARAMS),
            other => panic!("{revision}: {other:?}"),
        }
        client.cancel().await.unwrap();
        let refused = info.serve_with_lifecycle(transport("bhk_wrong"), lifecycle()).await;
        assert!(refused.is_err(), "{revision}: a wrong key must not connect");
    }
    served.terminate().await;
}
