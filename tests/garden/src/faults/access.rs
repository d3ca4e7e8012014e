//! What can be wrong with the way in: challenge, metadata, registration, sign-in, tokens. A file for each of
//! the steps that a client takes.

mod authorize;
mod challenge;
mod credential;
mod metadata;
mod registration;
mod resource;
mod token;

use http::{Method, header};
use serde_json::{Value, json};

use crate::{Answer, Asked, Course, Fault, Mode, Tampering};

/// The faults of this area, a list for each step.
pub const FAULTS: &[&[Fault]] = &[
    challenge::FAULTS,
    credential::FAULTS,
    resource::FAULTS,
    metadata::FAULTS,
    registration::FAULTS,
    authorize::FAULTS,
    token::FAULTS,
];

/// What all faults of OAuth have in common.
const OAUTH: Fault = Fault { mode: Mode::OAuth, ..Fault::NONE };

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";

fn is_anonymous(asked: &Asked) -> bool {
    // What comes without TLS, or of a foreign page, has another answer first.
    asked.is_for_endpoint()
        && asked.encrypted
        && asked.method == Method::POST
        && asked.query.is_none()
        && !asked.headers.contains_key(header::ORIGIN)
        && !asked.headers.contains_key(header::AUTHORIZATION)
}

fn is_metadata_of_server(asked: &Asked) -> bool {
    asked.path.starts_with(SERVER) || asked.path.starts_with(OPENID)
}

/// A result, as any method might have one.
fn result() -> Answer {
    let server = json!({"name": "Warehouse", "version": "1"});
    let result = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": server, "tools": []});
    Answer::of_json(200, &json!({"jsonrpc": "2.0", "id": 1, "result": result}))
}

/// Calls without a credential are answered like this.
fn anonymous(answer: fn() -> Answer) -> Tampering {
    Tampering::none().arriving(move |asked| match is_anonymous(asked) {
        true => Course::Answer(answer()),
        false => Course::Usual,
    })
}

/// The challenge of calls without a credential is another one.
pub(crate) fn challenge(change: fn(&str) -> String) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if is_anonymous(asked)
            && let Some(challenge) = answer.header("www-authenticate").map(change)
        {
            answer.set_header("www-authenticate", &challenge);
        }
    })
}

/// A challenge that names no scope.
pub(crate) fn without_scope(challenge: &str) -> String {
    challenge.replace("scope=", "scopes=")
}

/// The metadata of the endpoint is another one, wherever it is.
fn resource(change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.path.starts_with(RESOURCE) {
            answer.change_json(change);
        }
    })
}

/// The metadata of the authorization server is another one, wherever it is.
fn server(change: fn(&mut Value)) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if is_metadata_of_server(asked) {
            answer.change_json(change);
        }
    })
}

/// What is asked for there is answered like this.
fn at(path: &'static str, answer: fn() -> Answer) -> Tampering {
    Tampering::none().arriving(move |asked| match asked.path == path {
        true => Course::Answer(answer()),
        false => Course::Usual,
    })
}

fn remove(value: &mut Value, member: &str) {
    if let Some(object) = value.as_object_mut() {
        object.shift_remove(member);
    }
}
