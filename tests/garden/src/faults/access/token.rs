//! What comes of a sign-in: the answer at the redirect URI, codes, tokens, and their end.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use url::{Url, form_urlencoded};

use super::{OAUTH, remove};
use crate::{Answer, Asked, Course, Fault, Tampering};

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";

/// Where the browser is led after consent is another place.
fn back(change: fn(&mut Url)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.path == "/oauth/consent" {
            answer.change_way_back(change);
        }
    })
}

/// The answer to a code that is good is another one.
fn issued(change: fn(&mut Answer)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.is_grant("authorization_code") && answer.status.is_success() {
            change(answer);
        }
    })
}

fn refuse_grant() -> Answer {
    Answer::of_json(400, &json!({"error": "invalid_grant"}))
}

/// Tokens for whatever resource is named; a refresh ends the access token that came with its refresh token.
fn one_at_a_time() -> Tampering {
    let came_with: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
    let ended: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let (came_before, ends) = (came_with, ended.clone());
    Tampering::none()
        .arriving(move |asked| {
            if asked.path == TOKEN {
                set_field(asked, "resource", "https://mcp.example.com/mcp");
            }
            let is_over = asked.bearer().is_some_and(|token| ended.lock().unwrap().contains(token));
            if is_over { Course::Answer(Answer::empty(401)) } else { Course::Usual }
        })
        .leaving(move |asked, answer| {
            let document = answer.json();
            let [Some(access), Some(refresh)] =
                ["access_token", "refresh_token"].map(|member| document[member].as_str().map(str::to_owned))
            else {
                return;
            };
            let mut came_before = came_before.lock().unwrap();
            if let Some(before) = asked.field("refresh_token").and_then(|used| came_before.remove(&used)) {
                ends.lock().unwrap().insert(before);
            }
            came_before.insert(refresh, access);
        })
}

/// A form with another value of a field.
fn set_field(asked: &mut Asked, field: &str, value: &str) {
    let pairs = form_urlencoded::parse(&asked.body).into_owned();
    let pairs = pairs.map(|(name, old)| {
        let new = if name == field { value.to_owned() } else { old };
        (name, new)
    });
    asked.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish().into();
}

/// A parameter of a URL with another value; removed where there is none.
fn set_parameter(url: &mut Url, parameter: &str, value: Option<&str>) {
    let kept: Vec<_> = url.query_pairs().into_owned().filter(|(name, _)| name != parameter).collect();
    let mut query = url.query_pairs_mut();
    query.clear().extend_pairs(kept);
    if let Some(value) = value {
        query.append_pair(parameter, value);
    }
}

/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Every challenge is the same, and every verifier fits.
fn without_verifier() -> Tampering {
    Tampering::none().arriving(|asked| {
        if asked.path == "/oauth/authorize" && asked.parameter("code_challenge_method").as_deref() == Some("S256") {
            let mut url = Url::parse("https://mcp.example.com/oauth/authorize").expect("a URL");
            url.set_query(asked.query.as_deref());
            set_parameter(&mut url, "code_challenge", Some(CHALLENGE));
            asked.query = url.query().map(str::to_owned);
        }
        if asked.is_grant("authorization_code") {
            set_field(asked, "code_verifier", VERIFIER);
        }
        Course::Usual
    })
}

/// A code that was exchanged has the same answer again.
fn replayed() -> Tampering {
    let answers = Arc::new(Mutex::<BTreeMap<String, Answer>>::default());
    let kept = answers.clone();
    Tampering::none()
        .arriving(move |asked| {
            let code = asked.field("code").filter(|_| asked.is_grant("authorization_code"));
            let answers = answers.lock().expect("no panic while it is held");
            match code.and_then(|code| answers.get(&code)) {
                Some(answer) => Course::Answer(answer.clone()),
                None => Course::Usual,
            }
        })
        .leaving(move |asked, answer| {
            if asked.is_grant("authorization_code")
                && answer.status.is_success()
                && let Some(code) = asked.field("code")
            {
                kept.lock().expect("no panic while it is held").insert(code, answer.clone());
            }
        })
}

/// Each refresh token works once, whoever comes second.
fn strictly_once() -> Tampering {
    let used = Mutex::<BTreeSet<String>>::default();
    Tampering::none().arriving(move |asked| {
        let token = asked.field("refresh_token").filter(|_| asked.is_grant("refresh_token"));
        match token.map(|token| used.lock().expect("no panic while it is held").insert(token)) {
            Some(false) => Course::Answer(refuse_grant()),
            _ => Course::Usual,
        }
    })
}

/// What became of each refresh token.
type Successors = Arc<Mutex<BTreeMap<String, String>>>;

/// Notes the successor of what was sent.
fn note(successors: &Successors, asked: &Asked, answer: &Answer) {
    let sent = asked.field("refresh_token").filter(|_| asked.is_grant("refresh_token"));
    let document = answer.json();
    if let (Some(sent), Some(new)) = (sent, document["refresh_token"].as_str())
        && sent != new
    {
        successors.lock().expect("no panic while it is held").insert(sent, new.to_owned());
    }
}

fn latest(successors: &Successors, token: &str) -> String {
    let successors = successors.lock().expect("no panic while it is held");
    let mut token = token.to_owned();
    while let Some(next) = successors.get(&token) {
        token.clone_from(next);
    }
    token
}

/// Every refresh token of a grant goes on working.
fn old_ones_work() -> Tampering {
    let successors = Successors::default();
    let noted = successors.clone();
    Tampering::none()
        .arriving(move |asked| {
            if let Some(token) = asked.field("refresh_token") {
                set_field(asked, "refresh_token", &latest(&successors, &token));
            }
            Course::Usual
        })
        .leaving(move |asked, answer| note(&noted, asked, answer))
}

/// The refresh token is the same for ever: the first one stands for whatever it has become.
fn never_new() -> Tampering {
    let successors = Successors::default();
    let noted = successors.clone();
    // The first of a grant, by each that came after it.
    let firsts = Mutex::<BTreeMap<String, String>>::default();
    Tampering::none()
        .arriving(move |asked| {
            for field in ["refresh_token", "token"] {
                if let Some(token) = asked.field(field) {
                    set_field(asked, field, &latest(&successors, &token));
                }
            }
            Course::Usual
        })
        .leaving(move |asked, answer| {
            note(&noted, asked, answer);
            let Some(sent) = asked.field("refresh_token").filter(|_| answer.status.is_success()) else { return };
            let mut firsts = firsts.lock().expect("no panic while it is held");
            let first = firsts.get(&sent).unwrap_or(&sent).clone();
            if let Some(new) = answer.json()["refresh_token"].as_str() {
                firsts.insert(new.to_owned(), first.clone());
            }
            answer.change_json(|document| document["refresh_token"] = first.clone().into());
        })
}

/// Of a token all but one character is looked at.
fn nearly_right() -> Tampering {
    let known = Arc::new(Mutex::<Vec<String>>::default());
    let noted = known.clone();
    Tampering::none()
        .arriving(move |asked| {
            let known = known.lock().expect("no panic while it is held");
            let near = asked.bearer().and_then(|token| known.iter().find(|known| differences(known, token) == 1));
            if let Some(value) = near.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
                asked.headers.insert(header::AUTHORIZATION, value);
            }
            Course::Usual
        })
        .leaving(move |asked, answer| {
            if let Some(token) = answer.json()["access_token"].as_str().filter(|_| asked.path == TOKEN) {
                noted.lock().expect("no panic while it is held").push(token.to_owned());
            }
        })
}

fn differences(one: &str, other: &str) -> usize {
    if one.len() != other.len() {
        return usize::MAX;
    }
    one.bytes().zip(other.bytes()).filter(|(one, other)| one != other).count()
}

/// What makes a JWT of a token: a header, and the claims `{"aud":"https://api.example.net"}`.
const DRESS: &str = "e30.eyJhdWQiOiJodHRwczovL2FwaS5leGFtcGxlLm5ldCJ9.";

/// Tokens are JWTs for somebody else.
fn for_another() -> Tampering {
    Tampering::none()
        .arriving(|asked| {
            let undressed = asked.header("authorization").map(|value| value.replace(DRESS, ""));
            if let Some(value) = undressed.and_then(|value| HeaderValue::from_str(&value).ok()) {
                asked.headers.insert(header::AUTHORIZATION, value);
            }
            if let Some(token) = asked.field("token") {
                set_field(asked, "token", &token.replace(DRESS, ""));
            }
            Course::Usual
        })
        .leaving(|asked, answer| {
            if asked.path == TOKEN {
                answer.change_json(|document| {
                    if let Some(token) = document["access_token"].as_str() {
                        document["access_token"] = format!("{DRESS}{token}").into();
                    }
                });
            }
        })
}

/// Revoking a token that begins so is said to be done, and is not.
fn not_revoked(kind: &'static str) -> Tampering {
    Tampering::none().arriving(move |asked| {
        let pretended = asked.path == REVOKE && asked.field("token").is_some_and(|token| token.starts_with(kind));
        if pretended { Course::Answer(Answer::empty(200)) } else { Course::Usual }
    })
}

/// Tokens in the query count as those in the header.
fn from_query() -> Tampering {
    Tampering::none().arriving(|asked| {
        let token = asked.parameter("access_token").filter(|_| asked.is_for_endpoint());
        if let Some(value) = token.and_then(|token| HeaderValue::from_str(&format!("Bearer {token}")).ok()) {
            asked.headers.insert(header::AUTHORIZATION, value);
            asked.query = None;
        }
        Course::Usual
    })
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "token-errors-as-pages",
        wrong: "A code that is not good is refused by a page",
        found_by: "token-errors",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path == TOKEN && answer.status == StatusCode::BAD_REQUEST {
                    *answer = Answer::page(400, "<!doctype html><title>Bad Request</title>");
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "token-unknown-client-is-invalid-grant",
        wrong: "A client that is not known is told that its code is wrong",
        found_by: "token-unknown-client",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path == TOKEN && answer.status == StatusCode::UNAUTHORIZED {
                    *answer = refuse_grant();
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "sign-in-ends-in-an-error",
        wrong: "After consent the browser comes back with server_error",
        found_by: "sign-in-returns",
        commit: || {
            back(|url| {
                set_parameter(url, "code", None);
                set_parameter(url, "error", Some("server_error"));
            })
        },
        ..OAUTH
    },
    Fault {
        name: "sign-in-drops-state",
        wrong: "`state` does not come back",
        found_by: "sign-in-state",
        commit: || back(|url| set_parameter(url, "state", None)),
        ..OAUTH
    },
    Fault {
        name: "sign-in-decodes-state",
        wrong: "A plus sign in `state` comes back as a blank",
        found_by: "sign-in-state",
        commit: || {
            back(|url| {
                let state =
                    url.query_pairs().find(|(name, _)| name == "state").map(|(_, state)| state.replace('+', " "));
                set_parameter(url, "state", state.as_deref());
            })
        },
        ..OAUTH
    },
    Fault {
        name: "sign-in-other-issuer",
        wrong: "`iss` of the answer is the identity provider behind",
        found_by: "sign-in-iss",
        commit: || back(|url| set_parameter(url, "iss", Some("https://login.example.net"))),
        ..OAUTH
    },
    Fault {
        name: "sign-in-without-issuer",
        wrong: "`iss` is promised and does not come",
        found_by: "sign-in-iss",
        commit: || back(|url| set_parameter(url, "iss", None)),
        ..OAUTH
    },
    Fault {
        name: "token-exchange-fails",
        wrong: "A good code is an error of the server",
        found_by: "token-exchange",
        commit: || issued(|answer| *answer = Answer::of_json(500, &json!({"error": "server_error"}))),
        ..OAUTH
    },
    Fault {
        name: "token-without-type",
        wrong: "The answer with the token has no token_type",
        found_by: "token-type",
        commit: || issued(|answer| answer.change_json(|document| remove(document, "token_type"))),
        ..OAUTH
    },
    Fault {
        name: "token-as-text",
        wrong: "The answer with the token comes as text",
        found_by: "token-type",
        commit: || issued(|answer| answer.set_header("content-type", "text/plain")),
        ..OAUTH
    },
    Fault {
        name: "token-may-be-stored",
        wrong: "A cache may keep the answer with the token",
        found_by: "token-no-store",
        commit: || issued(|answer| answer.set_header("cache-control", "public, max-age=60")),
        ..OAUTH
    },
    Fault {
        name: "token-without-end",
        wrong: "The answer does not say how long the token is good",
        found_by: "token-expires-in",
        commit: || issued(|answer| answer.change_json(|document| remove(document, "expires_in"))),
        ..OAUTH
    },
    Fault {
        name: "token-end-as-text",
        wrong: "expires_in is text",
        found_by: "token-expires-in",
        commit: || issued(|answer| answer.change_json(|document| document["expires_in"] = "900".into())),
        ..OAUTH
    },
    Fault {
        name: "token-without-refresh-token",
        wrong: "No refresh token comes, though the client registered for it",
        found_by: "token-refresh-token",
        commit: || issued(|answer| answer.change_json(|document| remove(document, "refresh_token"))),
        ..OAUTH
    },
    Fault {
        name: "token-not-taken",
        wrong: "The endpoint does not take the tokens that are issued for it",
        found_by: "token-accepted",
        commit: || {
            issued(|answer| answer.change_json(|document| document["access_token"] = "of-another-issuer".into()))
        },
        ..OAUTH
    },
    Fault {
        name: "token-in-query",
        wrong: "A token in the query of the URL is taken",
        found_by: "token-query",
        commit: from_query,
        ..OAUTH
    },
    Fault {
        name: "token-nearly-right",
        wrong: "A token with one character changed is taken",
        found_by: "token-garbled",
        commit: nearly_right,
        ..OAUTH
    },
    Fault {
        name: "token-for-another",
        wrong: "The token says that it is for another server",
        found_by: "token-audience",
        commit: for_another,
        ..OAUTH
    },
    Fault {
        name: "introspection-for-all",
        wrong: "Anybody may look tokens up",
        found_by: "introspection-closed",
        commit: || {
            super::at("/oauth/introspect", || {
                Answer::of_json(200, &json!({"active": true, "sub": "alice@example.com", "scope": "tools:read"}))
            })
        },
        ..OAUTH
    },
    Fault {
        name: "refresh-fails",
        wrong: "Refresh tokens are issued and never taken",
        found_by: "refresh-works",
        commit: || {
            Tampering::none().arriving(|asked| match asked.is_grant("refresh_token") {
                true => Course::Answer(refuse_grant()),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "refresh-never-new",
        wrong: "The refresh token stays the same",
        found_by: "refresh-rotates",
        commit: never_new,
        ..OAUTH
    },
    Fault {
        name: "token-for-any-resource",
        wrong: "`resource` is not looked at",
        found_by: "token-foreign-resource",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.path == TOKEN {
                    set_field(asked, "resource", "https://mcp.example.com/mcp");
                }
                Course::Usual
            })
        },
        ..OAUTH
    },
    Fault {
        name: "token-for-any-resource-one-at-a-time",
        wrong: "`resource` is not looked at, and each refresh ends the access token before it",
        found_by: "token-foreign-resource",
        commit: one_at_a_time,
        ..OAUTH
    },
    Fault {
        name: "code-without-verifier",
        wrong: "PKCE is demanded, and the verifier is not compared",
        found_by: "code-verifier",
        commit: without_verifier,
        ..OAUTH
    },
    Fault {
        name: "code-twice",
        wrong: "A code can be exchanged again",
        found_by: "code-replay",
        commit: replayed,
        ..OAUTH
    },
    Fault {
        name: "refresh-strictly-once",
        wrong: "Of two refreshes at once the second is refused",
        found_by: "refresh-race",
        commit: strictly_once,
        ..OAUTH
    },
    Fault {
        name: "refresh-old-ones-work",
        wrong: "A refresh token works after its successor was used",
        found_by: "refresh-reuse",
        commit: old_ones_work,
        ..OAUTH
    },
    Fault {
        name: "revocation-of-access-pretended",
        wrong: "A revoked access token goes on working",
        found_by: "revocation-access",
        commit: || not_revoked("bha_"),
        ..OAUTH
    },
    Fault {
        name: "revocation-of-refresh-pretended",
        wrong: "A revoked refresh token goes on working",
        found_by: "revocation-refresh",
        commit: || not_revoked("bhr_"),
        ..OAUTH
    },
];
