//! One call of a tool that says that it changes nothing and whose arguments are known. Nothing else is ever
//! called.

use std::{thread, time::Duration};

use bridgehead_core::{
    ArgumentFault,
    schema::{Schema, SchemaError},
};
use bridgehead_outbound::{MaybeSentReason, SendError};
use futures_util::future::{Either, select};
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use super::list::name;
use crate::{
    Area, Check,
    checks::protocol::Spoken,
    rpc::{self, Reply},
    visit::{NoAnswer, Visit},
};

/// How long platforms wait for a tool.
const PATIENCE: Duration = Duration::from_secs(60);
/// Half of it: on a bad day it is too long.
const SLOW: Duration = Duration::from_secs(30);
/// How long a result is compared with its schema.
const COMPARING: Duration = Duration::from_secs(5);
/// More than models take of one result, in bytes of text.
const LARGE: usize = 100 << 10;

/// What no tool is called whose name says one of them anywhere, whatever its hints say. Wider than the rule of lint:
/// here a mistake costs somebody their data, and there a wrong remark.
const DEEDS: [&str; 40] = [
    "add", "apply", "approve", "archive", "cancel", "clear", "create", "delete", "deploy", "destroy", "disable",
    "drop", "edit", "enable", "erase", "exec", "execute", "insert", "invite", "kill", "merge", "modify", "pay",
    "publish", "purge", "push", "put", "refund", "remove", "rename", "reset", "restart", "revoke", "send", "submit",
    "transfer", "trigger", "truncate", "update", "write",
];

/// A call.
pub(super) const TOOL_CALL: Check = Check {
    id: "tool-call",
    area: Area::Tools,
    title: "A tool that only reads can be called",
    why: "A list without calls that work is of no use: a missing scope, a system behind that cannot be reached, a proxy \
          that lets only short requests pass.",
    standard: "MCP 2025-11-25, Tools, \"Calling Tools\"",
    mend: "Look in the server's log what became of the call, and whether the caller may make it.",
};

/// How long it takes.
pub(super) const TOOL_CALL_TIME: Check = Check {
    id: "tool-call-time",
    area: Area::Tools,
    title: "A call ends well within the platform's time",
    why: "Platforms wait some sixty seconds for a tool, and show a time-out after that.",
    standard: "none: what platforms wait",
    mend: "Give calls a time limit below thirty seconds, and return less, or a handle for what takes longer.",
};

/// What comes back, against its schema.
pub(super) const TOOL_RESULT_SCHEMA: Check = Check {
    id: "tool-result-schema",
    area: Area::Tools,
    title: "A structured result satisfies its output schema",
    why: "SDKs of clients check it and throw the whole result away where it does not fit, or is not there.",
    standard: "MCP 2025-11-25, Tools, \"Output Schema\"",
    mend: "Send structuredContent with each success of a tool that has an outputSchema, and let the schema be as loose \
           as the data is.",
};

/// The same as text.
pub(super) const TOOL_RESULT_TEXT: Check = Check {
    id: "tool-result-text",
    area: Area::Tools,
    title: "A structured result is there as text as well",
    why: "Many clients hand only content to the model. Without the text the agent sees an empty result.",
    standard: "MCP 2025-11-25, Tools, \"Structured Content\"",
    mend: "Put the JSON of structuredContent into a text block of content.",
};

/// How much comes back.
pub(super) const TOOL_RESULT_SIZE: Check = Check {
    id: "tool-result-size",
    area: Area::Tools,
    title: "A result is small enough for a model",
    why: "Platforms cut or refuse results beyond some 25,000 tokens, and what is left of JSON cannot be read.",
    standard: "none: what platforms take",
    mend: "Return pages, or fewer columns, and say in the result how to get the rest.",
};

/// Failures that look like success.
pub(super) const TOOL_ERROR_FLAG: Check = Check {
    id: "tool-error-flag",
    area: Area::Tools,
    title: "No failure looks like a success",
    why: "An agent that gets an error as an ordinary result takes it for data, and goes on with it.",
    standard: "MCP 2025-11-25, Tools, \"Error Handling\"",
    mend: "Set isError where a call has failed, whatever the text says.",
};

/// Looks.
pub(super) async fn examine(visit: &mut Visit<'_>, spoken: &Spoken, tools: &[Value]) {
    let Some((tool, arguments)) = choose(tools) else {
        skip(visit, "no tool is marked as read-only and can be called with arguments that are known");
        return;
    };
    let tool_name = rpc::short(name(tool));
    let reply = match call(visit, spoken, name(tool), arguments).await {
        Ok(reply) => reply,
        Err(none) => {
            let late = matches!(&none.error, SendError::MaybeSent(lost) if lost.reason == MaybeSentReason::TimedOut);
            let check = if late { &TOOL_CALL_TIME } else { &TOOL_CALL };
            visit.failed(check, format!("{tool_name} gives no answer: {}.", none.error), [none.exchange]);
            skip(visit, "the call is not answered");
            return;
        }
    };
    if reply.took() > SLOW {
        let seen = format!("{tool_name} took {} seconds.", reply.took().as_secs());
        visit.warning(&TOOL_CALL_TIME, seen, [reply.exchange()]);
    } else {
        visit.passed(&TOOL_CALL_TIME, format!("{} ms", reply.took().as_millis()));
    }
    let Some(result) = reply.result() else {
        visit.failed(&TOOL_CALL, format!("{tool_name} is answered with {}.", reply.words()), [reply.exchange()]);
        skip(visit, "the call has no result");
        return;
    };
    if is_failure(result) {
        let seen = format!("{tool_name} fails: {}.", rpc::short(&text(result)));
        visit.warning(&TOOL_CALL, seen, [reply.exchange()]);
        skip(visit, "the call has failed");
        return;
    }
    visit.passed(&TOOL_CALL, tool_name);
    succeeded(visit, tool, result, &reply).await;
}

/// Calls, and waits as long as platforms do.
pub(super) async fn call(
    visit: &mut Visit<'_>,
    spoken: &Spoken,
    tool: &str,
    arguments: Map<String, Value>,
) -> Result<Reply, NoAnswer> {
    let message = rpc::request("tools/call", json!({"name": tool, "arguments": arguments}));
    let mut request = spoken.line.request(&spoken.dialect, message);
    request.timeout = Some(PATIENCE);
    rpc::hear(visit, request).await
}

fn skip(visit: &mut Visit<'_>, reason: &str) {
    let all =
        [&TOOL_CALL, &TOOL_CALL_TIME, &TOOL_RESULT_SCHEMA, &TOOL_RESULT_TEXT, &TOOL_RESULT_SIZE, &TOOL_ERROR_FLAG];
    for check in all {
        visit.skipped(check, reason);
    }
}

async fn succeeded(visit: &mut Visit<'_>, tool: &Value, result: &Value, reply: &Reply) {
    let text = text(result);
    if looks_like_a_failure(&text) {
        let seen = format!("{} answers without isError: {}.", rpc::short(name(tool)), rpc::short(&text));
        visit.failed(&TOOL_ERROR_FLAG, seen, [reply.exchange()]);
    } else {
        visit.passed(&TOOL_ERROR_FLAG, None);
    }
    let bytes = text.len();
    if bytes > LARGE {
        let seen = format!("{} gives {bytes} bytes of text.", rpc::short(name(tool)));
        visit.warning(&TOOL_RESULT_SIZE, seen, [reply.exchange()]);
    } else {
        visit.passed(&TOOL_RESULT_SIZE, format!("{bytes} bytes of text"));
    }
    let structured = result.get("structuredContent").filter(|content| !content.is_null());
    schema(visit, tool, structured, reply).await;
    match structured {
        None => visit.skipped(&TOOL_RESULT_TEXT, "the result is not structured"),
        Some(content) if repeats(result, content) => visit.passed(&TOOL_RESULT_TEXT, None),
        Some(_) => {
            let seen = "No text block of content holds the JSON of structuredContent.";
            visit.warning(&TOOL_RESULT_TEXT, seen, [reply.exchange()]);
        }
    }
}

async fn schema(visit: &mut Visit<'_>, tool: &Value, structured: Option<&Value>, reply: &Reply) {
    let Some(schema) = tool.get("outputSchema").and_then(Value::as_object) else {
        visit.skipped(&TOOL_RESULT_SCHEMA, "the tool has no output schema");
        return;
    };
    let Some(content) = structured else {
        let seen = format!("{} has an outputSchema and gives no structuredContent.", rpc::short(name(tool)));
        visit.failed(&TOOL_RESULT_SCHEMA, seen, [reply.exchange()]);
        return;
    };
    let time_is_up = visit.surroundings().clock.sleep(COMPARING);
    let faults = match select(compared(schema.clone(), content.clone()), time_is_up).await {
        Either::Left((Ok(Ok(faults)), _)) => faults,
        Either::Left(_) => {
            visit.skipped(&TOOL_RESULT_SCHEMA, "the output schema is not valid");
            return;
        }
        Either::Right(_) => {
            visit.skipped(&TOOL_RESULT_SCHEMA, "result and output schema take too long to compare");
            return;
        }
    };
    match faults.first() {
        None => visit.passed(&TOOL_RESULT_SCHEMA, None),
        Some(fault) => {
            let at = if fault.path.is_empty() { "structuredContent" } else { &fault.path };
            let seen = format!("{} gives at {at}: {}.", rpc::short(name(tool)), rpc::short(&fault.message));
            visit.failed(&TOOL_RESULT_SCHEMA, seen, [reply.exchange()]);
        }
    }
}

/// What is wrong with a result by its schema. On a thread of its own: some schemas are made to take for ever.
fn compared(schema: Map<String, Value>, result: Value) -> oneshot::Receiver<Result<Vec<ArgumentFault>, SchemaError>> {
    let (sender, receiver) = oneshot::channel();
    // Where nobody waits any longer, or there is no thread, the other side learns it.
    let _ = thread::Builder::new().spawn(move || {
        let _ = sender.send(Schema::compile(&schema).map(|schema| schema.faults(&result)));
    });
    receiver
}

/// A tool that is safe to call, and with what; one with an output schema before others.
fn choose(tools: &[Value]) -> Option<(&Value, Map<String, Value>)> {
    let mut known: Vec<_> = tools.iter().filter_map(|tool| Some((tool, arguments(tool)?))).collect();
    known.sort_by_key(|(tool, arguments)| (tool.get("outputSchema").is_none(), arguments.len()));
    known.into_iter().next()
}

/// Whether it says that it changes nothing, and nothing else says otherwise.
pub(super) fn only_reads(tool: &Value) -> bool {
    let hint = |name: &str| tool.get("annotations").and_then(|hints| hints.get(name)).and_then(Value::as_bool);
    let is_deed = |word: &str| DEEDS.contains(&word.to_ascii_lowercase().as_str());
    hint("readOnlyHint") == Some(true)
        && hint("destructiveHint") != Some(true)
        && !words(name(tool)).into_iter().any(is_deed)
}

/// The words of a name: `mail.sendNow` and `mail_send_now` have the same three.
fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for part in name.split(|character: char| !character.is_alphanumeric()) {
        let humps = part.match_indices(|character: char| character.is_ascii_uppercase());
        let is_hump = |at: &usize| part.get(..*at).is_some_and(|before| before.ends_with(char::is_lowercase));
        let mut rest = part;
        for at in humps.map(|(at, _)| at).filter(is_hump) {
            let (word, behind) = rest.split_at(at - (part.len() - rest.len()));
            words.push(word);
            rest = behind;
        }
        words.push(rest);
    }
    words
}

/// Arguments that its schema itself gives, for all that it requires; `None` where it gives none.
fn arguments(tool: &Value) -> Option<Map<String, Value>> {
    let schema = tool.get("inputSchema").filter(|_| only_reads(tool))?;
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
    let known = required.map(|required| {
        let required = required.as_str()?;
        let parameter = schema.get("properties")?.get(required)?;
        let first = |list: &str| parameter.get(list)?.as_array()?.first();
        let given = parameter.get("const").or_else(|| parameter.get("default"));
        Some((required.to_owned(), given.or_else(|| first("examples")).or_else(|| first("enum"))?.clone()))
    });
    known.collect()
}

/// Whether the call has failed and says so.
pub(super) fn is_failure(result: &Value) -> bool {
    result.get("isError").and_then(Value::as_bool) == Some(true)
}

/// What stands in the text blocks.
pub(super) fn text(result: &Value) -> String {
    let blocks = result.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<_> = blocks.filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    texts.join("\n")
}

/// Whether the text blocks hold what is structured. SDKs wrap what is no object into one of a single member for the
/// structure alone, and give a list as a block for each element.
fn repeats(result: &Value, content: &Value) -> bool {
    let blocks = result.get("content").and_then(Value::as_array).into_iter().flatten();
    let texts: Vec<_> = blocks.filter_map(|block| block.get("text").and_then(Value::as_str)).collect();
    let is_said = |value: &Value| {
        let says = |text: &&str| {
            value.as_str() == Some(*text) || serde_json::from_str::<Value>(text).is_ok_and(|said| said == *value)
        };
        texts.iter().any(says)
    };
    let in_parts =
        |value: &Value| value.as_array().is_some_and(|elements| !elements.is_empty() && elements.iter().all(is_said));
    let wrapped = content.as_object().filter(|object| object.len() == 1).and_then(|object| object.values().next());
    is_said(content) || wrapped.is_some_and(|value| is_said(value) || in_parts(value))
}

/// Only what is no data for sure: an error at the very beginning, in the words of a runtime or of HTTP.
pub(super) fn looks_like_a_failure(text: &str) -> bool {
    const BEGINNINGS: [&str; 9] = [
        "Error: ",
        "Error executing tool",
        "Traceback (most recent call last)",
        "Request failed with status code ",
        "TypeError: ",
        "HTTP error ",
        "{\"error\":",
        "{\"error\": ",
        "Internal Server Error",
    ];
    BEGINNINGS.iter().any(|beginning| text.trim_start().starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(hints: &Value, schema: &Value) -> Value {
        json!({"name": "t", "annotations": hints, "inputSchema": schema})
    }

    #[test]
    fn only_what_reads_and_gives_its_arguments_is_called() {
        let none = json!({"type": "object"});
        let free = json!({"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]});
        let given = json!({"type": "object", "properties": {"id": {"enum": ["a", "b"]}}, "required": ["id"]});
        let reads = json!({"readOnlyHint": true});
        for hints in [json!({}), json!({"readOnlyHint": false}), json!({"readOnlyHint": true, "destructiveHint": true})]
        {
            assert_eq!(arguments(&tool(&hints, &none)), None, "{hints}");
        }
        for name in ["mailbox_message_send_now", "runDeleteAll", "admin.users.purge", "get_and_delete_message"] {
            let tool = json!({"name": name, "annotations": reads, "inputSchema": none});
            assert_eq!(arguments(&tool), None, "{name}");
        }
        for name in ["list_orders", "getUpdates", "read_address", "SQLRead", "ÄnderungenLesen"] {
            let tool = json!({"name": name, "annotations": reads, "inputSchema": none});
            assert_eq!(arguments(&tool), Some(Map::new()), "{name}");
        }
        assert_eq!(arguments(&tool(&reads, &free)), None);
        assert_eq!(arguments(&tool(&reads, &none)), Some(Map::new()));
        let known = arguments(&tool(&reads, &given)).map(Value::from);
        assert_eq!(known, Some(json!({"id": "a"})));
    }

    /// As FastMCP, MCP's SDK for Python and others give them.
    #[test]
    fn the_text_holds_what_is_structured() {
        let list = json!({"result": [{"sku": "A-1"}, "B"]});
        for (content, texts, expected) in [
            (json!({"sku": "A-1"}), vec![r#"{"sku": "A-1"}"#], true),
            (list.clone(), vec![r#"[{"sku":"A-1"},"B"]"#], true),
            (list.clone(), vec![r#"{"sku":"A-1"}"#, "B"], true),
            (list, vec![r#"{"sku":"A-1"}"#], false),
            (json!({"result": "yes"}), vec!["yes"], true),
            (json!({"result": 3}), vec!["3"], true),
            (json!({"sku": "A-1", "name": "Mug"}), vec!["One article."], false),
            (json!({"result": []}), vec![], false),
        ] {
            let blocks: Vec<_> = texts.iter().map(|text| json!({"type": "text", "text": text})).collect();
            assert_eq!(repeats(&json!({"content": blocks}), &content), expected, "{content} {texts:?}");
        }
    }

    /// A server that means harm gives a schema that refers to itself without end.
    #[test]
    fn schemas_that_refer_to_themselves_do_no_harm() {
        let turns = json!({"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}});
        for schema in [json!({"$ref": "#"}), json!({"$ref": "#/$defs/a", "$defs": turns})] {
            let compiled = schema.as_object().and_then(|schema| Schema::compile(schema).ok());
            assert!(compiled.is_none_or(|compiled| compiled.faults(&json!({"rows": []})).len() < 100), "{schema}");
        }
    }

    #[test]
    fn a_result_is_compared_with_its_schema() {
        let schema = json!({"type": "object", "required": ["rows"]});
        let faults = |result| compared(schema.as_object().unwrap().clone(), result).blocking_recv().unwrap().unwrap();
        assert_eq!((faults(json!({"rows": []})).len(), faults(json!({})).len()), (0, 1));
    }

    /// D4: data that speaks of errors is data.
    #[test]
    fn data_about_errors_is_no_failure() {
        for data in ["Errors: 3", "{\"rows\":[{\"error\":\"none\"}]}", "The request failed twice.", ""] {
            assert!(!looks_like_a_failure(data), "{data}");
        }
        for failure in ["Error: connection refused", "Traceback (most recent call last):\n", "{\"error\":\"no\"}"] {
            assert!(looks_like_a_failure(failure), "{failure}");
        }
    }
}
