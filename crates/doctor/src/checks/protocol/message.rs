//! The form of messages: headers, media types, ids, and errors that clients understand.

use bridgehead_outbound::{MaybeSentReason, SendError};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::{revision::Greeted, session::is_lost};
use crate::{
    Area, Check,
    rpc::{self, Dialect, Line, METHOD, Reply, VERSION},
    visit::Visit,
};

/// A wrong revision in the header.
pub(super) const VERSION_HEADER: Check = Check {
    id: "version-header",
    area: Area::Protocol,
    title: "A revision that does not exist is refused in MCP-Protocol-Version",
    why: "A server that does not look at the header answers in another revision than its client reads; nobody sees why \
          the connection fails.",
    standard: "MCP 2025-11-25, Transports, \"Protocol Version Header\"",
    mend: "Answer a request whose MCP-Protocol-Version the server does not speak with 400.",
};

/// No revision in the header.
pub(super) const VERSION_HEADER_MISSING: Check = Check {
    id: "version-header-missing",
    area: Area::Protocol,
    title: "A request without MCP-Protocol-Version is served",
    why: "Clients of 2025-03-26 do not send the header, and some newer ones forget it.",
    standard: "MCP 2025-11-25, Transports, \"Protocol Version Header\"",
    mend: "Take a request without the header as one of the revision that was settled on, or of 2025-03-26.",
};

/// Header and body.
pub(super) const METHOD_HEADER: Check = Check {
    id: "method-header",
    area: Area::Protocol,
    title: "Mcp-Method and the method of the message must agree",
    why: "Proxies permit and count requests of 2026-07-28 by the header. Where the server takes another method in the \
          body, the way around them is open.",
    standard: "MCP 2026-07-28, Streamable HTTP, \"Standard Request Headers\", \"Server Validation\"",
    mend: "Answer a request whose Mcp-Method differs from its method with 400 and the error -32020.",
};

/// The end of an answer.
pub(super) const ANSWER_ENDS: Check = Check {
    id: "answer-ends",
    area: Area::Protocol,
    title: "An answer ends with its message",
    why: "A client reads the body to its end. A stream that stays open after the answer holds the request until it \
          times out.",
    standard: "MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Close the event stream of a POST once its response is sent; keep no request open for notifications.",
};

/// The kind of an answer.
pub(super) const RPC_MEDIA_TYPE: Check = Check {
    id: "rpc-media-type",
    area: Area::Protocol,
    title: "Answers are application/json or text/event-stream",
    why: "SDKs choose the reader by Content-Type and refuse any other: \"unexpected content type\".",
    standard: "MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Send Content-Type: application/json with JSON and text/event-stream with events.",
};

/// The form of a message.
pub(super) const RPC_FORM: Check = Check {
    id: "rpc-form",
    area: Area::Protocol,
    title: "Answers are messages of JSON-RPC 2.0",
    why: "SDKs check each message: without jsonrpc \"2.0\", or with a result and an error at once, it is dropped and \
          the request times out.",
    standard: "JSON-RPC 2.0 §5",
    mend: "Answer with jsonrpc \"2.0\", the id of the request, and either result or error.",
};

/// The id.
pub(super) const RPC_ID: Check = Check {
    id: "rpc-id",
    area: Area::Protocol,
    title: "An answer has the id of its request, also where it is text",
    why: "A client finds the request that is answered by its id, compared with its type. An answer to 7 that says \"7\" \
          is an answer to nothing.",
    standard: "JSON-RPC 2.0 §5, MCP 2025-11-25, Overview, \"Requests\"",
    mend: "Give back the id as it came: text as text, a number as a number.",
};

/// Two at once.
pub(super) const RPC_CONCURRENT: Check = Check {
    id: "rpc-concurrent",
    area: Area::Protocol,
    title: "Requests at the same time get their own answers",
    why: "Agents call several tools at once. Where answers are mixed up, one teammate may see another one's data.",
    standard: "JSON-RPC 2.0 §5",
    mend: "Keep nothing of a request where another one can find it: no shared variable, no cache without the whole \
           request in its key.",
};

/// What nobody has.
pub(super) const RPC_UNKNOWN_METHOD: Check = Check {
    id: "rpc-unknown-method",
    area: Area::Protocol,
    title: "An unknown method is answered with the error -32601",
    why: "Clients ask for what a server may not have (prompts, resources), and go on after -32601. After anything else \
          they show the server as broken.",
    standard: "JSON-RPC 2.0 §5.1",
    mend: "Answer a method that the server does not have with the error -32601.",
};

/// What is no JSON.
pub(super) const RPC_PARSE_ERROR: Check = Check {
    id: "rpc-parse-error",
    area: Area::Protocol,
    title: "What is no JSON is refused as such",
    why: "A status 5xx lets platforms and balancers take the server for broken and send the same again.",
    standard: "JSON-RPC 2.0 §5.1",
    mend: "Answer a body that is no JSON with 400 and the error -32700.",
};

/// Clients that name no media type.
pub(super) const RPC_ACCEPT: Check = Check {
    id: "rpc-accept",
    area: Area::Protocol,
    title: "A request without Accept is served, or refused as such",
    why: "Simple clients and health checks send no Accept header. A crash over it looks like a server that is down.",
    standard: "RFC 9110 §12.5.1, MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Take a request without Accept as one that takes JSON and events, or answer with 406.",
};

/// Looks; whether answers can be read.
pub(super) async fn examine(visit: &mut Visit<'_>, line: &Line, greeted: &Greeted) -> bool {
    match &greeted.old {
        Some(old) => version_headers(visit, line, old).await,
        None => {
            for check in [&VERSION_HEADER, &VERSION_HEADER_MISSING] {
                visit.skipped(check, "the server speaks only revisions without a handshake");
            }
        }
    }
    if greeted.modern {
        method_header(visit, line).await;
    } else {
        visit.skipped(&METHOD_HEADER, "the server does not speak 2026-07-28");
    }
    let dialect = greeted.newest();
    let Some(listed) = ends(visit, line, &dialect).await else { return false };
    media_type(visit, &listed);
    form(visit, &listed);
    id(visit, line, &dialect).await;
    concurrent(visit, line, &dialect).await;
    unknown_method(visit, line, &dialect).await;
    parse_error(visit, line).await;
    accept(visit, line, &dialect).await;
    true
}

async fn version_headers(visit: &mut Visit<'_>, line: &Line, old: &Dialect) {
    let mut request = line.request(old, rpc::request("ping", json!({})));
    request.headers.insert(VERSION, HeaderValue::from_static("1999-01-01"));
    match rpc::hear(visit, request).await {
        Ok(reply) if reply.status().is_client_error() || reply.error().is_some() => {
            visit.passed(&VERSION_HEADER, None);
        }
        Ok(reply) => {
            let seen = format!("MCP-Protocol-Version: 1999-01-01 is answered with {}.", reply.words());
            visit.warning(&VERSION_HEADER, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&VERSION_HEADER, format!("No answer: {}.", none.error), [none.exchange]),
    }
    let mut request = line.request(old, rpc::request("ping", json!({})));
    request.headers.remove(VERSION);
    match rpc::hear(visit, request).await {
        Ok(reply) if reply.status().is_success() => visit.passed(&VERSION_HEADER_MISSING, None),
        Ok(reply) if is_lost(&reply) => visit.skipped(&VERSION_HEADER_MISSING, "no session lasts"),
        Ok(reply) => {
            let seen = format!("Without MCP-Protocol-Version the answer is {}.", reply.words());
            visit.warning(&VERSION_HEADER_MISSING, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&VERSION_HEADER_MISSING, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

async fn method_header(visit: &mut Visit<'_>, line: &Line) {
    let mut request = line.request(&Dialect::modern(), rpc::request("server/discover", json!({})));
    request.headers.insert(METHOD, HeaderValue::from_static("tools/list"));
    match rpc::hear(visit, request).await {
        Ok(reply) if reply.result().is_none() && !reply.status().is_server_error() => {
            visit.passed(&METHOD_HEADER, None);
        }
        Ok(reply) => {
            let seen = format!("Mcp-Method: tools/list with server/discover is answered with {}.", reply.words());
            visit.warning(&METHOD_HEADER, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&METHOD_HEADER, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

/// The answer to tools/list, which is read to its end; `None` where it has none.
async fn ends(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) -> Option<Reply> {
    match line.say(visit, dialect, rpc::request("tools/list", json!({}))).await {
        Ok(reply) => {
            visit.passed(&ANSWER_ENDS, None);
            Some(reply)
        }
        Err(none) => {
            let in_time =
                !matches!(&none.error, SendError::MaybeSent(lost) if lost.reason == MaybeSentReason::TimedOut);
            let what = if in_time { "is not answered" } else { "has no end" };
            visit.failed(&ANSWER_ENDS, format!("The answer to tools/list {what}: {}.", none.error), [none.exchange]);
            None
        }
    }
}

fn media_type(visit: &mut Visit<'_>, reply: &Reply) {
    let media_type = reply.answer.received.media_type();
    match media_type.as_deref() {
        Some(known @ ("application/json" | "text/event-stream")) => {
            visit.passed(&RPC_MEDIA_TYPE, known.to_owned());
        }
        other => {
            let seen = format!("tools/list is answered as {}.", other.unwrap_or("nothing that it names"));
            visit.failed(&RPC_MEDIA_TYPE, seen, [reply.exchange()]);
        }
    }
}

fn form(visit: &mut Visit<'_>, reply: &Reply) {
    let Some(message) = &reply.message else {
        let seen = format!("tools/list is answered with {}.", reply.words());
        visit.failed(&RPC_FORM, seen, [reply.exchange()]);
        return;
    };
    let wrong = if message.get("jsonrpc").is_none_or(|version| version != "2.0") {
        Some("jsonrpc is not \"2.0\"")
    } else if message.get("result").is_some() && message.get("error").is_some_and(|error| !error.is_null()) {
        Some("there is a result and an error at once")
    } else {
        None
    };
    match wrong {
        Some(wrong) => visit.failed(&RPC_FORM, format!("In the answer to tools/list {wrong}."), [reply.exchange()]),
        None => visit.passed(&RPC_FORM, None),
    }
}

async fn id(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    let ids = [json!("doctor-7f"), json!("42"), json!(9_007_199_254_740_991_u64)];
    for id in ids {
        let message = rpc::numbered(id.clone(), "tools/list", json!({}));
        match line.say(visit, dialect, message).await {
            Ok(reply) => {
                let given = reply.message.as_ref().and_then(|message| message.get("id"));
                if given != Some(&id) {
                    let given = given.map_or_else(|| "none".to_owned(), |given| rpc::short(&given.to_string()));
                    let seen = format!("A request with the id {id} is answered with the id {given}.");
                    visit.failed(&RPC_ID, seen, [reply.exchange()]);
                    return;
                }
            }
            Err(none) => {
                visit.failed(&RPC_ID, format!("No answer to the id {id}: {}.", none.error), [none.exchange]);
                return;
            }
        }
    }
    visit.passed(&RPC_ID, None);
}

async fn concurrent(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    let asking = |id: i64| line.request(dialect, rpc::numbered(id.into(), "tools/list", json!({})));
    let requests = [71, 72].map(asking);
    let [one, other] = visit.send_both(requests).await;
    for (id, answer) in [(71, one), (72, other)] {
        match answer {
            Ok(answer) => {
                let reply = Reply::of(answer);
                let given = reply.message.as_ref().and_then(|message| message.get("id")).and_then(Value::as_i64);
                if given != Some(id) {
                    let given = given.map_or_else(|| reply.words(), |given| given.to_string());
                    let seen = format!("Of two requests at once, the one with the id {id} gets the answer to {given}.");
                    visit.failed(&RPC_CONCURRENT, seen, [reply.exchange()]);
                }
            }
            Err(none) => {
                visit.failed(&RPC_CONCURRENT, format!("Of two at once: {}.", none.error), [none.exchange]);
            }
        }
    }
    visit.passed(&RPC_CONCURRENT, None);
}

async fn unknown_method(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    match line.say(visit, dialect, rpc::request("doctor/no-such-method", json!({}))).await {
        Ok(reply) if reply.code() == Some(-32601) => visit.passed(&RPC_UNKNOWN_METHOD, None),
        Ok(reply) => {
            let seen = format!("A method that does not exist is answered with {}.", reply.words());
            visit.warning(&RPC_UNKNOWN_METHOD, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&RPC_UNKNOWN_METHOD, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

async fn parse_error(visit: &mut Visit<'_>, line: &Line) {
    match rpc::hear(visit, line.bare("{\"jsonrpc\": \"2.0\", ")).await {
        Ok(reply) if reply.status().is_client_error() || matches!(reply.code(), Some(-32700 | -32600)) => {
            visit.passed(&RPC_PARSE_ERROR, reply.words());
        }
        Ok(reply) => {
            let seen = format!("Half a JSON object is answered with {}.", reply.words());
            visit.warning(&RPC_PARSE_ERROR, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&RPC_PARSE_ERROR, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

async fn accept(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    let mut request = line.request(dialect, rpc::request("tools/list", json!({})));
    request.headers.remove(header::ACCEPT);
    let refusals = [StatusCode::NOT_ACCEPTABLE, StatusCode::BAD_REQUEST, StatusCode::UNSUPPORTED_MEDIA_TYPE];
    match rpc::hear(visit, request).await {
        Ok(reply) if reply.status().is_success() => visit.passed(&RPC_ACCEPT, "served".to_owned()),
        Ok(reply) if refusals.contains(&reply.status()) => {
            visit.passed(&RPC_ACCEPT, format!("refused with {}", reply.status().as_u16()));
        }
        Ok(reply) => {
            let seen = format!("Without Accept the answer is {}.", reply.words());
            visit.warning(&RPC_ACCEPT, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&RPC_ACCEPT, format!("No answer: {}.", none.error), [none.exchange]),
    }
}
