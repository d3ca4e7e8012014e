//! A person signs in and consents, and the code that comes back is exchanged for tokens.

use bridgehead_core::Secret;
use http::header;
use serde_json::{Map, Value};
use url::Url;

use super::{
    authorize::{self, AuthorizationRequest},
    client::{self, Client, Code, Tokens},
    resource::Resource,
    server::Server,
};
use crate::{
    Area, Check, SignInError,
    visit::{Answer, Visit},
};

/// They come back.
pub(super) const SIGN_IN_RETURNS: Check = Check {
    id: "sign-in-returns",
    area: Area::Access,
    title: "After consent the browser comes back with a code",
    why: "Without a code the client has nothing to exchange, and the connection stays pending.",
    standard: "RFC 6749 §4.1.2",
    mend: "Follow the browser's network log from Allow to the redirect. A Content-Security-Policy with form-action on \
           the consent page stops the redirect in Chromium.",
};

/// With what was sent.
pub(super) const SIGN_IN_STATE: Check = Check {
    id: "sign-in-state",
    area: Area::Access,
    title: "`state` comes back unchanged",
    why: "By it a client knows its own request again. Without it the answer is refused.",
    standard: "RFC 6749 §4.1.2, §10.12",
    mend: "Return `state` exactly as it was sent, with every character, on success and on error.",
};

/// From whom.
pub(super) const SIGN_IN_ISS: Check = Check {
    id: "sign-in-iss",
    area: Area::Access,
    title: "`iss` of the answer is the issuer",
    why: "A client that was told to expect it refuses an answer without it, or with another one, before it sends the \
          code anywhere.",
    standard: "RFC 9207 §2, §2.4",
    mend: "Add `iss` to the answer, character by character as `issuer` in the metadata.",
};

/// Codes are good.
pub(super) const TOKEN_EXCHANGE: Check = Check {
    id: "token-exchange",
    area: Area::Access,
    title: "The code is exchanged for a token",
    why: "Here the connection is made, or fails with what the token endpoint says.",
    standard: "RFC 6749 §4.1.3, §5.1",
    mend: "Read error and error_description of the answer: a redirect URI or verifier that is compared with another \
           one, a client that proves itself in another way than it registered.",
};

/// What kind it is.
pub(super) const TOKEN_TYPE: Check = Check {
    id: "token-type",
    area: Area::Access,
    title: "The token's type is Bearer, and the answer is JSON",
    why: "token_type is required; clients refuse an answer without it, or do not know how to send the token.",
    standard: "RFC 6749 §5.1, §7.1, RFC 6750 §4",
    mend: "Answer application/json with \"token_type\": \"Bearer\".",
};

/// Kept by nobody.
pub(super) const TOKEN_NO_STORE: Check = Check {
    id: "token-no-store",
    area: Area::Access,
    title: "The answer with the token may not be stored",
    why: "A cache on the way that keeps it hands a teammate's token to the next one who asks.",
    standard: "RFC 6749 §5.1",
    mend: "Send Cache-Control: no-store with every answer of the token endpoint.",
};

/// Until when.
pub(super) const TOKEN_EXPIRES_IN: Check = Check {
    id: "token-expires-in",
    area: Area::Access,
    title: "`expires_in` says how long the token is good, in seconds",
    why: "A client that does not know waits for the first refusal; one that gets text where a number belongs may \
          refuse the answer.",
    standard: "RFC 6749 §5.1",
    mend: "Send expires_in as a number of seconds.",
};

/// What goes on.
pub(super) const TOKEN_REFRESH_TOKEN: Check = Check {
    id: "token-refresh-token",
    area: Area::Access,
    title: "A refresh token comes with the access token",
    why: "Without it the teammate has to sign in again whenever the access token expires; an agent that runs at night \
          stops there.",
    standard: "RFC 6749 §1.5, MCP 2026-07-28, Authorization, \"Refresh Tokens\"",
    mend: "Issue a refresh token to every client that registered the grant type refresh_token, whether or not it asks \
           for offline_access.",
};

pub(super) const CHECKS: [&Check; 8] = [
    &SIGN_IN_RETURNS,
    &SIGN_IN_STATE,
    &SIGN_IN_ISS,
    &TOKEN_EXCHANGE,
    &TOKEN_TYPE,
    &TOKEN_NO_STORE,
    &TOKEN_EXPIRES_IN,
    &TOKEN_REFRESH_TOKEN,
];

/// Who signs in for what.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flow<'f> {
    pub(super) server: &'f Server,
    pub(super) client: &'f Client,
    pub(super) resource: &'f Resource,
    /// As the challenge names it.
    pub(super) scope: Option<&'f str>,
}

/// Asks a person to sign in and to consent; the answer at the redirect URI.
async fn authorize(visit: &mut Visit<'_>, flow: Flow<'_>) -> Option<Result<(Url, String, Secret), SignInError>> {
    let Flow { server, client, resource, scope } = flow;
    let sign_in = visit.surroundings().sign_in.clone()?;
    let verifier = authorize::verifier(visit);
    // `+`, `/` and `=` are what servers forget to encode.
    let state = format!("{}+/=", client::random(&*visit.surroundings().randomness));
    let mut request = AuthorizationRequest::of(client, &state, &verifier, &resource.identifier);
    let scope = scope.map(str::to_owned).or_else(|| resource.scopes.clone());
    let offline = server.scopes.iter().find(|scope| *scope == "offline_access").cloned();
    let scopes: Vec<_> = scope.into_iter().chain(offline).collect();
    if !scopes.is_empty() {
        request = request.with("scope", scopes.join(" "));
    }
    let back = sign_in.authorize(&request.url(server)).await;
    Some(back.map(|back| (back, state, verifier)))
}

/// Signs in a second time, for what uses a grant up; says nothing where nobody comes back.
pub(super) async fn again(visit: &mut Visit<'_>, flow: Flow<'_>) -> Option<Code> {
    let (back, state, verifier) = authorize(visit, flow).await?.ok()?;
    // Not the answer of the first time once more, nor somebody else's.
    let is_own = authorize::parameter(&back, "state").is_some_and(|came| came == state);
    if !is_own || !is_of_issuer(flow.server, &back) {
        return None;
    }
    authorize::code(visit, &back, verifier)
}

/// Signs in, and judges all that comes of it.
pub(super) async fn examine(visit: &mut Visit<'_>, flow: Flow<'_>) -> Option<Tokens> {
    let Flow { server, client, resource, .. } = flow;
    let (back, state, verifier) = match authorize(visit, flow).await? {
        Ok(came) => came,
        Err(stopped @ SignInError::Stopped) => {
            visit.goes_no_further(stopped.to_string());
            skip(visit, &CHECKS, &stopped.to_string());
            return None;
        }
        Err(error) => {
            visit.failed(&SIGN_IN_RETURNS, format!("Nobody came back: {error}."), []);
            skip(visit, &CHECKS[1..], "nobody came back");
            return None;
        }
    };
    let code = authorize::code(visit, &back, verifier);
    judge_back(visit, server, &back, &state);
    let Some(code) = code else {
        let error = authorize::parameter(&back, "error").unwrap_or_else(|| "neither a code nor an error".to_owned());
        let detail = authorize::parameter(&back, "error_description").map(|text| format!(" ({text})"));
        let seen = format!("The browser came back with {error}{}.", detail.unwrap_or_default());
        visit.failed(&SIGN_IN_RETURNS, seen, []);
        skip(visit, &CHECKS[3..], "there is no code");
        return None;
    };
    visit.passed(&SIGN_IN_RETURNS, None);
    // The code may be another server's, who is not to be robbed of it here (RFC 9207 §2.4).
    if !is_of_issuer(server, &back) {
        skip(visit, &CHECKS[3..], "the code is sent nowhere while sign-in-iss fails");
        return None;
    }
    let answer = visit.send(client.exchange(server, &code, &code.verifier, &resource.identifier)).await;
    let shown = client::shown(&answer);
    let exchange = client::exchange(&answer);
    let tokens = answer.as_ref().ok().and_then(|answer| Tokens::of(visit, answer));
    let (Ok(answer), Some(tokens)) = (answer, tokens) else {
        visit.failed(&TOKEN_EXCHANGE, format!("The token endpoint answered {shown}."), [exchange]);
        skip(visit, &CHECKS[4..], "there is no token");
        return None;
    };
    visit.passed(&TOKEN_EXCHANGE, None);
    judge_answer(visit, &answer, &tokens);
    Some(tokens)
}

fn skip(visit: &mut Visit<'_>, checks: &[&'static Check], reason: &str) {
    for check in checks {
        visit.skipped(check, reason);
    }
}

/// Whether the answer comes from whom the metadata is of, as far as both say.
fn is_of_issuer(server: &Server, back: &Url) -> bool {
    authorize::parameter(back, "iss").map_or(!server.names_itself, |iss| iss == server.issuer)
}

fn judge_back(visit: &mut Visit<'_>, server: &Server, back: &Url, state: &str) {
    match authorize::parameter(back, "state") {
        Some(came) if came == state => visit.passed(&SIGN_IN_STATE, None),
        Some(_) => visit.failed(&SIGN_IN_STATE, "`state` came back as another one than was sent.", []),
        None => visit.failed(&SIGN_IN_STATE, "`state` did not come back.", []),
    }
    match authorize::parameter(back, "iss") {
        Some(iss) if iss == server.issuer => visit.passed(&SIGN_IN_ISS, iss),
        Some(iss) => {
            visit.failed(&SIGN_IN_ISS, format!("`iss` is {iss}, and the issuer is {}.", server.issuer), []);
        }
        None if server.names_itself => {
            visit.failed(&SIGN_IN_ISS, "The metadata promises `iss`, and the answer has none.", []);
        }
        None => visit.skipped(&SIGN_IN_ISS, "the server does not promise to name itself"),
    }
}

fn judge_answer(visit: &mut Visit<'_>, answer: &Answer, tokens: &Tokens) {
    let exchange = answer.exchange;
    let document: Map<String, Value> = client::document(answer).unwrap_or_default();
    let token_type = document.get("token_type").and_then(Value::as_str);
    let media_type = answer.received.media_type();
    match token_type {
        Some(name) if name.eq_ignore_ascii_case("bearer") && media_type.as_deref() == Some("application/json") => {
            visit.passed(&TOKEN_TYPE, name.to_owned());
        }
        Some(name) if name.eq_ignore_ascii_case("bearer") => {
            let media_type = media_type.unwrap_or_else(|| "no Content-Type".to_owned());
            visit.warning(&TOKEN_TYPE, format!("The answer comes as {media_type}."), [exchange]);
        }
        other => {
            let seen = format!("token_type is {}.", other.unwrap_or("missing"));
            visit.failed(&TOKEN_TYPE, seen, [exchange]);
        }
    }
    let cache = answer.received.headers.get_all(header::CACHE_CONTROL).iter();
    let no_store =
        cache.filter_map(|value| value.to_str().ok()).any(|value| value.to_ascii_lowercase().contains("no-store"));
    if no_store {
        visit.passed(&TOKEN_NO_STORE, None);
    } else {
        visit.warning(&TOKEN_NO_STORE, "The answer has no Cache-Control: no-store.", [exchange]);
    }
    match document.get("expires_in") {
        Some(Value::Number(seconds)) if seconds.as_f64().is_some_and(|seconds| seconds > 0.0) => {
            visit.passed(&TOKEN_EXPIRES_IN, format!("{seconds} seconds"));
        }
        Some(other) => visit.warning(&TOKEN_EXPIRES_IN, format!("expires_in is {other}."), [exchange]),
        None => visit.warning(&TOKEN_EXPIRES_IN, "The answer has no expires_in.", [exchange]),
    }
    if tokens.refresh.is_some() {
        visit.passed(&TOKEN_REFRESH_TOKEN, None);
    } else {
        visit.warning(&TOKEN_REFRESH_TOKEN, "The answer has no refresh_token.", [exchange]);
    }
}
