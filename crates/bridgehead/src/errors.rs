//! The reference of errors, `docs/reference/errors.md`, written from the lists in the code: the
//! codes of the core, the words of the server and of sign-in, and what sources make of each answer.

use std::{error::Error, fmt::Write};

use bridgehead_auth::{Denied, Malformation, ProbeFailure, RemoteError, StoreError, remote::TokenFault};
use bridgehead_core::{CallError, Fault, OwnCode, UpstreamCode};
use bridgehead_server::http::RequestRefusal;
use bridgehead_sources::http::reference::{self, Judgement, Row};
use serde_json::Value;

const INTRODUCTION: &str = "\
# Errors

<!-- Generated from the lists in the code: crates/bridgehead/src/errors.rs says which. -->

A call can fail in three places, and each has its own form:

| where | form |
|---|---|
| before the message is read: wrong host, no sign-in, body too large | an HTTP status, with JSON in the body |
| the message itself: no such tool, no such method, or a fault of ours | a JSON-RPC error |
| everything else: bad arguments, limits, and whatever the system behind answers | a result with `isError: true`, which the agent reads |

What is known to be a failure never looks like a success: it has one of these forms.
";

const OBJECT: &str = "
## The error object

A result with `isError` has this object twice: as JSON in its text, and in `_meta[\"bridgehead/error\"]`. It is never in
`structuredContent`, where clients expect what the tool's output schema says. A JSON-RPC error has it in `data`, except
those of `client_lacks_capability` and of `credential_required`.

| member | type | meaning |
|---|---|---|
| `code` | text | one of the words below; the list is closed |
| `message` | text | what happened and what to do about it, for the agent |
| `retryable` | `true`, `false` | whether the same call, without a change, may succeed later |
| `retry_after_ms` | whole number or null | when a retry makes sense, where that is known |
| `request_id` | text | finds the call in the log; also the header `x-request-id` of the answer |
| `details` | object or null | what more is known, see below |

What stands in `details`:

| after | members |
|---|---|
| `invalid_arguments` | `faults`: a list of `path` (JSON Pointer to the argument) and `message` |
| `not_permitted` | `scope`: the one that is missing |
| `credential_required` | `vault`, `subject` and `url`: whose credential, for what, and where it is entered |
| a status of an HTTP API | `status`; `problem`, its JSON body (RFC 9457 or any other), cut to 4 KiB, or `text`; `upstream_request_id`, where it gave one |
| a redirect that was not followed | `status`, `location_host` |
| a success that cannot be read | `status`, `content_type`, `text` |
| a database | what it said, such as the constraint that refused |

What Bridgehead presented to the system behind is taken out of message and details, should that system repeat it.
";

const UPSTREAM: &str = "
## Codes of the system behind

Always a result with `isError`. *Retry* is what holds where nothing more is known; what counts is `retryable` in the answer.
One rule stands above it: a call with effects that may have been carried out is not retryable, and its message says to
look first. *Blame* is who has to mend it, as a rule.
";

const OWN: &str = "
## Codes of Bridgehead itself

The system behind had no part in these. *Form* is how they reach the client.
";

const TOO_LATE: &str = "
An answer that takes longer than ten seconds is an event stream with status 200, and the error is the event in it: so
look at the message, and not at the status alone.
";

const ANSWERS: &str = "
## What an HTTP API answers, and which code that is

For sources of the types `openapi` and `http`. Each cell has the code and whether the call may be repeated.

A success (2xx) is `upstream_invalid_response` where it cannot be read: a web page where data was expected, broken JSON.
Redirects of GET and HEAD are followed within the same scheme, host and port; all others are errors.
";

const DATABASES: &str = "
## What a database answers, and which code that is

| what happened | code |
|---|---|
| a constraint refused, or a value does not fit its column | `upstream_rejected` |
| locked, a deadlock, or all connections are in use | `upstream_busy` |
| the statement took longer than the tool may take | `timed_out` |
| its user may not do this (PostgreSQL) | `upstream_forbidden` |
| it cannot be reached, its file is gone or damaged, it does not let the server in, its disk is full | `upstream_unavailable` |
| the connection broke within a change (PostgreSQL) | `upstream_connection_lost` |
| anything else | `upstream_failed` |

A change that failed was taken back, and the message says so. Where that is not certain, it says to look first.

Tools in Rust choose their code themselves: `bridgehead::ToolError` has a function for each that makes sense there.
";

const HTTP: &str = "
## HTTP statuses of the endpoint

What is refused as a whole has a status and `{\"error\": WORD, \"message\": TEXT}` as its body.
";

const SIGN_IN: &str = "
### Who is calling

The same form. 401 has a `WWW-Authenticate` header as well (RFC 6750). 503 means that nobody can be checked at the moment:
the store, or the system behind that judges credentials, did not answer.
";

const MESSAGES: &str = "
### The message

These have a JSON-RPC error as their body.

| status | JSON-RPC code | meaning |
|---|---|---|
| 400 | -32700 | the body is not JSON |
| 400 | -32600 | the body is JSON and no JSON-RPC message, or a batch of none or of more than 50 |
| 403 | -32001 | the caller lacks the scope of the tool that is called: `not_permitted`; `WWW-Authenticate` names the scope |

Whatever else the revisions of MCP say of a message (unknown methods, missing or contradicting headers, unknown revisions)
is answered as they say.
";

/// The reference, as Markdown.
///
/// # Errors
/// A row that cannot be asked of the code: a fault of ours.
pub(crate) fn markdown() -> Result<String, Box<dyn Error>> {
    let mut text = INTRODUCTION.to_owned();
    text.push_str(OBJECT);
    example(&mut text);
    text.push_str(UPSTREAM);
    upstream(&mut text);
    text.push_str(OWN);
    own(&mut text);
    text.push_str(TOO_LATE);
    text.push_str(ANSWERS);
    text.push_str("\n| status | for a read | for a call with effects |\n|---|---|---|\n");
    rows(&mut text, &reference::answers()?);
    text.push_str("\n| no answer | for a read | for a call with effects |\n|---|---|---|\n");
    rows(&mut text, &reference::silences());
    text.push_str(DATABASES);
    text.push_str(HTTP);
    refusals(&mut text);
    text.push_str(SIGN_IN);
    sign_in(&mut text);
    text.push_str(MESSAGES);
    Ok(text)
}

fn example(text: &mut String) {
    let error = CallError::from(Fault::new("showing what an error looks like"));
    let object = Value::Object(error.to_object("01JD5Z3M8Q"));
    // Writing to a String cannot fail, here and below.
    let _ = write!(text, "\nFor example:\n\n```json\n{object:#}\n```\n");
}

fn upstream(text: &mut String) {
    text.push_str(
        "\n| code | meaning | blame | retry | an agent should | an operator looks at |\n|---|---|---|---|---|---|\n",
    );
    for code in UpstreamCode::ALL {
        let (word, meaning, blame) = (code.as_str(), code.meaning(), code.blame().as_str());
        let (retry, agent, operator) = (yes(code.retryable()), code.for_agent(), code.for_operator());
        let _ = writeln!(text, "| `{word}` | {meaning} | {blame} | {retry} | {agent} | {operator} |");
    }
}

fn own(text: &mut String) {
    text.push_str("\n| code | form | meaning | blame | retry | an agent should | an operator looks at |\n|---|---|---|---|---|---|---|\n");
    for code in OwnCode::ALL {
        let (word, form, meaning, blame) = (code.as_str(), form(code), code.meaning(), code.blame().as_str());
        let (retry, agent, operator) = (yes(code.retryable()), code.for_agent(), code.for_operator());
        let _ = writeln!(text, "| `{word}` | {form} | {meaning} | {blame} | {retry} | {agent} | {operator} |");
    }
}

/// As `crates/server/src/mcp/convert.rs` and `crates/server/src/gate.rs` have it.
const fn form(code: OwnCode) -> &'static str {
    match code {
        OwnCode::UnknownTool => "JSON-RPC error -32602",
        OwnCode::NotPermitted => "HTTP 403 with JSON-RPC error -32001",
        OwnCode::ClientLacksCapability => "JSON-RPC error -32021, with `requiredCapabilities` in `data`",
        OwnCode::Internal => "JSON-RPC error -32603",
        OwnCode::CredentialRequired => {
            "result with `isError`; for clients with URL elicitation JSON-RPC error -32042 or a result `input_required`, as the revision says"
        }
        OwnCode::InvalidArguments
        | OwnCode::IdempotencyConflict
        | OwnCode::IdempotencyUnavailable
        | OwnCode::EffectInDoubt
        | OwnCode::AnswerNotKept
        | OwnCode::RateLimited
        | OwnCode::Busy
        | OwnCode::CircuitOpen
        | OwnCode::LimitsUnavailable
        | OwnCode::CallerLacksClaim
        | OwnCode::ShuttingDown
        | OwnCode::Cancelled => "result with `isError`",
    }
}

const fn yes(retryable: bool) -> &'static str {
    if retryable { "yes" } else { "no" }
}

fn rows(text: &mut String, rows: &[Row]) {
    let cell = |judgement: Judgement| {
        format!("`{}`, {}", judgement.code, if judgement.retryable { "may be repeated" } else { "no retry" })
    };
    for row in rows {
        let _ = writeln!(text, "| {} | {} | {} |", row.seen, cell(row.read), cell(row.write));
    }
}

fn refusals(text: &mut String) {
    text.push_str("\n| status | word | meaning |\n|---|---|---|\n");
    for refusal in RequestRefusal::ALL {
        let (status, word, meaning) = (refusal.status().as_u16(), refusal.as_str(), refusal.meaning());
        let _ = writeln!(text, "| {status} | `{word}` | {meaning} |");
    }
}

fn sign_in(text: &mut String) {
    text.push_str("\n| status | word | meaning |\n|---|---|---|\n");
    for denied in one_of_each() {
        let (status, word, meaning) = (denied.kind().status().as_u16(), denied.code(), meaning(&denied));
        let _ = writeln!(text, "| {status} | `{word}` | {meaning} |");
    }
}

/// One of each kind that has a word of its own, in the order of the reference.
fn one_of_each() -> Vec<Denied> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let name = String::new;
    let mut all = vec![
        Denied::Missing,
        Denied::Incomplete { missing: vec![name()] },
        Denied::Unrecognised,
        Denied::OwnKey,
        Denied::Refused,
        Denied::Blocked { at },
        Denied::Damaged,
        Denied::Unknown,
        Denied::WrongHeader { expected: name() },
        Denied::MadeForNoHeader,
        Denied::DifferentTeammates { headers: Vec::new() },
        Denied::Expired { at },
        Denied::Revoked { at },
        Denied::ForeignToken,
        Denied::DamagedToken,
        Denied::UnknownToken,
        Denied::ExpiredToken { at },
        Denied::RevokedToken { at },
        Denied::Malformed(Malformation::NoToken),
        Denied::StoreUnavailable(StoreError::Unavailable { store: name(), what: name(), cause: None }),
        Denied::JudgeUnavailable(ProbeFailure::Unusable { what: name() }),
        Denied::IssuerUnavailable(RemoteError::Lacks { issuer: name(), member: "" }),
    ];
    all.extend(each_token_fault().into_iter().map(Denied::Token));
    all
}

/// All that can be wrong with an access token of an authorization server that is not ours.
fn each_token_fault() -> Vec<TokenFault> {
    let at = jiff::Timestamp::UNIX_EPOCH;
    let name = String::new;
    vec![
        TokenFault::NotAJwt,
        TokenFault::TooLong,
        TokenFault::OtherIssuer { expected: name() },
        TokenFault::Unsigned,
        TokenFault::Algorithm { taken: name() },
        TokenFault::Critical,
        TokenFault::OtherKind { expected: "" },
        TokenFault::UnknownKey,
        TokenFault::Signature,
        TokenFault::OtherAudience { expected: name() },
        TokenFault::Bound,
        TokenFault::Expired { at },
        TokenFault::NotYetValid { from: at },
        TokenFault::Claim { claim: name() },
        TokenFault::Unverified,
        TokenFault::Inactive,
    ]
}

/// A new kind belongs into [`one_of_each`] as well.
fn meaning(denied: &Denied) -> &'static str {
    match denied {
        Denied::Missing => "Nothing was presented; the message says what to send, and in which header.",
        Denied::Incomplete { .. } => "Some of the headers that belong together are missing.",
        Denied::Unrecognised => "What was presented is of no kind that is issued here.",
        Denied::OwnKey => "A key that was issued here was sent where one of the system behind is asked for.",
        Denied::Refused => "The system behind does not accept what was presented.",
        Denied::Blocked { .. } => "The caller was cut off by name.",
        Denied::Damaged => "The key is incomplete or mistyped.",
        Denied::Unknown => "No such key.",
        Denied::WrongHeader { .. } => "A good key, made for another header.",
        Denied::MadeForNoHeader => "A good key, not made for a header, where each header has a key of its own.",
        Denied::DifferentTeammates { .. } => "Good keys that were made for different teammates.",
        Denied::InHeader { denied, .. } => meaning(denied),
        Denied::Expired { .. } => "A key whose time is over.",
        Denied::Revoked { .. } => "A key that was revoked.",
        Denied::ForeignToken => "What was presented is no access token of this server.",
        Denied::DamagedToken => "The access token is incomplete.",
        Denied::UnknownToken => "No such access token, or one for another endpoint.",
        Denied::ExpiredToken { .. } => "An access token whose time is over: the application has to renew it.",
        Denied::RevokedToken { .. } => "An access token that was revoked, alone or with all that the teammate allowed.",
        Denied::Malformed(_) => "The credentials do not have the form that HTTP wants.",
        Denied::StoreUnavailable(_) => "The store does not answer.",
        Denied::JudgeUnavailable(_) => "The system behind that judges credentials gives no answer that can be used.",
        Denied::IssuerUnavailable(_) => {
            "The authorization server, which is not ours, gives no answer that can be used."
        }
        Denied::Token(fault) => meaning_of_token(fault),
    }
}

/// A new fault belongs into [`each_token_fault`] as well.
const fn meaning_of_token(fault: &TokenFault) -> &'static str {
    match fault {
        TokenFault::NotAJwt => "What was presented is no JWT, and access tokens of the authorization server are.",
        TokenFault::TooLong => "The access token is longer than 16 KiB.",
        TokenFault::OtherIssuer { .. } => "The access token names another issuer than `auth.oauth.issuer`.",
        TokenFault::Unsigned => "The access token is not signed.",
        TokenFault::Algorithm { .. } => {
            "The access token is signed with an algorithm that `auth.oauth.algorithms` does not name."
        }
        TokenFault::Critical => "The header of the access token has `crit`.",
        TokenFault::OtherKind { .. } => {
            "What was presented says that it is another kind of token: an ID token, a refresh token."
        }
        TokenFault::UnknownKey => {
            "The authorization server has no key of that id and algorithm, even when asked again."
        }
        TokenFault::Signature => "The signature of the access token is not good.",
        TokenFault::OtherAudience { .. } => "The access token is for another audience than `auth.oauth.audience`.",
        TokenFault::Bound => {
            "The access token is bound to a key of the client's (DPoP, mutual TLS), which is not checked here."
        }
        TokenFault::Expired { .. } => {
            "The access token is over, more than a minute ago: the application has to renew it."
        }
        TokenFault::NotYetValid { .. } => "The access token is not good yet, by more than a minute: a clock is wrong.",
        TokenFault::Claim { .. } => "A claim of the access token is missing or of another type; the message names it.",
        TokenFault::Unverified => {
            "`auth.oauth.subject_claim` is `email`, and the token does not say that the address is verified."
        }
        TokenFault::Nonce => "An ID token for another sign-in.",
        TokenFault::Inactive => "The authorization server says that the token is not good (any more).",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/errors.md");

    #[test]
    fn the_published_reference_is_up_to_date() {
        let published = std::fs::read_to_string(GOLDEN).unwrap_or_default();
        assert!(
            published == markdown().unwrap(),
            "docs/reference/errors.md is not what the code says; write it anew with\n  cargo xtask generate",
        );
    }

    /// A row that a reader would look for in vain, or find twice.
    #[test]
    fn each_word_of_sign_in_is_explained_once() {
        let all = one_of_each();
        let words: BTreeSet<_> = all.iter().map(Denied::code).collect();
        assert_eq!((words.len(), all.iter().map(meaning).collect::<BTreeSet<_>>().len()), (all.len(), all.len()));
    }
}
