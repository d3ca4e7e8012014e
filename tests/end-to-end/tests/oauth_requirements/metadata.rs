//! The authorization server's metadata (RFC 8414).

use bridgehead_end_to_end::oauth::{ALICE, CALLBACK, PASSWORD, PUBLIC, Site, warehouse};
use serde_json::{Value, json};

use crate::table::Table;

pub(crate) async fn rows(table: &mut Table) {
    let server = warehouse("", "mode = \"oauth\"").start().await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    let site = Site::of(&[&server]);
    let document = site.get("/.well-known/oauth-authorization-server").await.json();
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/mcp/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
    ] {
        table.is("M1", path, site.get(path).await.json(), document.clone());
    }
    table.is("M1", "the issuer", &document["issuer"], &json!(PUBLIC));
    let url = |path: &str| json!(format!("{PUBLIC}/oauth/{path}"));
    for (name, value) in [
        ("authorization_endpoint", url("authorize")),
        ("token_endpoint", url("token")),
        ("registration_endpoint", url("register")),
        ("revocation_endpoint", url("revoke")),
        ("introspection_endpoint", url("introspect")),
        ("code_challenge_methods_supported", json!(["S256"])),
        ("response_types_supported", json!(["code"])),
        ("response_modes_supported", json!(["query"])),
        ("grant_types_supported", json!(["authorization_code", "refresh_token"])),
        ("authorization_response_iss_parameter_supported", json!(true)),
        ("client_id_metadata_document_supported", json!(true)),
        (
            "token_endpoint_auth_methods_supported",
            json!(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]),
        ),
    ] {
        table.is("M2", name, &document[name], &value);
    }
    let algorithms =
        document["token_endpoint_auth_signing_alg_values_supported"].as_array().cloned().unwrap_or_default();
    table.holds("M2", "algorithms of assertions", !algorithms.is_empty(), "");
    let symmetric = |name: &Value| name.as_str().is_none_or(|name| name.starts_with("HS") || name == "none");
    table.holds("M2", "and no symmetric one", !algorithms.iter().any(symmetric), &format!("{algorithms:?}"));
    table.is(
        "M3",
        "offline_access",
        &document["scopes_supported"],
        &json!(["tools:read", "tools:write", "offline_access"]),
    );
    let client = site.public_client(CALLBACK).await;
    table.holds("M3", "a refresh token", site.connect(&client).await["refresh_token"].is_string(), "");
    server.stop().await;
}
