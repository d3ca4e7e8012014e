//! The metadata of the endpoint, and what holds for all documents under `/.well-known/`.

use std::time::Duration;

use bridgehead_doctor::Profile;
use serde_json::{Value, json};

use super::{OAUTH, OPENID, RESOURCE, SERVER, at, challenge, remove, resource};
use crate::{Answer, Course, Fault, Tampering};

/// An application with a page for every path.
fn page() -> Answer {
    Answer::page(200, "<!doctype html><title>Warehouse</title><div id=app></div>")
}

/// Every document and challenge names the server by this origin.
fn known_as(origin: &'static str) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.path.starts_with("/.well-known/") {
            let text = String::from_utf8_lossy(&answer.body).replace(&asked.origin, origin);
            answer.body = text.into();
        }
        if let Some(challenge) = answer.header("www-authenticate").map(|text| text.replace(&asked.origin, origin)) {
            answer.set_header("www-authenticate", &challenge);
        }
    })
}

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "well-known-page",
        wrong: "An application answers /.well-known/openid-configuration with its page",
        found_by: "well-known-json",
        commit: || at(OPENID, page),
        ..OAUTH
    },
    Fault {
        name: "well-known-page-for-the-resource",
        wrong: "An application answers every path of the endpoint's metadata with its page",
        found_by: "well-known-json",
        commit: || {
            Tampering::none().arriving(|asked| match asked.path.starts_with(RESOURCE) {
                true => Course::Answer(page()),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "well-known-500",
        wrong: "A place where clients look for metadata is an error of the server",
        found_by: "well-known-errors",
        commit: || at("/.well-known/oauth-authorization-server/mcp", || Answer::empty(500)),
        ..OAUTH
    },
    Fault {
        name: "well-known-closed",
        wrong: "A place where clients look for metadata closes the connection",
        found_by: "well-known-errors",
        commit: || {
            Tampering::none().arriving(|asked| match asked.path == OPENID {
                true => Course::Close,
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "well-known-text",
        wrong: "The endpoint's metadata comes as application/octet-stream",
        found_by: "well-known-content-type",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path.starts_with(RESOURCE) {
                    answer.set_header("content-type", "application/octet-stream");
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "well-known-not-for-pages",
        wrong: "The metadata of the authorization server cannot be read by pages",
        found_by: "well-known-cors",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path == SERVER {
                    answer.headers.remove("access-control-allow-origin");
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "well-known-slow",
        wrong: "Metadata takes twelve seconds, and Claude waits ten",
        found_by: "discovery-time",
        profile: Profile::Claude,
        commit: || {
            Tampering::none().arriving(|asked| match asked.path == SERVER {
                true => Course::After(Duration::from_secs(12)),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "well-known-asleep",
        wrong: "Metadata is not answered at all",
        found_by: "discovery-time",
        commit: || {
            Tampering::none().arriving(|asked| match asked.path == SERVER {
                true => Course::Hang,
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "metadata-inside",
        wrong: "Behind a proxy the server names the address that it has inside, everywhere",
        found_by: "metadata-public-urls",
        commit: || known_as("http://10.0.0.7:8080"),
        ..OAUTH
    },
    Fault {
        name: "metadata-plain-http",
        wrong: "Behind a proxy that ends TLS the server says http of itself",
        found_by: "metadata-public-urls",
        commit: || known_as("http://mcp.example.com"),
        ..OAUTH
    },
    Fault {
        name: "metadata-container-name",
        wrong: "The metadata names the token endpoint by the name of a container",
        found_by: "metadata-public-urls",
        commit: || super::server(|document| document["token_endpoint"] = "http://auth:9000/oauth/token".into()),
        ..OAUTH
    },
    Fault {
        name: "prm-missing",
        wrong: "The endpoint has no metadata",
        found_by: "prm-found",
        commit: || {
            Tampering::none().arriving(|asked| match asked.path.starts_with(RESOURCE) {
                true => Course::Answer(Answer::of_json(404, &json!({"error": "not_found"}))),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "prm-not-where-named",
        wrong: "The challenge names a place where the metadata is not",
        found_by: "prm-found",
        commit: || challenge(|challenge| challenge.replace("oauth-protected-resource", "oauth-protected-resources")),
        ..OAUTH
    },
    Fault {
        name: "prm-not-at-the-path",
        wrong: "The metadata is at the root alone, where the challenge names it",
        found_by: "prm-places",
        commit: || {
            let named =
                challenge(|challenge| challenge.replace("oauth-protected-resource/mcp", "oauth-protected-resource"));
            named.arriving(|asked| match asked.path == "/.well-known/oauth-protected-resource/mcp" {
                true => Course::Answer(Answer::empty(404)),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "prm-not-at-the-root",
        wrong: "ChatGPT finds no metadata at the root",
        found_by: "prm-places",
        profile: Profile::ChatGpt,
        commit: || at(RESOURCE, || Answer::empty(404)),
        ..OAUTH
    },
    Fault {
        name: "prm-slash",
        wrong: "`resource` has a slash at the end that teammates do not type",
        found_by: "prm-resource",
        commit: || resource(|document| document["resource"] = "https://mcp.example.com/mcp/".into()),
        ..OAUTH
    },
    Fault {
        name: "prm-other-resource",
        wrong: "`resource` is another server",
        found_by: "prm-resource",
        commit: || resource(|document| document["resource"] = "https://staging.example.com/mcp".into()),
        ..OAUTH
    },
    Fault {
        name: "prm-without-resource",
        wrong: "The metadata has no `resource`",
        found_by: "prm-resource",
        commit: || resource(|document| remove(document, "resource")),
        ..OAUTH
    },
    Fault {
        name: "prm-without-authorization-server",
        wrong: "`authorization_servers` is empty",
        found_by: "prm-authorization-servers",
        commit: || resource(|document| document["authorization_servers"] = json!([])),
        ..OAUTH
    },
    Fault {
        name: "prm-authorization-server-without-scheme",
        wrong: "`authorization_servers` names a host without https://",
        found_by: "prm-authorization-servers",
        commit: || resource(|document| document["authorization_servers"] = json!(["mcp.example.com"])),
        ..OAUTH
    },
    Fault {
        name: "prm-two-authorization-servers",
        wrong: "There are two authorization servers to choose from",
        found_by: "prm-one-server",
        commit: || {
            resource(|document| {
                if let Some(servers) = document["authorization_servers"].as_array_mut() {
                    servers.push(Value::from("https://login.example.net"));
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "prm-token-in-query",
        wrong: "The metadata offers to take tokens in the query",
        found_by: "prm-bearer-methods",
        commit: || resource(|document| document["bearer_methods_supported"] = json!(["header", "query"])),
        ..OAUTH
    },
    Fault {
        name: "prm-offline-access",
        wrong: "`offline_access` is a scope of the endpoint",
        found_by: "scopes-offline-access",
        commit: || {
            resource(|document| {
                if let Some(scopes) = document["scopes_supported"].as_array_mut() {
                    scopes.push("offline_access".into());
                }
            })
        },
        ..OAUTH
    },
];
