//! What can be wrong with the tools.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Course, Fault, Tampering};

/// The faults of this area.
pub const FAULTS: &[Fault] = &[
    Fault {
        name: "tools-none",
        wrong: "The list is empty",
        found_by: "tools-list",
        commit: || lists(|result| result["tools"] = json!([])),
        ..Fault::NONE
    },
    Fault {
        name: "tools-undeclared",
        wrong: "The capabilities do not name tools",
        found_by: "tools-capability",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("initialize") || asked.is_rpc("server/discover") {
                    answer.change_json(|message| {
                        if let Some(capabilities) = message["result"]["capabilities"].as_object_mut() {
                            capabilities.remove("tools");
                        }
                    });
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-pages-without-end",
        wrong: "Each page leads to another one",
        found_by: "tools-paging",
        commit: || {
            let page = AtomicUsize::new(0);
            Tampering::none().arriving(without_cursor).leaving(move |asked, answer| {
                if asked.is_rpc("tools/list") {
                    let next = page.fetch_add(1, Ordering::Relaxed);
                    answer.change_json(|message| message["result"]["nextCursor"] = format!("page-{next}").into());
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-cursor-repeated",
        wrong: "The cursor of a page leads to the same page",
        found_by: "tools-paging",
        commit: || lists(|result| result["nextCursor"] = "page-1".into()).arriving(without_cursor),
        ..Fault::NONE
    },
    Fault {
        name: "tools-cursor-refused",
        wrong: "The cursor that was given is not known",
        found_by: "tools-paging",
        commit: || lists(|result| result["nextCursor"] = "page-1".into()),
        ..Fault::NONE
    },
    Fault {
        name: "tools-list-slow",
        wrong: "The list takes 12 seconds",
        found_by: "tools-list-time",
        commit: || slow("tools/list", 12),
        ..Fault::NONE
    },
    Fault {
        name: "tools-order-changes",
        wrong: "The order of tools changes from one list to the next",
        found_by: "tools-stable",
        commit: || {
            let turn = AtomicUsize::new(0);
            Tampering::none().leaving(move |asked, answer| {
                if asked.is_rpc("tools/list") && turn.fetch_add(1, Ordering::Relaxed) % 2 == 1 {
                    answer.change_json(|message| {
                        if let Some(tools) = message["result"]["tools"].as_array_mut() {
                            tools.reverse();
                        }
                    });
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-same-name",
        wrong: "A tool is listed twice",
        found_by: "tools-unique",
        commit: || {
            lists(|result| {
                if let Some(tools) = result["tools"].as_array_mut() {
                    let again = tools.first().cloned();
                    // With words of its own: that two tools share their words is another matter.
                    tools.extend(again.map(|mut tool| {
                        tool["description"] = "Lists each article of the shop with its price in cents.".into();
                        tool
                    }));
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-name-with-dot",
        wrong: "A name has a dot",
        found_by: "tools-names",
        commit: || lists(|result| result["tools"][1]["name"] = "find.stock".into()),
        ..Fault::NONE
    },
    Fault {
        name: "tools-name-long",
        wrong: "A name has 70 characters",
        found_by: "tools-names",
        commit: || lists(|result| result["tools"][1]["name"] = "find_stock".repeat(7).into()),
        ..Fault::NONE
    },
    Fault {
        name: "tools-any-of-at-root",
        wrong: "The root of an input schema is a combination",
        found_by: "tools-input-schema",
        commit: || {
            lists(|result| {
                result["tools"][1]["inputSchema"]["anyOf"] = json!([{"required": ["sku"]}, {"required": []}])
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-without-input-schema",
        wrong: "A tool has no input schema",
        found_by: "tools-input-schema",
        commit: || lists(|result| result["tools"][0]["inputSchema"] = Value::Null),
        ..Fault::NONE
    },
    Fault {
        name: "tools-odd-property",
        wrong: "A parameter is called filter[sku]",
        found_by: "tools-properties",
        commit: || {
            lists(|result| {
                result["tools"][1]["inputSchema"]["properties"]["filter[sku]"] =
                    json!({"type": "string", "description": "Only articles whose stock keeping unit begins so"});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-reference-elsewhere",
        wrong: "A schema refers to another document",
        found_by: "tools-schemas-valid",
        commit: || {
            lists(|result| {
                result["tools"][1]["inputSchema"]["properties"]["place"] =
                    json!({"$ref": "https://schemas.example.com/place.json", "description": "Where to look"});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-output-is-list",
        wrong: "The root of an output schema is a list",
        found_by: "tools-output-schema",
        commit: || {
            lists(|result| {
                result["tools"][1]["outputSchema"] = json!({"type": "array", "items": {"type": "object"}});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-undescribed",
        wrong: "A tool has no description",
        found_by: "tools-descriptions",
        commit: || lists(|result| result["tools"][1]["description"] = "".into()),
        ..Fault::NONE
    },
    Fault {
        name: "tools-text-hides",
        wrong: "A description has characters that turn text around",
        found_by: "tools-texts",
        commit: || {
            lists(|result| {
                let text = result["tools"][1]["description"].as_str().unwrap_or_default();
                result["tools"][1]["description"] = format!("{text}\u{202e}").into();
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-delete-reads",
        wrong: "A tool that deletes says that it only reads",
        found_by: "tools-effects",
        commit: || lists(|result| result["tools"][1]["name"] = "delete_stock".into()),
        ..Fault::NONE
    },
    Fault {
        name: "tools-without-hints",
        wrong: "A tool does not say whether it reads",
        found_by: "tools-hints",
        commit: || lists(|result| result["tools"][1]["annotations"] = json!({})),
        ..Fault::NONE
    },
    Fault {
        name: "tools-too-large",
        wrong: "A tool costs a model more than 5,000 tokens",
        found_by: "tools-size",
        commit: || {
            lists(|result| {
                let skus: Vec<_> = (0..4000).map(|number| format!("A-{number}")).collect();
                result["tools"][1]["inputSchema"]["properties"]["sku"]["enum"] = json!(skus);
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tools-parameters-bare",
        wrong: "Parameters have neither type nor description",
        found_by: "tools-grades",
        commit: || {
            lists(|result| {
                for name in ["warehouse", "shelf", "colour"] {
                    result["tools"][1]["inputSchema"]["properties"][name] = json!({});
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-call-crashes",
        wrong: "A call is answered with an internal error",
        found_by: "tool-call",
        commit: || {
            calls("list_articles", |message| {
                let id = message["id"].clone();
                *message = json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32603, "message": "Internal error"}});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-call-fails",
        wrong: "The system behind the tool cannot be reached",
        found_by: "tool-call",
        commit: || {
            calls("list_articles", |message| {
                message["result"] =
                    json!({"isError": true, "content": [{"type": "text", "text": "The shop is closed."}]});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-call-slow",
        wrong: "A call takes 40 seconds",
        found_by: "tool-call-time",
        commit: || slow("tools/call", 40),
        ..Fault::NONE
    },
    Fault {
        name: "tool-call-hangs",
        wrong: "A call is never answered",
        found_by: "tool-call-time",
        commit: || {
            Tampering::none().arriving(|asked| {
                let meant = asked.is_rpc("tools/call") && asked.json()["params"]["name"] == "list_articles";
                if meant { Course::Hang } else { Course::Usual }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-result-does-not-fit",
        wrong: "A structured result breaks its output schema",
        found_by: "tool-result-schema",
        commit: || {
            calls("list_articles", |message| {
                let broken = json!({"rows": "none"});
                message["result"]["content"] = json!([{"type": "text", "text": broken.to_string()}]);
                message["result"]["structuredContent"] = broken;
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-result-unstructured",
        wrong: "A tool with an output schema gives only text",
        found_by: "tool-result-schema",
        commit: || {
            calls("list_articles", |message| {
                if let Some(result) = message["result"].as_object_mut() {
                    result.remove("structuredContent");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-result-without-text",
        wrong: "A structured result is not there as text",
        found_by: "tool-result-text",
        commit: || calls("list_articles", |message| message["result"]["content"] = json!([])),
        ..Fault::NONE
    },
    Fault {
        name: "tool-result-large",
        wrong: "A result has 200 KB of text",
        found_by: "tool-result-size",
        commit: || {
            calls("list_articles", |message| {
                if let Some(content) = message["result"]["content"].as_array_mut() {
                    content.push(json!({"type": "text", "text": "mug ".repeat(50_000)}));
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-error-as-success",
        wrong: "A failure is an ordinary result whose text says so",
        found_by: "tool-error-flag",
        commit: || {
            calls("find_stock", |message| {
                message["result"] = json!({"content": [{"type": "text", "text": "Error: sku is missing"}]});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-unknown-succeeds",
        wrong: "A tool that does not exist can be called",
        found_by: "tool-unknown",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.is_rpc("tools/call") && asked.json()["params"]["name"] == "doctor_no_such_tool" {
                    let result = json!({"content": [{"type": "text", "text": "done"}]});
                    *answer = Answer::of_json(200, &json!({"jsonrpc": "2.0", "id": 1, "result": result}));
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-arguments-unchecked",
        wrong: "A call succeeds without what it requires",
        found_by: "tool-arguments",
        commit: || {
            calls("find_stock", |message| {
                message["result"] = json!({"content": [{"type": "text", "text": "{\"rows\":[]}"}]});
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "tool-error-with-trace",
        wrong: "An error holds a stack trace",
        found_by: "tool-error-leak",
        commit: || {
            calls("find_stock", |message| {
                message["result"]["content"] = json!([{
                    "type": "text", "text": "sku is missing\n    at find (/app/dist/index.js:12:7)\n    at call",
                }]);
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "parse-error-with-trace",
        wrong: "What is no JSON is refused with a page that holds a stack trace",
        found_by: "tool-error-leak",
        commit: || {
            const PAGE: &str = "<!DOCTYPE html>\n<pre>SyntaxError: Unexpected end of JSON input<br> &nbsp; &nbsp;at \
                                JSON.parse (&lt;anonymous&gt;)<br> &nbsp; &nbsp;at parse (/app/json.js:93:21)</pre>";
            Tampering::none().arriving(|asked| {
                let is_broken = asked.method == Method::POST && asked.is_for_endpoint() && asked.json().is_null();
                if is_broken { Course::Answer(Answer::page(400, PAGE)) } else { Course::Usual }
            })
        },
        ..Fault::NONE
    },
];

/// The result of tools/list is changed so.
fn lists(change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.is_rpc("tools/list") && answer.json()["result"].is_object() {
            answer.change_json(|message| change(&mut message["result"]));
        }
    })
}

/// The answers to calls of this tool are changed so.
fn calls(tool: &'static str, change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.is_rpc("tools/call") && asked.json()["params"]["name"] == tool {
            answer.change_json(change);
        }
    })
}

/// The server knows no cursors, so it is not asked for one.
fn without_cursor(asked: &mut crate::Asked) -> Course {
    if asked.is_rpc("tools/list") {
        let mut message = asked.json();
        if let Some(params) = message["params"].as_object_mut() {
            params.remove("cursor");
        }
        asked.body = message.to_string().into();
    }
    Course::Usual
}

/// Time that passes for one of two requests at once would run out for the connection of the other; those have ids
/// of their own.
fn slow(method: &'static str, seconds: u64) -> Tampering {
    Tampering::none().arriving(move |asked| match asked.is_rpc(method) && asked.json()["id"] == 1 {
        true => Course::After(Duration::from_secs(seconds)),
        false => Course::Usual,
    })
}
