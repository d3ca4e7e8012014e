//! The authorization endpoint, before any person has acted.

use http::{HeaderValue, header};
use url::form_urlencoded;

use super::OAUTH;
use crate::{Answer, Asked, Course, Fault, Tampering};

const AUTHORIZE: &str = "/oauth/authorize";
/// Nobody's, and registered by nobody.
const STRANGER: &str = "https://stranger.invalid/callback";

fn has(asked: &Asked, parameter: &str, is: impl Fn(&str) -> bool) -> bool {
    asked.path == AUTHORIZE && asked.parameter(parameter).is_some_and(|value| is(&value))
}

/// Whoever asks with such a client id, for an address that nobody registered, is sent there with an error.
fn redirects(client: fn(&str) -> bool) -> Tampering {
    Tampering::none().arriving(move |asked| {
        if has(asked, "client_id", client) && has(asked, "redirect_uri", |uri| uri == STRANGER) {
            return Course::Answer(Answer::redirect(302, &format!("{STRANGER}?error=unauthorized_client")));
        }
        Course::Usual
    })
}

/// The query with other parameters.
fn with(asked: &mut Asked, parameters: &[(&str, &str)]) {
    let query = asked.query.take().unwrap_or_default();
    let kept = form_urlencoded::parse(query.as_bytes()).into_owned();
    let kept = kept.filter(|(name, _)| !parameters.iter().any(|(other, _)| other == name));
    let mut new = form_urlencoded::Serializer::new(String::new());
    new.extend_pairs(kept).extend_pairs(parameters);
    asked.query = Some(new.finish());
}

/// A redirect to the platform with a code, where a request of the platform's is in order.
fn at_once(asked: &Asked) -> Option<Answer> {
    let platform = asked.parameter("redirect_uri").filter(|uri| uri.contains("platform.duvo.ai"))?;
    let in_order =
        asked.parameter("client_id")?.starts_with("bhi_") && asked.parameter("code_challenge_method")? == "S256";
    in_order.then(|| Answer::redirect(302, &format!("{platform}?code=bhc_made-up&state=doctor")))
}

/// A challenge that is in order, of nobody's verifier.
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub(super) const FAULTS: &[Fault] = &[
    Fault {
        name: "authorize-refuses-the-platform",
        wrong: "The platform may register, and its redirect URI is refused all the same",
        found_by: "authorize-begins",
        commit: || {
            Tampering::none().arriving(|asked| {
                match has(asked, "redirect_uri", |uri| uri.contains("platform.duvo.ai")) {
                    true => Course::Answer(Answer::page(400, "<!doctype html><title>invalid redirect_uri</title>")),
                    false => Course::Usual,
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "authorize-for-nobody",
        wrong: "Whoever registers is given a code at once",
        found_by: "authorize-person",
        commit: || Tampering::none().arriving(|asked| at_once(asked).map_or(Course::Usual, Course::Answer)),
        ..OAUTH
    },
    Fault {
        name: "authorize-for-nobody-by-a-page",
        wrong: "Whoever registers is given a code, by way of a page that asks for nothing",
        found_by: "authorize-person",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.path == "/consent" {
                    return at_once(asked).map_or(Course::Usual, Course::Answer);
                }
                let query = at_once(asked).and(asked.query.as_deref());
                let page = query.map(|query| Answer::redirect(302, &format!("/consent?{query}")));
                page.map_or(Course::Usual, Course::Answer)
            })
        },
        ..OAUTH
    },
    Fault {
        name: "authorize-open-redirect",
        wrong: "An unknown client is told so at whatever address it names",
        found_by: "authorize-unknown-client",
        commit: || redirects(|client| client.starts_with("doctor-")),
        ..OAUTH
    },
    Fault {
        name: "authorize-any-redirect-uri",
        wrong: "A known client gets its answer at whatever address it names",
        found_by: "authorize-redirect-uri",
        commit: || redirects(|client| client.starts_with("bhi_")),
        ..OAUTH
    },
    Fault {
        name: "authorize-document-not-fetched",
        wrong: "A client whose metadata document cannot be had is told so at whatever address it names",
        found_by: "authorize-metadata-document",
        commit: || redirects(|client| client.starts_with("https://")),
        ..OAUTH
    },
    Fault {
        name: "authorize-without-pkce",
        wrong: "PKCE can be left out",
        found_by: "authorize-pkce",
        commit: || {
            Tampering::none().arriving(|asked| {
                if asked.path == AUTHORIZE && asked.parameter("code_challenge").is_none() {
                    with(asked, &[("code_challenge", CHALLENGE), ("code_challenge_method", "S256")]);
                }
                Course::Usual
            })
        },
        ..OAUTH
    },
    Fault {
        name: "authorize-plain",
        wrong: "PKCE is taken with the method plain",
        found_by: "authorize-plain",
        commit: || {
            Tampering::none().arriving(|asked| {
                if has(asked, "code_challenge_method", |method| method == "plain") {
                    with(asked, &[("code_challenge_method", "S256")]);
                }
                Course::Usual
            })
        },
        ..OAUTH
    },
    Fault {
        name: "authorize-framed",
        wrong: "The sign-in page can be framed",
        found_by: "authorize-framing",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if asked.path == AUTHORIZE || asked.path == "/login" {
                    answer.headers.remove("content-security-policy");
                    answer.headers.remove("x-frame-options");
                }
            })
        },
        ..OAUTH
    },
    Fault {
        name: "authorize-bare-cookie",
        wrong: "The sign-in sets a cookie that scripts can read and other sites send",
        found_by: "authorize-cookies",
        commit: || {
            Tampering::none().leaving(|asked, answer| {
                if has(asked, "redirect_uri", |uri| uri.contains("platform.duvo.ai")) {
                    answer.headers.insert(header::SET_COOKIE, HeaderValue::from_static("sid=1; Path=/; Secure"));
                }
            })
        },
        ..OAUTH
    },
];
