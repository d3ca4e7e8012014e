//! Registration of clients.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use bridgehead_doctor::Profile;
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use super::{OAUTH, remove};
use crate::{Answer, Asked, Course, Fault, Tampering};

const REGISTER: &str = "/oauth/register";
/// Where registrations are managed.
const REGISTERED: &str = "/oauth/register/";

fn is_registration(asked: &Asked) -> bool {
    asked.path == REGISTER && asked.method == Method::POST
}

/// The answer to a registration that went well is another one.
fn registered(change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if is_registration(asked) && answer.status.is_success() {
            answer.change_json(change);
        }
    })
}

/// This redirect URI is taken beside good ones.
fn takes(bad: &'static str) -> Tampering {
    // What marks the request on its way back.
    const MARK: &str = "https://client.example/marked";
    Tampering::none()
        .arriving(move |asked| {
            let mut metadata = asked.json();
            let uris = metadata["redirect_uris"].as_array().cloned().unwrap_or_default();
            if is_registration(asked) && uris.iter().any(|uri| uri == bad) {
                metadata["redirect_uris"] = uris.into_iter().filter(|uri| uri != bad).collect();
                metadata["client_uri"] = MARK.into();
                asked.body = metadata.to_string().into();
            }
            Course::Usual
        })
        .leaving(move |asked, answer| {
            if is_registration(asked) && asked.json()["client_uri"] == MARK {
                answer.change_json(|document| {
                    if let Some(uris) = document["redirect_uris"].as_array_mut() {
                        uris.push(bad.into());
                    }
                });
            }
        })
}

/// The second client is the first.
fn one_for_all() -> Tampering {
    const WAITING: &str = "http://127.0.0.1:8917/callback";
    let count = AtomicUsize::new(0);
    let first = Arc::new(Mutex::<Option<Value>>::default());
    let given = first.clone();
    Tampering::none()
        .arriving(move |asked| {
            if !is_registration(asked) {
                return Course::Usual;
            }
            let mut metadata = asked.json();
            match (count.fetch_add(1, Ordering::Relaxed), &*first.lock().expect("no panic while it is held")) {
                (0, _) => {
                    if let Some(uris) = metadata["redirect_uris"].as_array_mut() {
                        uris.push(WAITING.into());
                    }
                    asked.body = metadata.to_string().into();
                    Course::Usual
                }
                (1, Some(document)) => {
                    let mut document = document.clone();
                    document["redirect_uris"] = metadata["redirect_uris"].take();
                    Course::Answer(Answer::of_json(201, &document))
                }
                _ => Course::Usual,
            }
        })
        .leaving(move |asked, answer| {
            let mut given = given.lock().expect("no panic while it is held");
            if is_registration(asked) && given.is_none() {
                answer.change_json(|document| {
                    if let Some(uris) = document["redirect_uris"].as_array_mut() {
                        uris.pop();
                    }
                });
                *given = Some(answer.json());
            }
        })
}

/// Registrations open with any token.
fn open_to_all() -> Tampering {
    let own = Mutex::<Option<HeaderValue>>::default();
    Tampering::none().arriving(move |asked| {
        if asked.path.starts_with(REGISTERED) && asked.method == Method::GET {
            let mut own = own.lock().expect("no panic while it is held");
            if let Some(sent) = asked.headers.get(header::AUTHORIZATION).cloned() {
                let own = own.get_or_insert(sent).clone();
                asked.headers.insert(header::AUTHORIZATION, own);
            }
        }
        Course::Usual
    })
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "registration-refused",
        wrong: "Registration needs a token that platforms do not have",
        found_by: "registration-works",
        commit: || super::at(REGISTER, || Answer::of_json(401, &json!({"error": "invalid_token"}))),
        ..OAUTH
    },
    Fault {
        name: "registration-refuses-the-platform",
        wrong: "Redirect URIs of the platform are not on the list of those that may register",
        found_by: "registration-works",
        commit: || super::at(REGISTER, || Answer::of_json(400, &json!({"error": "invalid_redirect_uri"}))),
        ..OAUTH
    },
    Fault {
        name: "registration-200",
        wrong: "A registration is answered 200",
        found_by: "registration-works",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if is_registration(asked) && answer.status == StatusCode::CREATED {
                    answer.status = StatusCode::OK;
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "registration-without-redirect-uris",
        wrong: "The answer to a registration has no redirect_uris",
        found_by: "registration-echo",
        commit: || registered(|document| remove(document, "redirect_uris")),
        ..OAUTH
    },
    Fault {
        name: "registration-one-for-all",
        wrong: "Every client is given the same client id",
        found_by: "registration-unique",
        commit: one_for_all,
        ..OAUTH
    },
    Fault {
        name: "registration-secret-without-end",
        wrong: "A secret comes without client_secret_expires_at",
        found_by: "registration-secret",
        commit: || registered(|document| remove(document, "client_secret_expires_at")),
        ..OAUTH
    },
    Fault {
        name: "registration-secret-for-none",
        wrong: "A client that registered with `none` is given a secret",
        found_by: "registration-secret",
        commit: || {
            registered(|document| {
                if document["token_endpoint_auth_method"] == "none" {
                    document["client_secret"] = "a-secret-that-nobody-needs".into();
                    document["client_secret_expires_at"] = 0.into();
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "registration-drops-refresh-token",
        wrong: "The answer to a registration names authorization_code alone",
        found_by: "registration-refresh-token",
        commit: || registered(|document| document["grant_types"] = json!(["authorization_code"])),
        ..OAUTH
    },
    Fault {
        name: "registration-drops-refresh-token-for-chatgpt",
        wrong: "The same, looked at as ChatGPT, which refuses it",
        found_by: "registration-refresh-token",
        profile: Profile::ChatGpt,
        commit: || registered(|document| remove(document, "grant_types")),
        ..OAUTH
    },
    Fault {
        name: "registration-takes-scripts",
        wrong: "javascript: is taken as a redirect URI beside a good one",
        found_by: "registration-redirect-uris",
        commit: || takes("javascript:alert(document.domain)"),
        ..OAUTH
    },
    Fault {
        name: "registration-takes-plain-http",
        wrong: "Plain http on the network is taken as a redirect URI",
        found_by: "registration-redirect-uris",
        commit: || takes("http://client.example/callback"),
        ..OAUTH
    },
    Fault {
        name: "registration-open-to-all",
        wrong: "A registration is shown to anybody who knows its URL",
        found_by: "registration-management",
        commit: open_to_all,
        ..OAUTH
    },
    Fault {
        name: "registration-cannot-be-read",
        wrong: "A registration has a URL of its own, and nothing is there",
        found_by: "registration-management",
        commit: || {
            Tampering::none().arriving(|asked| {
                match asked.path.starts_with(REGISTERED) && asked.method == Method::GET {
                    true => Course::Answer(Answer::empty(404)),
                    false => Course::Usual,
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "registration-cannot-be-removed",
        wrong: "A registration cannot be removed by its client, though it has a URL for that",
        found_by: "registration-removed",
        commit: || {
            Tampering::none().arriving(|asked| {
                match asked.method == Method::DELETE && asked.path.starts_with(REGISTERED) {
                    true => Course::Answer(Answer::empty(405)),
                    false => Course::Usual,
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "registration-stays",
        wrong: "The first registration that is removed is said to be gone, and is not",
        found_by: "registration-removed",
        commit: || {
            let removed = AtomicBool::new(false);
            Tampering::none().arriving(move |asked| {
                let removes = asked.method == Method::DELETE && asked.path.starts_with(REGISTERED);
                if removes && !removed.swap(true, Ordering::Relaxed) {
                    Course::Answer(Answer::empty(204))
                } else {
                    Course::Usual
                }
            })
        },
        ..OAUTH
    },
];
