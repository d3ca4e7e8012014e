//! Every configuration under `examples/`, as it stands there: it loads, its database is made, its
//! tools are listed with descriptions, and those that only read answer. Nothing is left out: the
//! folder is walked.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::path::{Path, PathBuf};

use bridgehead_harness::{
    TestServer,
    process::{binary, repository},
};
use reqwest::Url;
use serde_json::{Map, Value, json};
use tokio::process::Command;

/// What a start leaves beside a configuration.
const LEFT_BEHIND: [&str; 5] = ["db", "db-shm", "db-wal", "db-journal", "keys"];

fn configurations(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            configurations(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "toml") && !path.ends_with("Cargo.toml") {
            found.push(path);
        }
    }
}

/// What the comments say to set (`export NAME=VALUE`), and free ports instead of fixed ones.
fn variables(text: &str) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.trim().strip_prefix("export ")?.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let mut free = |setting: &str| variables.push((format!("BRIDGEHEAD_SERVER__{setting}"), "127.0.0.1:0".to_owned()));
    free("LISTEN");
    if text.lines().any(|line| line.starts_with("admin_listen")) {
        free("ADMIN_LISTEN");
    }
    variables
}

/// A server on a copy of the folder.
async fn start(path: &Path, text: &str, variables: &[(String, String)]) -> TestServer {
    let mut builder = TestServer::with(text);
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        let beside = entry.unwrap().path();
        let extension = beside.extension().unwrap_or_default().to_string_lossy().into_owned();
        if beside.is_file() && !LEFT_BEHIND.contains(&extension.as_str()) {
            let name = beside.file_name().unwrap().to_str().unwrap();
            builder = builder.file(name, &std::fs::read_to_string(&beside).unwrap());
        }
    }
    for (name, value) in variables {
        builder = builder.variable(name, value);
    }
    builder.start().await
}

/// Sends one message with the key in each place where an example may want it.
async fn rpc(server: &TestServer, key: &str, method: &str, params: Value) -> Value {
    // The URL of an example may be one of the internet.
    let url = format!("{}{}", server.origin, Url::parse(&server.url).unwrap().path());
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
    let request = server.client().post(url).bearer_auth(key).header("x-api-key", key);
    let response = request.header("content-type", "application/json").body(message.to_string()).send().await.unwrap();
    assert_eq!(response.status(), 200, "{method}");
    let mut answer: Value = response.json().await.unwrap();
    answer["result"].take()
}

/// Arguments for every required parameter, from its examples; `None` where one has no example.
fn example_arguments(schema: &Value) -> Option<Map<String, Value>> {
    let names = schema["required"].as_array().cloned().unwrap_or_default();
    let argument = |name: &Value| {
        let name = name.as_str().unwrap();
        Some((name.to_owned(), schema["properties"][name]["examples"].get(0)?.clone()))
    };
    names.iter().map(argument).collect()
}

/// The scopes of every key, and those that tools of this configuration ask for.
fn scopes(text: &str) -> String {
    let own = text.lines().filter_map(|line| line.strip_prefix("scope = \"")?.strip_suffix('"'));
    ["tools:read", "tools:write"].into_iter().chain(own).collect::<Vec<_>>().join(" ")
}

/// Lists and calls; how many tools there are, and how many calls were answered.
async fn look_at_tools(server: &TestServer, scopes: &str) -> (usize, usize) {
    let (_, key) = server.key("you@localhost", scopes, None).await;
    let listed = rpc(server, &key, "tools/list", json!({})).await;
    let tools = listed["tools"].as_array().unwrap();
    assert!(!tools.is_empty());
    let mut answered = 0;
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert!(tool["description"].as_str().unwrap().len() > 20, "{name} has no description");
        for (parameter, schema) in tool["inputSchema"]["properties"].as_object().into_iter().flatten() {
            assert!(schema["description"].is_string(), "{name}.{parameter} has no description");
        }
        if tool["annotations"]["readOnlyHint"] == true
            && let Some(arguments) = example_arguments(&tool["inputSchema"])
        {
            let result = rpc(server, &key, "tools/call", json!({"name": name, "arguments": arguments})).await;
            assert_ne!(result["isError"], true, "{name}: {result}");
            answered += 1;
        }
    }
    (tools.len(), answered)
}

/// What `bridgehead config check` of the real binary says of the copy: stdout and stderr.
async fn config_check(server: &TestServer, variables: &[(String, String)]) -> (String, String) {
    let output = Command::new(binary("bridgehead"))
        .args(["config", "check"])
        .current_dir(server.directory())
        .env_clear()
        .envs(variables.iter().cloned())
        .output()
        .await
        .unwrap();
    let (said, complained) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{said}{complained}");
    (said, complained)
}

#[tokio::test]
async fn every_configuration_loads_and_its_tools_answer() {
    let mut paths = Vec::new();
    configurations(&repository().join("examples"), &mut paths);
    paths.sort();
    let mut answered_in_all = 0;
    for path in &paths {
        // Shown where the test fails.
        println!("{}", path.display());
        let text = std::fs::read_to_string(path).unwrap();
        let variables = variables(&text);
        let server = start(path, &text, &variables).await;
        let (tools, answered) = look_at_tools(&server, &scopes(&text)).await;
        answered_in_all += answered;
        // The database is made by now, so every statement is tried on it.
        let (said, complained) = config_check(&server, &variables).await;
        assert!(said.trim_end().ends_with(&format!("no faults, {tools} tools")), "{said}");
        let meant = text.contains("url = \"memory:\"");
        assert_eq!(complained.contains("warning"), meant, "{complained}");
        assert!(complained.is_empty() || meant, "{complained}");
        server.stop().await;
    }
    assert!(paths.len() >= 13, "only {paths:?}");
    assert!(answered_in_all >= paths.len(), "only {answered_in_all} calls were answered");
}

/// A list that forgets an option is worse than none.
#[test]
fn the_table_of_options_names_every_file() {
    let folder = repository().join("examples/options");
    let table = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let mut paths = Vec::new();
    configurations(&folder, &mut paths);
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(table.contains(&format!("[{name}]({name})")), "examples/options/README.md leaves out {name}");
    }
}
