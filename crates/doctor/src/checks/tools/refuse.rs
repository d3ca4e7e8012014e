//! What must fail: a tool that does not exist, one that only reads without what it requires, and what is no JSON.

use serde_json::{Map, Value};

use super::{
    call::{TOOL_ERROR_FLAG, call, is_failure, looks_like_a_failure, only_reads, text},
    list::name,
};
use crate::{
    Area, Check,
    checks::protocol::Spoken,
    rpc::{self, Reply},
    visit::Visit,
};

/// A tool that no server has.
const NO_SUCH: &str = "doctor_no_such_tool";

/// A tool that does not exist.
pub(super) const TOOL_UNKNOWN: Check = Check {
    id: "tool-unknown",
    area: Area::Tools,
    title: "A call of a tool that does not exist fails as a call",
    why: "Agents call tools that are gone, or that they made up. By an error they learn it; by a success or a crash \
          they do not.",
    standard: "MCP 2025-11-25, Tools, \"Error Handling\"",
    mend: "Answer with an error of JSON-RPC (-32602), or with a result that has isError.",
};

/// Arguments that do not fit.
pub(super) const TOOL_ARGUMENTS: Check = Check {
    id: "tool-arguments",
    area: Area::Tools,
    title: "Missing arguments are refused with words that help",
    why: "An agent mends its call where it is told what is wrong with it. A success without what is required is wrong \
          data, and a crash says nothing.",
    standard: "MCP 2025-11-25, Tools, \"Error Handling\"",
    mend: "Check arguments against inputSchema, and answer with isError and a text that names the argument.",
};

/// What errors give away.
pub(super) const TOOL_ERROR_LEAK: Check = Check {
    id: "tool-error-leak",
    area: Area::Tools,
    title: "Errors show no inside of the server",
    why: "Stack traces, paths and SQL show an attacker how the server is made, and help no agent.",
    standard: "CWE-209; MCP 2025-11-25, Tools, \"Security Considerations\"",
    mend: "Write the cause into the log under an id, and answer with a sentence and that id.",
};

/// Looks.
pub(super) async fn examine(visit: &mut Visit<'_>, spoken: &Spoken, tools: &[Value]) {
    unknown(visit, spoken).await;
    let incomplete = tools.iter().find(|tool| only_reads(tool) && requires_anything(tool));
    match incomplete {
        Some(tool) => arguments(visit, spoken, tool).await,
        None => visit.skipped(&TOOL_ARGUMENTS, "no tool is marked as read-only and requires an argument"),
    }
    // Frameworks answer it before the server sees it, some of them with a page that shows where the fault was met.
    if let Ok(reply) = rpc::hear(visit, spoken.line.bare("{\"jsonrpc\": \"2.0\", ")).await {
        leak(visit, &reply);
    }
    // Where nothing worse was seen.
    visit.passed(&TOOL_ERROR_LEAK, None);
}

fn requires_anything(tool: &Value) -> bool {
    tool.pointer("/inputSchema/required").and_then(Value::as_array).is_some_and(|required| !required.is_empty())
}

async fn unknown(visit: &mut Visit<'_>, spoken: &Spoken) {
    match call(visit, spoken, NO_SUCH, Map::new()).await {
        Ok(reply) => {
            if fails_as_a_call(&reply) {
                visit.passed(&TOOL_UNKNOWN, reply.words());
            } else {
                let seen = format!("A tool that does not exist is answered with {}.", reply.words());
                visit.failed(&TOOL_UNKNOWN, seen, [reply.exchange()]);
            }
            leak(visit, &reply);
        }
        Err(none) => visit.failed(&TOOL_UNKNOWN, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

fn fails_as_a_call(reply: &Reply) -> bool {
    reply.error().is_some() && !reply.status().is_server_error() || reply.result().is_some_and(is_failure)
}

async fn arguments(visit: &mut Visit<'_>, spoken: &Spoken, tool: &Value) {
    let reply = match call(visit, spoken, name(tool), Map::new()).await {
        Ok(reply) => reply,
        Err(none) => {
            visit.failed(&TOOL_ARGUMENTS, format!("No answer: {}.", none.error), [none.exchange]);
            return;
        }
    };
    leak(visit, &reply);
    let tool = rpc::short(name(tool));
    let words = said(&reply);
    if let Some(result) = reply.result().filter(|result| !is_failure(result)) {
        let text = text(result);
        if looks_like_a_failure(&text) {
            let seen = format!("{tool} without its arguments answers without isError: {}.", rpc::short(&text));
            visit.failed(&TOOL_ERROR_FLAG, seen, [reply.exchange()]);
            visit.skipped(&TOOL_ARGUMENTS, "the refusal looks like a success");
        } else {
            let seen = format!("{tool} succeeds without the arguments that it requires.");
            visit.warning(&TOOL_ARGUMENTS, seen, [reply.exchange()]);
        }
    } else if !fails_as_a_call(&reply) {
        visit.failed(&TOOL_ARGUMENTS, format!("{tool} is answered with {}.", reply.words()), [reply.exchange()]);
    } else if words.trim().is_empty() {
        visit.warning(&TOOL_ARGUMENTS, format!("{tool} refuses, and does not say why."), [reply.exchange()]);
    } else {
        visit.passed(&TOOL_ARGUMENTS, rpc::short(&words));
    }
}

/// The words of a refusal.
fn said(reply: &Reply) -> String {
    let message = reply.error().and_then(|error| error.get("message")).and_then(Value::as_str).map(str::to_owned);
    message.or_else(|| reply.result().map(text)).unwrap_or_default()
}

fn leak(visit: &mut Visit<'_>, reply: &Reply) {
    let body = || String::from_utf8_lossy(&reply.answer.received.body).into_owned();
    let words = reply.message.as_ref().map_or_else(body, Value::to_string);
    if let Some(trace) = inside(&words) {
        visit.warning(&TOOL_ERROR_LEAK, format!("An error holds {trace}."), [reply.exchange()]);
    }
}

/// What of the inside shows in this JSON or page; only what is nothing else for sure.
fn inside(text: &str) -> Option<&'static str> {
    const SIGNS: [(&str, &str); 8] = [
        ("Traceback (most recent call last)", "a stack trace of Python"),
        ("\\n    at ", "a stack trace of JavaScript"),
        ("<br> &nbsp; &nbsp;at ", "a stack trace of JavaScript"),
        ("\\n\\tat ", "a stack trace of Java"),
        ("goroutine 1 [", "a stack trace of Go"),
        ("thread 'main' panicked at", "a panic of Rust"),
        ("thread 'tokio-runtime-worker' panicked at", "a panic of Rust"),
        ("SQLSTATE[", "an error of the database"),
    ];
    SIGNS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn stack_traces_are_known_and_sentences_are_not_taken_for_them() {
        let trace = json!({"text": "TypeError: x\n    at call (/app/index.js:3:1)"}).to_string();
        assert_eq!(inside(&trace), Some("a stack trace of JavaScript"));
        let page = "<pre>SyntaxError: x<br> &nbsp; &nbsp;at JSON.parse (&lt;anonymous&gt;)</pre>";
        assert_eq!(inside(page), Some("a stack trace of JavaScript"));
        let sentence = json!({"text": "sku is required and missing.\nLook at the input schema."}).to_string();
        assert_eq!(inside(&sentence), None);
    }
}
