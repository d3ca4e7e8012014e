//! The metadata of the authorization server.

use bridgehead_doctor::Profile;
use serde_json::{Value, json};

use super::{OAUTH, OPENID, SERVER, is_metadata_of_server, remove, server};
use crate::{Answer, Course, Fault, Tampering};

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "as-without-metadata",
        wrong: "The authorization server has no metadata",
        found_by: "as-metadata-found",
        commit: || {
            Tampering::none().arriving(|asked| match is_metadata_of_server(asked) {
                true => Course::Answer(Answer::empty(404)),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-openid-alone",
        wrong: "The metadata is under the name of OpenID Connect alone",
        found_by: "as-metadata-places",
        commit: || {
            Tampering::none().arriving(|asked| match asked.path.starts_with(SERVER) {
                true => Course::Answer(Answer::empty(404)),
                false => Course::Usual,
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-two-documents",
        wrong: "The document under the name of OpenID Connect is an old one",
        found_by: "as-metadata-same",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path.starts_with(OPENID) {
                    answer.change_json(|document| document["token_endpoint"] = "https://mcp.example.com/token".into());
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-issuer-slash",
        wrong: "`issuer` has a slash at the end that the endpoint's metadata has not",
        found_by: "as-metadata-issuer",
        commit: || server(|document| document["issuer"] = "https://mcp.example.com/".into()),
        ..OAUTH
    },
    Fault {
        name: "as-other-issuer",
        wrong: "`issuer` is the identity provider behind",
        found_by: "as-metadata-issuer",
        commit: || server(|document| document["issuer"] = "https://login.example.net".into()),
        ..OAUTH
    },
    Fault {
        name: "as-relative-endpoint",
        wrong: "The token endpoint is a path",
        found_by: "as-endpoints",
        commit: || server(|document| document["token_endpoint"] = "/oauth/token".into()),
        ..OAUTH
    },
    Fault {
        name: "as-without-authorization-endpoint",
        wrong: "There is no authorization endpoint in the metadata",
        found_by: "as-endpoints",
        commit: || server(|document| remove(document, "authorization_endpoint")),
        ..OAUTH
    },
    Fault {
        name: "as-without-response-types",
        wrong: "The metadata has no response_types_supported",
        found_by: "as-response-types",
        commit: || server(|document| remove(document, "response_types_supported")),
        ..OAUTH
    },
    Fault {
        name: "as-without-pkce",
        wrong: "The metadata does not say that PKCE is known",
        found_by: "as-pkce",
        commit: || server(|document| remove(document, "code_challenge_methods_supported")),
        ..OAUTH
    },
    Fault {
        name: "as-pkce-plain",
        wrong: "The metadata names `plain` alone for PKCE",
        found_by: "as-pkce",
        commit: || server(|document| document["code_challenge_methods_supported"] = json!(["plain"])),
        ..OAUTH
    },
    Fault {
        name: "as-without-refresh-tokens",
        wrong: "The metadata names no grant type refresh_token",
        found_by: "as-grant-types",
        commit: || server(|document| document["grant_types_supported"] = json!(["authorization_code"])),
        ..OAUTH
    },
    Fault {
        name: "as-assertions-alone",
        wrong: "Clients have to prove who they are by signed assertions",
        found_by: "as-auth-methods",
        commit: || {
            server(|document| {
                document["token_endpoint_auth_methods_supported"] = json!(["private_key_jwt"]);
                document["client_id_metadata_document_supported"] = false.into();
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-basic-alone",
        wrong: "Secrets are offered by Basic alone, and Claude sends them in the body",
        found_by: "as-auth-methods",
        profile: Profile::Claude,
        commit: || {
            server(|document| {
                document["token_endpoint_auth_methods_supported"] = json!(["client_secret_basic"]);
                document["client_id_metadata_document_supported"] = false.into();
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-does-not-name-itself",
        wrong: "The metadata does not promise `iss`",
        found_by: "as-iss-parameter",
        commit: || server(|document| remove(document, "authorization_response_iss_parameter_supported")),
        ..OAUTH
    },
    Fault {
        name: "as-documents-without-none",
        wrong: "Client metadata documents are offered, and `none` is not",
        found_by: "as-cimd",
        commit: || {
            server(|document| {
                document["token_endpoint_auth_methods_supported"] =
                    json!(["client_secret_post", "client_secret_basic"]);
            })
        },
        ..OAUTH
    },
    Fault {
        name: "as-registration-null",
        wrong: "The registration endpoint is null instead of left out",
        found_by: "as-registration",
        commit: || server(|document| document["registration_endpoint"] = Value::Null),
        ..OAUTH
    },
];
