//! What the endpoint says to somebody who shows nothing, or something wrong.

use serde_json::json;

use super::{OAUTH, RESOURCE, anonymous, challenge, is_anonymous, remove, result, without_scope};
use crate::{Answer, Course, Fault, Mode, Tampering};

fn page_of_login() -> Answer {
    Answer::redirect(302, "/login")
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "challenge-nobody-has-to-sign-in",
        wrong: "Calls without a token are answered, though the server has metadata for signing in",
        found_by: "challenge-status",
        commit: || anonymous(result),
        ..OAUTH
    },
    Fault {
        name: "challenge-403",
        wrong: "Calls without a token have 403",
        found_by: "challenge-status",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if is_anonymous(asked) {
                    answer.status = http::StatusCode::FORBIDDEN;
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-404",
        wrong: "Calls without a token have 404",
        found_by: "challenge-status",
        commit: || anonymous(|| Answer::empty(404)),
        ..OAUTH
    },
    Fault {
        name: "challenge-login-page",
        wrong: "Calls without a token are redirected to a login page",
        found_by: "http-redirect",
        commit: || anonymous(page_of_login),
        ..OAUTH
    },
    Fault {
        name: "challenge-error-in-200",
        wrong: "The refusal is a JSON-RPC error in a 200",
        found_by: "challenge-status",
        commit: || {
            anonymous(|| {
                let error = json!({"code": -32001, "message": "Unauthorized"});
                Answer::of_json(200, &json!({"jsonrpc": "2.0", "id": 1, "error": error}))
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-not-for-tools-list",
        wrong: "tools/list is answered without a token, and initialize is not",
        found_by: "challenge-everywhere",
        commit: || {
            Tampering::none().arriving(|asked| match is_anonymous(asked) && asked.is_rpc("tools/list") {
                true => Course::Answer(result()),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-not-for-initialize",
        wrong: "initialize is answered without a token, and nothing else is",
        found_by: "challenge-everywhere",
        commit: || {
            Tampering::none().arriving(|asked| match is_anonymous(asked) && asked.is_rpc("initialize") {
                true => Course::Answer(result()),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-without-header",
        wrong: "The 401 has no WWW-Authenticate",
        found_by: "challenge-header",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if is_anonymous(asked) {
                    answer.headers.remove("www-authenticate");
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-without-header-for-keys",
        wrong: "The 401 of a server that asks for a key has no WWW-Authenticate",
        found_by: "challenge-header",
        mode: Mode::ApiKey,
        commit: || {
            Tampering::none().leaving(|_, answer| {
                answer.headers.remove("www-authenticate");
            })
        },
        ..Fault::NONE
    },
    Fault {
        name: "challenge-basic",
        wrong: "A proxy asks for Basic in front of a server with OAuth",
        found_by: "challenge-header",
        commit: || challenge(|_| "Basic realm=\"intranet\"".to_owned()),
        ..OAUTH
    },
    Fault {
        name: "challenge-without-metadata",
        wrong: "The challenge does not name the metadata",
        found_by: "challenge-resource-metadata",
        commit: || challenge(|challenge| challenge.replace("resource_metadata=", "metadata=")),
        ..OAUTH
    },
    Fault {
        name: "challenge-relative-metadata",
        wrong: "The challenge names the metadata by a path",
        found_by: "challenge-resource-metadata",
        commit: || challenge(|challenge| challenge.replace("https://mcp.example.com/", "/")),
        ..OAUTH
    },
    Fault {
        name: "challenge-metadata-elsewhere",
        wrong: "The metadata that the challenge names is on another host",
        found_by: "challenge-metadata-origin",
        commit: || challenge(|challenge| challenge.replace("https://mcp.example.com/", "https://auth.example.net/")),
        ..OAUTH
    },
    Fault {
        name: "challenge-without-scope",
        wrong: "Neither the challenge nor the metadata of the endpoint names a scope, and the authorization server has some",
        found_by: "challenge-scope",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path.starts_with(RESOURCE) {
                    answer.change_json(|document| remove(document, "scopes_supported"));
                }
                if let Some(challenge) = answer.header("www-authenticate").map(without_scope) {
                    answer.set_header("www-authenticate", &challenge);
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "challenge-offline-access",
        wrong: "The challenge asks for offline_access",
        found_by: "scopes-offline-access",
        commit: || challenge(|challenge| challenge.replace("scope=\"", "scope=\"offline_access ")),
        ..OAUTH
    },
    Fault {
        name: "wrong-token-let-in",
        wrong: "Any token is taken that has another form than the server's own",
        found_by: "token-wrong",
        commit: || {
            Tampering::none().arriving(|asked| {
                let made_up = asked.is_for_endpoint() && asked.bearer().is_some_and(|token| !token.starts_with("bh"));
                if made_up { Course::Answer(result()) } else { Course::Usual }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "wrong-token-500",
        wrong: "A token of another form is an error of the server",
        found_by: "token-wrong",
        commit: || {
            Tampering::none().arriving(|asked| {
                let made_up = asked.is_for_endpoint() && asked.bearer().is_some_and(|token| !token.starts_with("bh"));
                if made_up { Course::Answer(Answer::empty(500)) } else { Course::Usual }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "wrong-token-without-error",
        wrong: "The challenge for a wrong token does not say invalid_token",
        found_by: "token-wrong-error",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                let challenge = answer.header("www-authenticate").filter(|_| asked.bearer().is_some());
                if let Some(challenge) = challenge.map(|challenge| challenge.replace("invalid_token", "unauthorized")) {
                    answer.set_header("www-authenticate", &challenge);
                }
            })
        },
        ..OAUTH
    },
];
