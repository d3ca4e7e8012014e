//! GitHub's own description, against a judge that nobody here wrote (S1, D2): every operation
//! becomes a tool or is left out with a reason, and what the tools send is accepted by Prism.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    process::Stdio,
};

use bridgehead_end_to_end::{sample::sample, sdk::installed};
use bridgehead_harness::TestServer;
use bridgehead_sources::openapi::{ConvertSettings, Document, Severity, convert};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::TcpListener,
    process::{Child, Command},
};

/// Every so many operations one is called, twice: with what is required, and with everything.
const EVERY: usize = 9;

fn description() -> PathBuf {
    installed("E2E_CLIENTS_DIR").join("node_modules/@octokit/openapi/generated/api.github.com.json")
}

/// Prism in front of the description; the address it listens on.
async fn prism(description: &Path) -> (Child, String) {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let clients = installed("E2E_CLIENTS_DIR").join("node_modules");
    let mut child = Command::new("node")
        .arg(clients.join("@stoplight/prism-cli/dist/index.js"))
        .args(["mock", "--host", "127.0.0.1", "--port", &free.to_string()])
        .arg(description)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        if line.contains("Prism is listening") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, format!("http://127.0.0.1:{free}"));
        }
    }
    panic!("Prism did not start: {said}");
}

/// Arguments for tools whose schema admits more than the API does, which the maker of arguments
/// cannot know: a person or an agent reads it in the description. They must be accepted as all others.
fn chosen(tool: &str) -> Option<Value> {
    let repository = |more: Value| {
        let mut arguments = json!({"owner": "octocat", "repo": "octocat"});
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arguments
    };
    Some(match tool {
        // An integer or a text in the path: 1 would be both, and Prism wants exactly one of the two.
        "actions_enable-workflow" => repository(json!({"workflow_id": "main.yml"})),
        "repos_get-pages-deployment" => repository(json!({"pages_deployment_id": "abc"})),
        // Exactly one of several members: a flat schema cannot say so; it is checked at the call.
        "projects_add-item-for-org" => json!({"org": "octocat", "project_number": 1, "type": "Issue", "id": 1}),
        "code-scanning_create-variant-analysis" => {
            repository(json!({"language": "cpp", "query_pack": "aGVsbG8=", "repositories": ["octocat/hello"]}))
        }
        _ => return None,
    })
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

#[test]
fn every_operation_becomes_a_tool_or_is_left_out_with_a_reason() {
    let text = std::fs::read_to_string(description()).unwrap();
    let document = Document::parse(&text, None).unwrap();
    let paths = document.root()["paths"].as_object().unwrap();
    let all: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| METHODS.contains(&key.as_str()));
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let conversion = convert(&document, &ConvertSettings::default());
    let tools: BTreeSet<String> = conversion.operations.iter().map(|operation| operation.operation.clone()).collect();
    let left_out: BTreeSet<String> = conversion
        .reports
        .iter()
        .filter(|report| report.severity == Severity::Skipped)
        .inspect(|report| assert!(report.reason.len() > 10, "{report}"))
        .filter_map(|report| report.operation.clone())
        .collect();
    println!("{} operations, {} tools, left out: {left_out:?}", all.len(), tools.len());
    assert!(all.len() > 900);
    let answered: BTreeSet<String> = tools.union(&left_out).cloned().collect();
    assert_eq!(all, answered);
    let names: BTreeSet<_> = conversion.operations.iter().map(|operation| operation.spec.name.clone()).collect();
    assert_eq!(names.len(), tools.len(), "names are unique");
}

#[tokio::test]
async fn what_the_tools_send_is_accepted() {
    let (mut child, base) = prism(&description()).await;
    let config = format!(
        "name = \"GitHub\"\n[server]\nlisten = \"127.0.0.1:0\"\n[auth]\nmode = \"open\"\n[store]\nurl = \"memory:\"\n\
         [sources.github]\ntype = \"openapi\"\nspec = {:?}\nbase_url = \"{base}\"\n\
         credential = {{ header = \"Authorization\", value = \"Bearer token\" }}\n",
        description()
    );
    let server = TestServer::with(&config).start().await;
    let (_, listed) = server.rpc("2025-11-25", "none", "tools/list", json!({})).await;
    let tools = listed["result"]["tools"].as_array().unwrap();
    assert!(tools.len() > 900);
    let (mut accepted, mut refused, mut shapes) = (0, Vec::new(), BTreeSet::new());
    for tool in tools.iter().step_by(EVERY) {
        let schema = tool["inputSchema"].as_object().unwrap();
        for full in [false, true] {
            let arguments = chosen(tool["name"].as_str().unwrap()).unwrap_or_else(|| sample(schema, full));
            let call = json!({"name": tool["name"], "arguments": arguments});
            let (_, answer) = server.rpc("2025-11-25", "none", "tools/call", call).await;
            let error = &answer["result"]["_meta"]["bridgehead/error"];
            // Prism answers a request that fits the description with its first success, and any other
            // with an error: its own, or the 422 that the description itself has.
            // One operation is described with a redirect as its only success: a request that fits gets it.
            let redirected = error["code"] == "upstream_invalid_response" && error["details"]["status"] == 302;
            if answer["result"]["isError"] != false && !redirected {
                let protocol = answer.get("error").unwrap_or(&Value::Null);
                refused.push(format!("{} {arguments} -> {error} {protocol}", tool["name"]));
            } else {
                accepted += 1;
                shapes.insert(arguments.as_object().unwrap().values().map(kind).collect::<Vec<_>>());
            }
        }
    }
    println!("{accepted} calls accepted, {} refused, {} shapes of arguments", refused.len(), shapes.len());
    let shown: Vec<_> = refused.iter().map(|line| line.chars().take(600).collect::<String>()).collect();
    assert!(refused.is_empty(), "{}", shown.join("\n"));
    assert!(accepted >= 200 && shapes.len() >= 20, "{accepted} {}", shapes.len());
    child.kill().await.unwrap();
    server.stop().await;
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}
