//! What is different at servers of others and is no fault: no check may say a word about it. Each was met at a server
//! that nobody here wrote, see `docs/doctor-over-real-servers.md`.

use http::{Method, StatusCode, header};

use crate::{
    Answer, Course, Fault, Mode, Tampering,
    faults::access::{challenge, without_scope},
};

/// All of them. They are found by nothing.
pub const ALL: &[Fault] = &[
    Fault {
        name: "preflight-not-offered",
        wrong: "OPTIONS is a 405, and no answer lets a page read it",
        commit: || {
            Tampering::none().arriving(|asked| match asked.method == Method::OPTIONS && asked.is_for_endpoint() {
                true => Course::Answer(Answer::empty(405)),
                false => Course::Usual,
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "get-without-allow",
        wrong: "The 405 to GET has no Allow header",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.method == Method::GET && asked.is_for_endpoint() {
                    answer.headers.remove(header::ALLOW);
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "scope-in-the-metadata-alone",
        wrong: "The challenge names no scope, and the metadata of the endpoint does",
        mode: Mode::OAuth,
        commit: || challenge(without_scope),
        ..Fault::NONE
    },
    Fault {
        name: "invalid-grant-with-401",
        wrong: "invalid_grant comes with 401 in the place of 400",
        mode: Mode::OAuth,
        commit: || {
            Tampering::none().leaving(|_, answer| {
                if answer.json()["error"] == "invalid_grant" {
                    answer.status = StatusCode::UNAUTHORIZED;
                }
            })
        },
        ..Fault::NONE
    },
];
