//! Configurations of the servers: one tool with effects each, called `order`.

use std::path::Path;

use serde_json::json;

use crate::{run::Behind, shop};

/// Within so much a call is answered, whatever becomes of it.
const TIMEOUT: &str = "2s";

/// Writes the configuration, and what belongs beside it, into the folder. `url` is the shop's or the database's.
pub(crate) fn write(folder: &Path, store: &str, behind: Behind, url: &str) -> std::path::PathBuf {
    let source = match behind {
        Behind::Shop => http(url),
        Behind::ShopWithKeys => {
            std::fs::write(folder.join("shop.json"), description().to_string()).expect("a file");
            openapi(url)
        }
        Behind::Sqlite | Behind::Postgres => sql(url),
    };
    let path = folder.join("bridgehead.toml");
    let text = format!(
        "name = \"Crash\"\nauth.mode = \"open\"\nstore.url = \"{store}\"\n\
         secrets.keys = [\"file:bridgehead.keys\"]\n[policy.default]\ntimeout = \"{TIMEOUT}\"\n{source}"
    );
    std::fs::write(&path, text).expect("a file");
    path
}

/// Each replica says which it is, so that the shop can have the right one killed.
fn credential() -> String {
    format!("credential = {{ header = \"{}\", value = \"${{REPLICA}}\" }}", shop::REPLICA)
}

const PARAMETERS: &str = "parameters.intent = { type = \"integer\", description = \"Which intent it is.\" }
parameters.units = { type = \"integer\", description = \"How many.\" }";

fn http(url: &str) -> String {
    format!(
        "[sources.shop]\ntype = \"http\"\n{}\n[sources.shop.tools.order]\ndescription = \"Orders.\"\n\
         request = {{ method = \"POST\", url = \"{url}/orders\", json = {{ intent = \"{{intent}}\", units = \"{{units}}\" }} }}\n\
         {PARAMETERS}\n",
        credential()
    )
}

fn openapi(url: &str) -> String {
    format!("[sources.shop]\ntype = \"openapi\"\nspec = \"shop.json\"\nbase_url = \"{url}\"\n{}\n", credential())
}

/// The header for the key is found in the description.
fn description() -> serde_json::Value {
    let integer = json!({"type": "integer"});
    let order = json!({
        "operationId": "order",
        "summary": "Orders.",
        "parameters": [{"name": shop::KEY, "in": "header", "schema": {"type": "string"}}],
        "requestBody": {"required": true, "content": {"application/json": {"schema": {
            "type": "object", "required": ["intent", "units"], "properties": {"intent": integer, "units": integer}}}}},
        "responses": {"201": {"description": "Ordered.", "content": {"application/json": {"schema": {
            "type": "object", "properties": {"order": integer}}}}}},
    });
    json!({"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {"/orders": {"post": order}}})
}

fn sql(url: &str) -> String {
    format!(
        "[sources.shop]\ntype = \"sql\"\nurl = \"{url}\"\neffects_table = true\n[sources.shop.tools.order]\n\
         description = \"Orders.\"\n\
         sql = \"INSERT INTO orders (intent, units) VALUES (:intent, :units) RETURNING id AS \\\"order\\\"\"\n{PARAMETERS}\n"
    )
}
