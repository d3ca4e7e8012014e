//! How HTTP is spoken at the endpoint.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use bridgehead_doctor::Profile;
use bytes::Bytes;
use http::{HeaderValue, Method, header};
use serde_json::{Value, json};

use crate::{Answer, Asked, Course, Ending, Fault, Handshake, Mode, Tampering, Way};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "http-garbage",
        wrong: "What comes back is no HTTP",
        found_by: "http-answers",
        commit: || {
            let said = Bytes::from_static(b"SSH-2.0-OpenSSH_9.6\r\n");
            Tampering::none().network(|network| network.handshake = Handshake::SaysWithin(said))
        },
        ..Fault::NONE
    },
    Fault {
        name: "http-closes",
        wrong: "The connection is closed in the place of an answer",
        found_by: "http-answers",
        commit: || instead(|| Course::Close),
        ..Fault::NONE
    },
    Fault {
        name: "http-hangs",
        wrong: "No answer ever comes",
        found_by: "http-answers",
        commit: || instead(|| Course::Hang),
        ..Fault::NONE
    },
    Fault {
        name: "http-breaks-off",
        wrong: "Answers break off in the middle",
        found_by: "http-body",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if is_message(asked) {
                    answer.ending = Ending::Broken
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "http-unpacked",
        wrong: "A proxy unpacks bodies and leaves Content-Encoding on",
        found_by: "http-body",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if is_message(asked) {
                    answer.set_header("content-encoding", "gzip");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "gateway-502",
        wrong: "The proxy does not reach the server",
        found_by: "http-gateway",
        commit: || instead(|| Course::Answer(Answer::page(502, "<html><h1>502 Bad Gateway</h1></html>"))),
        ..Fault::NONE
    },
    Fault {
        name: "gateway-503",
        wrong: "The balancer has no healthy server",
        found_by: "http-gateway",
        mode: Mode::OAuth,
        commit: || instead(|| Course::Answer(Answer::new(503, "text/plain", "no healthy upstream"))),
        ..Fault::NONE
    },
    Fault {
        name: "page-at-every-path",
        wrong: "A web application answers every path with its page",
        found_by: "http-page",
        commit: || instead(|| Course::Answer(Answer::page(200, "<!doctype html><div id=app></div>"))),
        ..Fault::NONE
    },
    Fault {
        name: "page-for-robots",
        wrong: "Bot protection asks for a browser",
        found_by: "http-page",
        mode: Mode::ApiKey,
        commit: || instead(|| Course::Answer(Answer::page(403, "<!doctype html><title>Just a moment…</title>"))),
        ..Fault::NONE
    },
    Fault {
        name: "redirect-to-login",
        wrong: "A proxy with single sign-on stands in front",
        found_by: "http-redirect",
        commit: || instead(|| Course::Answer(Answer::redirect(302, "https://login.example.net/sso?back=mcp"))),
        ..Fault::NONE
    },
    Fault {
        name: "redirect-to-plain",
        wrong: "The server takes the request for one without TLS, and redirects to http",
        found_by: "http-redirect",
        commit: || instead(|| Course::Answer(Answer::redirect(307, "http://mcp.example.com/mcp/"))),
        ..Fault::NONE
    },
    Fault {
        name: "redirect-to-slash",
        wrong: "The endpoint is only at the path with a slash, and redirects to it",
        found_by: "http-redirect",
        commit: || at_endpoint(|asked| (asked.path == "/mcp").then(|| Answer::redirect(301, "/mcp/"))),
        ..Fault::NONE
    },
    Fault {
        name: "redirect-that-survives",
        wrong: "The endpoint redirects to the path with a slash, with 307",
        found_by: "http-redirect",
        commit: || at_endpoint(|asked| (asked.path == "/mcp").then(|| Answer::redirect(307, "/mcp/"))),
        ..Fault::NONE
    },
    Fault {
        name: "slow-to-wake",
        wrong: "The host sleeps until somebody calls",
        found_by: "http-time",
        commit: || asleep(Duration::from_secs(8)),
        ..Fault::NONE
    },
    Fault {
        name: "too-slow-to-wake",
        wrong: "The host sleeps, and wakes up later than Claude waits",
        found_by: "http-time",
        profile: Profile::Claude,
        commit: || asleep(Duration::from_secs(14)),
        ..Fault::NONE
    },
    Fault {
        name: "answers-public",
        wrong: "Answers may be kept by every cache",
        found_by: "http-caching",
        commit: || every_message(|answer| answer.set_header("cache-control", "public, max-age=600")),
        ..Fault::NONE
    },
    Fault {
        name: "answers-from-cache",
        wrong: "A CDN answers from its cache",
        found_by: "http-caching",
        commit: || every_message(|answer| answer.set_header("age", "17")),
        ..Fault::NONE
    },
    Fault {
        name: "slash-redirected",
        wrong: "The path with a slash redirects to the one without",
        found_by: "http-trailing-slash",
        commit: || at_endpoint(|asked| (asked.path == "/mcp/").then(|| Answer::redirect(307, "/mcp"))),
        ..Fault::NONE
    },
    Fault {
        name: "served-in-the-clear",
        wrong: "Port 80 serves the endpoint without TLS",
        found_by: "http-plain",
        commit: || Tampering::none().arriving(|_| Course::Forward),
        ..Fault::NONE
    },
    Fault {
        name: "get-not-found",
        wrong: "GET on the endpoint is a 404",
        found_by: "http-get",
        commit: || to_get(|| Course::Answer(Answer::new(404, "text/plain", "not found"))),
        ..Fault::NONE
    },
    Fault {
        name: "get-page",
        wrong: "GET on the endpoint shows a page",
        found_by: "http-get",
        commit: || to_get(|| Course::Answer(Answer::page(200, "<html>Welcome</html>"))),
        ..Fault::NONE
    },
    Fault {
        name: "get-hangs",
        wrong: "GET on the endpoint is never answered",
        found_by: "http-get",
        commit: || to_get(|| Course::Hang),
        ..Fault::NONE
    },
    Fault {
        name: "get-not-found-signed-in",
        wrong: "GET on the endpoint is a 404 for whoever has signed in",
        found_by: "http-get",
        mode: Mode::OAuth,
        commit: || {
            Tampering::none().arriving(|asked| {
                let signed_in = asked.method == Method::GET && asked.is_for_endpoint() && asked.bearer().is_some();
                if signed_in { Course::Answer(Answer::empty(404)) } else { Course::Usual }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "large-refused",
        wrong: "A proxy takes no body of more than 64 KiB",
        found_by: "http-large-body",
        commit: || large(|| Course::Answer(Answer::page(413, "<html>413 Request Entity Too Large</html>"))),
        ..Fault::NONE
    },
    Fault {
        name: "large-refused-signed-in",
        wrong: "A framework takes no body of more than 100 KB, and a sign-in stands before it",
        found_by: "http-large-body",
        mode: Mode::OAuth,
        commit: || large(|| Course::Answer(Answer::page(413, "<html><pre>PayloadTooLargeError</pre></html>"))),
        ..Fault::NONE
    },
    Fault {
        name: "large-cut-off",
        wrong: "A proxy closes the connection on large bodies",
        found_by: "http-large-body",
        commit: || large(|| Course::Close),
        ..Fault::NONE
    },
    Fault {
        name: "large-crashes",
        wrong: "The server fails over large bodies",
        found_by: "http-large-body",
        commit: || large(|| Course::Answer(Answer::empty(500))),
        ..Fault::NONE
    },
    Fault {
        name: "preflight-refused",
        wrong: "The pre-flight request is asked for a credential",
        found_by: "http-preflight",
        mode: Mode::ApiKey,
        commit: || to_options(|| Answer::empty(401)),
        ..Fault::NONE
    },
    Fault {
        name: "preflight-unknown",
        wrong: "Every page may read answers, and OPTIONS is not known",
        found_by: "http-preflight",
        commit: || {
            to_options(|| Answer::empty(405)).leaving(|asked, answer| {
                if is_message(asked) {
                    answer.set_header("access-control-allow-origin", "*");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "preflight-without-authorization",
        wrong: "Pages may call, without Authorization",
        found_by: "http-preflight",
        commit: || {
            to_options(|| {
                let mut answer = Answer::empty(204);
                answer.set_header("access-control-allow-origin", "*");
                answer.set_header("access-control-allow-headers", "*");
                answer
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "origin-ignored",
        wrong: "Nobody looks at the Origin of a message",
        found_by: "http-origin",
        commit: || {
            Tampering::none().arriving(|asked| {
                if is_message(asked) {
                    asked.headers.remove(header::ORIGIN);
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "origin-ignored-by-sessions",
        wrong: "Nobody looks at the Origin of a message, and nothing but initialize is answered before a session begins",
        found_by: "http-origin",
        commit: || {
            Tampering::none().arriving(|asked| {
                let of_a_page = is_message(asked) && asked.headers.remove(header::ORIGIN).is_some();
                if of_a_page && !asked.is_rpc("initialize") {
                    return Course::Answer(Answer::of_json(400, &no_session()));
                }
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "host-ignored",
        wrong: "A server on the inside answers to every name",
        found_by: "http-host",
        way: Way::Loopback,
        profile: Profile::Generic,
        commit: || {
            Tampering::none().arriving(|asked| {
                let own = asked.origin.trim_start_matches("http://");
                let own = HeaderValue::from_str(own).expect("a host");
                asked.headers.insert(header::HOST, own);
                Course::Usual
            })
        },
        ..Fault::NONE
    },
];

fn no_session() -> Value {
    let error = json!({"code": -32000, "message": "Bad Request: No valid session ID provided"});
    json!({"jsonrpc": "2.0", "error": error, "id": null})
}

fn is_message(asked: &Asked) -> bool {
    asked.method == Method::POST && asked.path.starts_with("/mcp")
}

/// What becomes of every message.
fn instead(course: fn() -> Course) -> Tampering {
    Tampering::none().arriving(move |asked| if asked.encrypted && is_message(asked) { course() } else { Course::Usual })
}

/// An answer to some requests at the endpoint, of either spelling.
fn at_endpoint(answer: fn(&Asked) -> Option<Answer>) -> Tampering {
    Tampering::none().arriving(move |asked| {
        let answer = if asked.encrypted { answer(asked) } else { None };
        answer.map_or(Course::Usual, Course::Answer)
    })
}

fn to_get(course: fn() -> Course) -> Tampering {
    Tampering::none().arriving(move |asked| {
        if asked.method == Method::GET && asked.is_for_endpoint() { course() } else { Course::Usual }
    })
}

fn to_options(answer: fn() -> Answer) -> Tampering {
    Tampering::none().arriving(move |asked| {
        if asked.method == Method::OPTIONS && asked.is_for_endpoint() {
            Course::Answer(answer())
        } else {
            Course::Usual
        }
    })
}

fn large(course: fn() -> Course) -> Tampering {
    Tampering::none().arriving(move |asked| if asked.body.len() > 64 << 10 { course() } else { Course::Usual })
}

fn every_message(change: fn(&mut Answer)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if is_message(asked) {
            change(answer);
        }
    })
}

/// The first message waits.
fn asleep(time: Duration) -> Tampering {
    let awake = AtomicBool::new(false);
    Tampering::none().arriving(move |asked| {
        if is_message(asked) && !awake.swap(true, Ordering::Relaxed) { Course::After(time) } else { Course::Usual }
    })
}
