//! Which revisions the server speaks, asked as clients ask: the newest first, without a handshake; then
//! `initialize`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    Area, Check,
    rpc::{self, Dialect, Line, MODERN, Reply, SESSION},
    visit::{NoAnswer, Visit},
};

/// Those with a handshake, the newest first.
const OLD: [&str; 3] = ["2025-11-25", "2025-06-18", "2025-03-26"];
/// One that nobody knows.
const UNKNOWN: &str = "2099-01-01";

/// Anything at all.
pub(super) const MCP_ANSWERS: Check = Check {
    id: "mcp-answers",
    area: Area::Protocol,
    title: "The endpoint speaks MCP over Streamable HTTP",
    why: "A client begins with initialize, or with server/discover. Where it gets a result from neither, there is no \
          connection. Servers that have only the older transport (HTTP+SSE of 2024-11-05) fail here as well.",
    standard: "MCP 2025-11-25, Lifecycle, \"Initialization\"",
    mend: "Enter the URL of the Streamable HTTP endpoint (often /mcp, not /sse), and serve initialize there by POST.",
};

/// The new ones' first question.
pub(super) const REVISION_FALLBACK: Check = Check {
    id: "revision-fallback",
    area: Area::Protocol,
    title: "Whoever asks for 2026-07-28 first finds a way on",
    why: "New clients ask by server/discover first and fall back to initialize where the answer is an error of \
          JSON-RPC or a status 4xx. After silence, a status 5xx, or something that is no answer they give up.",
    standard: "MCP 2026-07-28, Streamable HTTP, \"Backward Compatibility\"",
    mend: "Answer a method that the server does not know with the error -32601, or with 400 or 404; never let it crash.",
};

/// What discovery says.
pub(super) const REVISION_DISCOVERY: Check = Check {
    id: "revision-discovery",
    area: Area::Protocol,
    title: "server/discover says revisions and capabilities",
    why: "A client of 2026-07-28 picks a revision out of supportedVersions and offers what capabilities names. Where \
          one is missing it cannot begin.",
    standard: "MCP 2026-07-28, Discovery, \"DiscoverResult\"",
    mend: "Answer with supportedVersions, a list that names 2026-07-28, and with capabilities, an object.",
};

/// Those that are about.
pub(super) const REVISION_NEGOTIATION: Check = Check {
    id: "revision-negotiation",
    area: Area::Protocol,
    title: "initialize settles on a revision for each that clients ask for",
    why: "Platforms are of different age. Each names the newest revision it knows, and ends the connection where the \
          answer is an error or names one that it has never heard of.",
    standard: "MCP 2025-11-25, Lifecycle, \"Version Negotiation\"",
    mend: "Answer with the revision that was asked for where the server speaks it, otherwise with the newest it speaks; \
           never with an error.",
};

/// Those to come.
pub(super) const REVISION_UNKNOWN: Check = Check {
    id: "revision-unknown",
    area: Area::Protocol,
    title: "A revision that nobody knows is answered with one that the server speaks",
    why: "The next revision will be asked for as soon as a platform updates. A server that refuses it, or says yes to \
          it without knowing it, breaks on that day.",
    standard: "MCP 2025-11-25, Lifecycle, \"Version Negotiation\"; MCP 2026-07-28, Versioning and \
               Compatibility, \"Protocol Version Negotiation\"",
    mend: "Answer initialize with the newest revision that the server speaks, and a request of an unknown revision with \
           the error -32022 and the list of those it speaks.",
};

/// What the handshake says.
pub(super) const INITIALIZE_RESULT: Check = Check {
    id: "initialize-result",
    area: Area::Protocol,
    title: "The result of initialize is complete",
    why: "SDKs check it against their schema: without the name and version of the server, or its capabilities, the \
          connection ends with an error about types.",
    standard: "MCP 2025-11-25, Schema, \"InitializeResult\"",
    mend: "Answer with protocolVersion, capabilities (an object, {} for none) and serverInfo with name and version as text.",
};

/// What was agreed on.
pub(super) struct Greeted {
    /// By a handshake.
    pub(super) old: Option<Dialect>,
    /// Whether 2026-07-28 is spoken.
    pub(super) modern: bool,
    pub(super) declares_tools: bool,
}

impl Greeted {
    pub(super) fn newest(&self) -> Dialect {
        self.old.clone().filter(|_| !self.modern).unwrap_or_else(Dialect::modern)
    }
}

/// A handshake has no revision yet, so it has no header that names one.
pub(super) async fn greet(visit: &mut Visit<'_>, line: &Line, revision: &str) -> Result<Reply, NoAnswer> {
    rpc::hear(visit, line.bare(rpc::initialize(revision).to_string())).await
}

/// The dialect that this answer settles on; `None` where it is none that is known here.
pub(super) fn settled(reply: &Reply) -> Option<Dialect> {
    let said = reply.result()?.get("protocolVersion")?.as_str()?;
    let revision = OLD.into_iter().chain([MODERN]).find(|revision| *revision == said)?;
    Some(Dialect { revision, session: reply.answer.received.headers.get(SESSION).cloned() })
}

/// Looks; `None` where nothing is answered.
pub(super) async fn examine(visit: &mut Visit<'_>, line: &Line) -> Option<Greeted> {
    let discovered = discover(visit, line).await;
    let first = greet(visit, line, OLD[0]).await;
    let result = first.as_ref().ok().and_then(Reply::result);
    // Something else may answer everything with a success.
    let result = result.filter(|result| result.get("protocolVersion").is_some_and(Value::is_string));
    let modern = discovered.is_some();
    if result.is_none() && !modern {
        let (seen, exchange) = match &first {
            Ok(reply) if reply.result().is_some() => {
                ("The result of initialize has no protocolVersion.".to_owned(), reply.exchange())
            }
            Ok(reply) => (format!("initialize is answered with {}.", reply.words()), reply.exchange()),
            Err(none) => (format!("initialize is not answered: {}.", none.error), none.exchange),
        };
        visit.failed(&MCP_ANSWERS, seen, [exchange]);
        return None;
    }
    visit.passed(&MCP_ANSWERS, None);
    let old = first.as_ref().ok().and_then(settled);
    negotiate(visit, line, &first).await;
    unknown(visit, line, old.is_some(), modern).await;
    match (&first, result) {
        (Ok(reply), Some(result)) => complete(visit, result, reply.exchange()),
        _ => visit.skipped(&INITIALIZE_RESULT, "the server has no initialize"),
    }
    let capabilities = discovered.as_ref().or(result).and_then(|result| result.get("capabilities"));
    let declares_tools = capabilities.is_some_and(|capabilities| capabilities.get("tools").is_some());
    (old.is_some() || modern).then_some(Greeted { old, modern, declares_tools })
}

/// The result of `server/discover`, where there is one.
async fn discover(visit: &mut Visit<'_>, line: &Line) -> Option<Value> {
    let reply = match line.say(visit, &Dialect::modern(), rpc::request("server/discover", json!({}))).await {
        Ok(reply) => reply,
        Err(none) => {
            let seen = format!("server/discover is not answered: {}.", none.error);
            visit.failed(&REVISION_FALLBACK, seen, [none.exchange]);
            visit.skipped(&REVISION_DISCOVERY, "server/discover is not answered");
            return None;
        }
    };
    let refused = reply.status().is_client_error() || (reply.status().is_success() && reply.error().is_some());
    let Some(result) = reply.result() else {
        if refused {
            visit.passed(&REVISION_FALLBACK, "it does not speak 2026-07-28, and says so".to_owned());
        } else {
            let seen = format!("server/discover is answered with {}.", reply.words());
            visit.failed(&REVISION_FALLBACK, seen, [reply.exchange()]);
        }
        visit.skipped(&REVISION_DISCOVERY, "the server does not speak 2026-07-28");
        return None;
    };
    visit.passed(&REVISION_FALLBACK, "it speaks 2026-07-28".to_owned());
    let supported = result.get("supportedVersions").and_then(Value::as_array);
    let wrong = match supported {
        None => Some("supportedVersions is no list"),
        Some(list) if !list.iter().any(|one| one == MODERN) => Some("supportedVersions does not name 2026-07-28"),
        Some(_) if !result.get("capabilities").is_some_and(Value::is_object) => Some("capabilities is no object"),
        Some(_) => None,
    };
    match wrong {
        Some(wrong) => visit.failed(&REVISION_DISCOVERY, format!("In its result {wrong}."), [reply.exchange()]),
        None => visit.passed(&REVISION_DISCOVERY, None),
    }
    wrong.is_none().then(|| result.clone())
}

/// Each revision with a handshake, the first of which was asked for already.
async fn negotiate(visit: &mut Visit<'_>, line: &Line, first: &Result<Reply, NoAnswer>) {
    let mut spoken = Vec::new();
    let (mut wrong, mut shown) = (Vec::new(), Vec::new());
    let mut judge = |asked: &str, reply: &Result<Reply, NoAnswer>| match reply {
        Ok(reply) => match settled(reply) {
            Some(dialect) => spoken.push(format!("{asked}: {}", dialect.revision)),
            None => {
                wrong.push(format!("{asked} with {}", said(reply)));
                shown.push(reply.exchange());
            }
        },
        Err(none) => {
            wrong.push(format!("{asked} with nothing ({})", none.error));
            shown.push(none.exchange);
        }
    };
    judge(OLD[0], first);
    for revision in OLD.into_iter().skip(1) {
        let reply = greet(visit, line, revision).await;
        judge(revision, &reply);
        if let Some(dialect) = reply.as_ref().ok().and_then(settled) {
            let _ = line.end(visit, &dialect).await;
        }
    }
    if wrong.is_empty() {
        visit.passed(&REVISION_NEGOTIATION, format!("asked for and settled on: {}", spoken.join(", ")));
    } else {
        visit.failed(&REVISION_NEGOTIATION, format!("initialize answers {}.", wrong.join(", ")), shown);
    }
}

fn said(reply: &Reply) -> String {
    let revision = reply.result().and_then(|result| result.get("protocolVersion"));
    revision.map_or_else(|| reply.words(), |revision| format!("the revision {}", rpc::short(&revision.to_string())))
}

async fn unknown(visit: &mut Visit<'_>, line: &Line, old: bool, modern: bool) {
    if old {
        match greet(visit, line, UNKNOWN).await {
            Ok(reply) => match settled(&reply) {
                Some(dialect) => {
                    visit.passed(&REVISION_UNKNOWN, format!("answered with {}", dialect.revision));
                    let _ = line.end(visit, &dialect).await;
                }
                None => {
                    let seen = format!("Asked for {UNKNOWN}, initialize answers with {}.", said(&reply));
                    visit.warning(&REVISION_UNKNOWN, seen, [reply.exchange()]);
                }
            },
            Err(none) => visit.warning(&REVISION_UNKNOWN, format!("No answer: {}.", none.error), [none.exchange]),
        }
    }
    if modern {
        let mut request = line.request(&Dialect::modern(), rpc::request("server/discover", json!({})));
        let text = String::from_utf8_lossy(&request.body).replace(MODERN, UNKNOWN);
        request.body = text.into_bytes().into();
        request.headers.insert(rpc::VERSION, http::HeaderValue::from_static(UNKNOWN));
        match rpc::hear(visit, request).await {
            Ok(reply) if reply.error().is_some() || reply.status() == StatusCode::BAD_REQUEST => {
                visit.passed(&REVISION_UNKNOWN, None);
            }
            Ok(reply) => {
                let seen = format!("server/discover of {UNKNOWN} is answered with {}.", reply.words());
                visit.warning(&REVISION_UNKNOWN, seen, [reply.exchange()]);
            }
            Err(none) => visit.warning(&REVISION_UNKNOWN, format!("No answer: {}.", none.error), [none.exchange]),
        }
    }
}

fn complete(visit: &mut Visit<'_>, result: &Value, exchange: usize) {
    let text = |at: &str| result.pointer(at).and_then(Value::as_str);
    let object = |at: &str| result.pointer(at).is_some_and(Value::is_object);
    let missing = [
        ("serverInfo.name", text("/serverInfo/name").is_none()),
        ("serverInfo.version", text("/serverInfo/version").is_none()),
        ("capabilities", !object("/capabilities")),
    ];
    let missing: Vec<_> = missing.into_iter().filter_map(|(what, is_missing)| is_missing.then_some(what)).collect();
    if missing.is_empty() {
        let seen = ["/serverInfo/name", "/serverInfo/version"].map(|at| rpc::short(text(at).unwrap_or_default()));
        visit.passed(&INITIALIZE_RESULT, seen.join(" "));
    } else {
        let seen = format!("Missing, or of the wrong type: {}.", missing.join(", "));
        visit.failed(&INITIALIZE_RESULT, seen, [exchange]);
    }
}
