//! Keys, and values in headers.

use std::sync::Mutex;

use http::{HeaderName, HeaderValue, header};
use serde_json::json;

use super::{anonymous, result};
use crate::{Answer, Course, Fault, Mode, Tampering};

/// From the first good value on, every other one in this header counts as that one.
fn not_looked_at(name: HeaderName) -> Tampering {
    let first = Mutex::<Option<HeaderValue>>::default();
    Tampering::none().arriving(move |asked| {
        if let Some(value) = asked.headers.get_mut(&name) {
            let mut first = first.lock().expect("no panic while it is held");
            *value = first.get_or_insert_with(|| value.clone()).clone();
        }
        Course::Usual
    })
}

/// Keys behind a scheme in small letters are not seen.
fn capital_scheme() -> Tampering {
    Tampering::none().arriving(|asked| {
        if asked.header("authorization").is_some_and(|value| value.starts_with("bearer ")) {
            asked.headers.remove(header::AUTHORIZATION);
        }
        Course::Usual
    })
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "key-refused",
        wrong: "A proxy removes Authorization, so that every key is refused",
        found_by: "credential-accepted",
        mode: Mode::ApiKey,
        commit: || {
            Tampering::none().arriving(|asked| {
                asked.headers.remove(header::AUTHORIZATION);
                Course::Usual
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "key-not-looked-at",
        wrong: "Any key is taken",
        found_by: "credential-wrong",
        mode: Mode::ApiKey,
        commit: || not_looked_at(header::AUTHORIZATION),
        ..Fault::NONE
    },
    Fault {
        name: "key-one-header-not-looked-at",
        wrong: "Of two headers one is looked at",
        found_by: "credential-wrong",
        mode: Mode::Headers,
        commit: || not_looked_at(HeaderName::from_static("x-tenant")),
        ..Fault::NONE
    },
    Fault {
        name: "key-wrong-is-500",
        wrong: "A wrong key is an error of the server",
        found_by: "credential-wrong",
        mode: Mode::ApiKey,
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.bearer().is_some() && answer.status == http::StatusCode::UNAUTHORIZED {
                    *answer = Answer::empty(500);
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "key-not-needed",
        wrong: "Calls without a key are answered",
        found_by: "credential-missing",
        mode: Mode::ApiKey,
        commit: || anonymous(result),
        ..Fault::NONE
    },
    Fault {
        name: "key-header-not-named",
        wrong: "The refusal does not say which header is wanted",
        found_by: "credential-named",
        mode: Mode::Headers,
        commit: || {
            Tampering::none().leaving(|_, answer| {
                if answer.status == http::StatusCode::UNAUTHORIZED {
                    *answer = Answer::of_json(401, &json!({"error": "unauthorized"}));
                    answer.set_header("www-authenticate", "ApiKey");
                }
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "key-scheme-in-capitals",
        wrong: "A key behind `bearer` in small letters is not seen",
        found_by: "token-scheme-case",
        mode: Mode::ApiKey,
        commit: capital_scheme,
        ..Fault::NONE
    },
    Fault {
        name: "token-scheme-in-capitals",
        wrong: "A token behind `bearer` in small letters is not seen",
        found_by: "token-scheme-case",
        mode: Mode::OAuth,
        commit: capital_scheme,
        ..Fault::NONE
    },
];
