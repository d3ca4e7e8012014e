//! What can be wrong with how MCP is spoken.

use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Asked, Course, Ending, Fault, Tampering};

/// The faults of this area.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "no-mcp",
        wrong: "What answers is an API that says yes to everything",
        found_by: "mcp-answers",
        commit: || {
            answers(&["initialize", "server/discover"], |asked| match asked.json()["method"].as_str() {
                Some("initialize") => of_result(asked, json!({"ok": true})),
                _ => error(asked, 400, -32600, "Bad Request"),
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "discover-crashes",
        wrong: "server/discover is answered with 500",
        found_by: "revision-fallback",
        commit: || answers(&["server/discover"], |_| Answer::new(500, "text/plain", "Internal Server Error")),
        ..Fault::NONE
    },
    Fault {
        name: "discover-closes",
        wrong: "The connection is closed at server/discover",
        found_by: "revision-fallback",
        commit: || {
            Tampering::none()
                .arriving(|asked| if asked.is_rpc("server/discover") { Course::Close } else { Course::Usual })
        },
        ..Fault::NONE
    },
    Fault {
        name: "discover-without-revisions",
        wrong: "server/discover names no revisions",
        found_by: "revision-discovery",
        commit: || changes("server/discover", |message| remove(&mut message["result"], "supportedVersions")),
        ..Fault::NONE
    },
    Fault {
        name: "initialize-refuses-older",
        wrong: "initialize refuses 2025-03-26 with an error",
        found_by: "revision-negotiation",
        commit: || refuses_revision("2025-03-26"),
        ..Fault::NONE
    },
    Fault {
        name: "initialize-invents-revision",
        wrong: "initialize answers with a revision that does not exist",
        found_by: "revision-negotiation",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("initialize") && asked.json()["params"]["protocolVersion"] == "2025-06-18" {
                    answer.change_json(|message| message["result"]["protocolVersion"] = "2025-07-01".into());
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "initialize-gone",
        wrong: "Only 2026-07-28 is spoken; an output schema that it admits is no second fault",
        found_by: "revision-negotiation",
        commit: || {
            answers(&["initialize"], |asked| error(asked, 400, -32601, "Method not found")).leaving(|asked, answer| {
                if asked.is_rpc("tools/list") && answer.json()["result"].is_object() {
                    answer.change_json(|message| {
                        message["result"]["tools"][1]["outputSchema"] = json!({"type": "array"});
                    });
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "initialize-refuses-newer",
        wrong: "initialize refuses a revision that it does not know",
        found_by: "revision-unknown",
        commit: || refuses_revision("2099-01-01"),
        ..Fault::NONE
    },
    Fault {
        name: "initialize-echoes-revision",
        wrong: "initialize says yes to every revision",
        found_by: "revision-unknown",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("initialize") {
                    let wanted = asked.json()["params"]["protocolVersion"].clone();
                    answer.change_json(|message| message["result"]["protocolVersion"] = wanted.clone());
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "initialize-without-server-info",
        wrong: "The result of initialize lacks serverInfo",
        found_by: "initialize-result",
        commit: || changes("initialize", |message| remove(&mut message["result"], "serverInfo")),
        ..Fault::NONE
    },
    Fault {
        name: "notification-refused",
        wrong: "notifications/initialized is refused with 400",
        found_by: "notification-accepted",
        commit: || answers(&["notifications/initialized"], |asked| error(asked, 400, -32600, "No id")),
        ..Fault::NONE
    },
    Fault {
        name: "notification-answered",
        wrong: "notifications/initialized is answered with 200",
        found_by: "notification-accepted",
        commit: || answers(&["notifications/initialized"], |_| Answer::of_json(200, &json!({}))),
        ..Fault::NONE
    },
    Fault {
        name: "session-lost",
        wrong: "Every second request of a session meets a replica that does not know it",
        found_by: "session-affinity",
        commit: || {
            let turn = AtomicUsize::new(0);
            Tampering::none().arriving(move |asked| {
                let of_session =
                    asked.is_rpc("ping") && asked.header("mcp-session-id").is_some_and(|id| !is_made_up(id));
                if of_session && turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                    return Course::Answer(error(asked, 404, -32001, "Session not found"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "session-unknown-400",
        wrong: "An unknown session is answered with 400",
        found_by: "session-unknown",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.header("mcp-session-id").is_some_and(is_made_up) {
                    return Course::Answer(error(asked, 400, -32000, "Bad Request: no valid session"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "session-delete-crashes",
        wrong: "DELETE of a session is answered with 500",
        found_by: "session-delete",
        commit: || {
            Tampering::none().arriving(|asked| {
                let ends = asked.method == Method::DELETE && asked.header("mcp-session-id").is_some();
                if ends { Course::Answer(Answer::empty(500)) } else { Course::Usual }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "ping-unknown",
        wrong: "ping is no method",
        found_by: "ping",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("ping") && answer.status == 200 {
                    *answer = error(asked, 200, -32601, "Method not found");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "version-header-ignored",
        wrong: "Any MCP-Protocol-Version is served",
        found_by: "version-header",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.header("mcp-protocol-version") == Some("1999-01-01") {
                    asked.headers.remove("mcp-protocol-version");
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "version-header-required",
        wrong: "A request without MCP-Protocol-Version is refused",
        found_by: "version-header-missing",
        commit: || {
            Tampering::none().arriving(|asked| {
                let of_session = asked.header("mcp-session-id").is_some();
                if of_session && asked.is_rpc("ping") && asked.header("mcp-protocol-version").is_none() {
                    return Course::Answer(error(asked, 400, -32600, "MCP-Protocol-Version is missing"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "method-header-ignored",
        wrong: "Mcp-Method may differ from the method",
        found_by: "method-header",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.is_rpc("server/discover") {
                    asked.headers.insert("mcp-method", http::HeaderValue::from_static("server/discover"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "stream-without-end",
        wrong: "The event stream stays open after the answer",
        found_by: "answer-ends",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("tools/list") {
                    let event = format!("event: message\ndata: {}\n\n", String::from_utf8_lossy(&answer.body));
                    *answer = Answer::new(200, "text/event-stream", event);
                    answer.ending = Ending::Hanging;
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "answers-as-text",
        wrong: "Answers are text/plain",
        found_by: "rpc-media-type",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("tools/list") {
                    answer.set_header("content-type", "text/plain");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "answers-without-version",
        wrong: "Answers lack jsonrpc",
        found_by: "rpc-form",
        commit: || changes("tools/list", |message| remove(message, "jsonrpc")),
        ..Fault::NONE
    },
    Fault {
        name: "result-and-error",
        wrong: "Answers have a result and an error",
        found_by: "rpc-form",
        commit: || changes("tools/list", |message| message["error"] = json!({"code": 0, "message": "OK"})),
        ..Fault::NONE
    },
    Fault {
        name: "ids-as-numbers",
        wrong: "An id that is text comes back as a number",
        found_by: "rpc-id",
        commit: || {
            changes("tools/list", |message| {
                if let Some(number) = message["id"].as_str().and_then(|id| id.parse::<u64>().ok()) {
                    message["id"] = number.into();
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "answers-swapped",
        wrong: "Of two requests at once each gets the other one's answer",
        found_by: "rpc-concurrent",
        commit: || {
            changes("tools/list", |message| {
                message["id"] = match message["id"].as_i64() {
                    Some(71) => 72.into(),
                    Some(72) => 71.into(),
                    _ => return,
                };
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "unknown-method-succeeds",
        wrong: "An unknown method is answered with an empty result",
        found_by: "rpc-unknown-method",
        commit: || answers(&["doctor/no-such-method"], |asked| of_result(asked, json!({}))),
        ..Fault::NONE
    },
    Fault {
        name: "parse-error-crashes",
        wrong: "What is no JSON is answered with 500",
        found_by: "rpc-parse-error",
        commit: || {
            Tampering::none().arriving(|asked| {
                let broken = asked.method == Method::POST && asked.is_for_endpoint() && asked.json() == Value::Null;
                if broken && !asked.body.is_empty() {
                    return Course::Answer(Answer::new(500, "text/plain", "SyntaxError: Unexpected end of JSON input"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "accept-missing-crashes",
        wrong: "A request without Accept is answered with 500",
        found_by: "rpc-accept",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.is_rpc("tools/list") && asked.header("accept").is_none() {
                    return Course::Answer(Answer::new(500, "text/plain", "Cannot read properties of undefined"));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
];

/// The id that the doctor makes up.
fn is_made_up(id: &str) -> bool {
    id.ends_with("d0c70d0c70d0")
}

fn error(asked: &Asked, status: u16, code: i64, message: &str) -> Answer {
    let id = asked.json()["id"].clone();
    Answer::of_json(status, &json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}}))
}

fn of_result(asked: &Asked, result: Value) -> Answer {
    Answer::of_json(200, &json!({"jsonrpc": "2.0", "id": asked.json()["id"], "result": result}))
}

fn remove(object: &mut Value, member: &str) {
    object.as_object_mut().expect("an object").remove(member);
}

/// These methods are answered so.
fn answers(methods: &'static [&'static str], answer: fn(&Asked) -> Answer) -> Tampering {
    Tampering::none().arriving(move |asked| {
        let meant = methods.iter().any(|method| asked.is_rpc(method));
        if meant { Course::Answer(answer(asked)) } else { Course::Usual }
    })
}

/// The answers to this method are changed so.
fn changes(method: &'static str, change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.is_rpc(method) && answer.status == 200 {
            answer.change_json(change);
        }
    })
}

fn refuses_revision(revision: &'static str) -> Tampering {
    Tampering::none().arriving(move |asked| {
        if asked.is_rpc("initialize") && asked.json()["params"]["protocolVersion"] == revision {
            return Course::Answer(error(asked, 400, -32602, "Unsupported protocol version"));
        }
        Course::Usual
    })
}
