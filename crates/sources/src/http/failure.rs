//! What an answer that is no success, or no answer at all, means to an agent: come back, mend the
//! arguments, look first, or tell the operator.
//!
//! The one rule that stands above the table of statuses: a call with effects that may have been
//! carried out is not retryable, and its message says to look first.

use std::time::Duration;

use bridgehead_core::{Clock, Effect, UpstreamCode, UpstreamFailure, Verdict};
use bridgehead_outbound::{MaybeSent, MaybeSentReason, NotSent, NotSentReason, Received, SendError};
use http::StatusCode;
use serde_json::{Map, Value};
use url::Url;

use super::{credential::Redactor, problem::Problem, retry_after, text};

pub mod reference;

/// What is known around a call when it fails.
pub(crate) struct Context<'a> {
    /// The source's name in the configuration: what messages call the system behind.
    pub(crate) source: &'a str,
    /// The tool's effect.
    pub(crate) effect: Effect,
    /// Takes what was presented out of every text.
    pub(crate) redactor: &'a Redactor,
    /// Whether the credential was the caller's own.
    pub(crate) caller_owns_credential: bool,
    /// For `retry-after` dates.
    pub(crate) clock: &'a dyn Clock,
}

const LOOK_FIRST: &str =
    "The call may have taken effect: look at what it should have changed before you call it again.";
const TELL_THE_OPERATOR: &str = "Tell the operator of this server.";

/// No answer, or not a whole one.
pub(crate) fn of_transport(error: SendError, context: &Context<'_>) -> UpstreamFailure {
    match error {
        SendError::NotSent(error) => not_sent(error, context),
        SendError::MaybeSent(error) => maybe_sent(error, context),
    }
}

fn not_sent(error: NotSent, context: &Context<'_>) -> UpstreamFailure {
    let source = context.source;
    let (what, passes) = match error.reason {
        NotSentReason::Connect => ("nobody answers at its address", true),
        NotSentReason::ConnectTimedOut => ("connecting to it took too long", true),
        NotSentReason::Name => ("its name could not be found", true),
        NotSentReason::Tls => ("no secure connection to it could be made", false),
        NotSentReason::AddressNotPublic(_) => ("its address is not a public one", false),
        NotSentReason::Url => ("its URL is not one that can be requested", false),
    };
    let advice = if passes { "Try again later." } else { TELL_THE_OPERATOR };
    let message = format!("`{source}` could not be reached: {what}. Nothing was sent. {advice}");
    let failure = UpstreamFailure::new(UpstreamCode::Unavailable, message).with_cause(error);
    if passes { failure } else { failure.not_retryable() }
}

fn maybe_sent(error: MaybeSent, context: &Context<'_>) -> UpstreamFailure {
    let source = context.source;
    let (code, what) = match error.reason {
        MaybeSentReason::TimedOut => (UpstreamCode::TimedOut, "did not answer in time"),
        MaybeSentReason::ConnectionLost => {
            (UpstreamCode::ConnectionLost, "broke the connection off before it had answered")
        }
        MaybeSentReason::BodyBroken => (UpstreamCode::ConnectionLost, "broke the connection off within its answer"),
    };
    context.in_doubt(code, format!("`{source}` {what}.")).with_cause(error)
}

impl Context<'_> {
    /// A failure that leaves open whether the call was carried out.
    fn in_doubt(&self, code: UpstreamCode, what: String) -> UpstreamFailure {
        if self.effect.is_read() {
            UpstreamFailure::new(code, format!("{what} Try again later."))
        } else {
            UpstreamFailure::new(code, format!("{what} {LOOK_FIRST}")).not_retryable()
        }
    }

    /// A success that cannot be read. `what` goes on after the source's name; `words` finds in the
    /// body what is repeated of it.
    pub(super) fn unreadable(
        &self,
        received: &Received,
        what: &str,
        words: impl FnOnce(&str) -> String,
    ) -> UpstreamFailure {
        // Before anything is cut: half a secret would not be known again.
        let said = text::plain(&words(&self.redactor.redact(&text::body(received))));
        let quoted = if said.is_empty() { String::new() } else { format!(": “{said}”") };
        let advice = if self.effect.is_read() { TELL_THE_OPERATOR } else { LOOK_FIRST };
        let status = received.status;
        let message = format!("`{}` {what} (HTTP {}){quoted}. {advice}", self.source, status.as_u16());
        let mut details = Map::new();
        details.insert("status".into(), status.as_u16().into());
        details.insert("content_type".into(), received.media_type().into());
        if !said.is_empty() {
            details.insert("text".into(), said.into());
        }
        UpstreamFailure::new(UpstreamCode::InvalidResponse, message).with_details(Value::Object(details))
    }
}

/// Any answer whose status is not 2xx.
pub(crate) fn of_answer(received: &Received, context: &Context<'_>) -> UpstreamFailure {
    if received.status.is_redirection() || received.status.is_informational() {
        return redirected(received, context);
    }
    let problem = Problem::read(received, context.redactor);
    let meaning = judge(received, context);
    let said = problem.words.as_deref().map(|words| format!(": “{words}”")).unwrap_or_default();
    let status = received.status;
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let again = match meaning.retry_after {
        Some(after) => format!("Try again in {} s.", after.as_secs().max(1)),
        None => meaning.advice.to_owned(),
    };
    let message = format!("`{}` {} (HTTP {}{reason}){said}. {again}", context.source, meaning.what, status.as_u16());
    let failure = UpstreamFailure::new(meaning.code, message).with_details(problem.details(received));
    let mut failure = failure.with_verdict(meaning.verdict);
    failure.retryable = meaning.retryable;
    failure.retry_after = meaning.retry_after;
    failure
}

/// A call with effects whose credential was not accepted, and has been renewed since. It was not
/// carried out, so calling again is safe; to do so is the caller's decision.
pub(crate) fn renewed(source: &str) -> UpstreamFailure {
    let message = format!(
        "`{source}` did not accept your connection, which had ended early (HTTP 401 Unauthorized); the call was not \
         carried out. The connection is renewed by now: call again."
    );
    let mut failure = UpstreamFailure::new(UpstreamCode::Unauthorized, message);
    failure.retryable = true;
    failure
}

/// What a status means.
struct Meaning {
    code: UpstreamCode,
    what: &'static str,
    advice: &'static str,
    retryable: bool,
    retry_after: Option<Duration>,
    /// What it says of the effect that the call was to have.
    verdict: Verdict,
}

fn judge(received: &Received, context: &Context<'_>) -> Meaning {
    let is_read = context.effect.is_read();
    let new = |code: UpstreamCode, what, advice| Meaning {
        code,
        what,
        advice,
        retryable: code.retryable(),
        retry_after: None,
        verdict: code.verdict(),
    };
    let later = |code, what| Meaning {
        retry_after: retry_after::of(&received.headers, context.clock.now()),
        ..new(code, what, "Try again later.")
    };
    let doubt = |code, what| {
        let advice = if is_read { "Try again later." } else { LOOK_FIRST };
        Meaning { retryable: is_read, verdict: Verdict::InDoubt, ..new(code, what, advice) }
    };
    match received.status.as_u16() {
        401 => new(UpstreamCode::Unauthorized, "does not accept the credential", context.whose_credential()),
        403 if retry_after::is_limit(&received.headers) => later(UpstreamCode::RateLimited, "wants fewer calls"),
        403 => new(UpstreamCode::Forbidden, "does not allow this to the credential", context.whose_rights()),
        404 | 410 => new(
            UpstreamCode::NotFound,
            "does not have what was asked for",
            "Check the arguments that name it, or list what there is.",
        ),
        408 => doubt(UpstreamCode::TimedOut, "gave up waiting for the call"),
        409 | 412 => new(
            UpstreamCode::Conflict,
            "refused, because what is there is in the way",
            "Read the present state before you decide whether to call again.",
        ),
        425 => later(UpstreamCode::Busy, "is not able to answer for the moment"),
        // Who says when to come back has turned the call away. Without it, the status may be that of a
        // proxy (Envoy, for one) which lost the system behind in the middle of the call.
        503 if is_read || retry_after::is_named(&received.headers) => {
            later(UpstreamCode::Busy, "is not able to answer for the moment")
        }
        503 => doubt(UpstreamCode::Busy, "is not able to answer for the moment"),
        429 => later(UpstreamCode::RateLimited, "wants fewer calls"),
        400..=499 => new(UpstreamCode::Rejected, "refused the call", "Change the arguments before you call again."),
        502 | 504 if is_read => later(UpstreamCode::Busy, "could not be reached by the gateway in front of it"),
        502 | 504 => doubt(UpstreamCode::ConnectionLost, "was lost by the gateway in front of it"),
        501 | 505 => {
            Meaning { verdict: Verdict::Definite, ..new(UpstreamCode::Failed, "cannot do this", TELL_THE_OPERATOR) }
        }
        _ => doubt(UpstreamCode::Failed, "reported a failure of its own"),
    }
}

impl Context<'_> {
    const fn whose_credential(&self) -> &'static str {
        if self.caller_owns_credential {
            "It is your own: enter a valid one where you connected this server."
        } else {
            TELL_THE_OPERATOR
        }
    }

    const fn whose_rights(&self) -> &'static str {
        if self.caller_owns_credential {
            "It is your own: ask whoever runs that system for the right to do this, or do something else."
        } else {
            "Ask the operator of this server for the right to do this, or do something else."
        }
    }
}

/// A redirect that was not followed: to another place, or of a call with effects. Names the host it
/// leads to; the rest of the URL may hold secrets.
fn redirected(received: &Received, context: &Context<'_>) -> UpstreamFailure {
    let source = context.source;
    let status = received.status;
    let location = received.headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    let target = location.and_then(|location| received.url.join(location).ok());
    let host = target.as_ref().and_then(Url::host_str).map(|host| context.redactor.redact(host));
    let (what, advice) = match (&host, status) {
        (None, _) => ("answered with a redirect that leads nowhere".to_owned(), TELL_THE_OPERATOR),
        // The call was carried out; the answer is elsewhere (RFC 9110 §15.4.4).
        (Some(host), StatusCode::SEE_OTHER) if !context.effect.is_read() => {
            (format!("carried the call out and points to {host} for its answer, which was not followed"), LOOK_FIRST)
        }
        (Some(host), _) => (format!("redirects to {host}, which was not followed"), TELL_THE_OPERATOR),
    };
    let mut details = Map::new();
    details.insert("status".into(), status.as_u16().into());
    details.insert("location_host".into(), host.into());
    let message = format!("`{source}` {what} (HTTP {}). {advice}", status.as_u16());
    let verdict = match status {
        StatusCode::SEE_OTHER => Verdict::Definite,
        // What was asked for is asked for again elsewhere, so it was not done here (RFC 9110 §15.4.8, §15.4.9).
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => Verdict::Undone,
        // Web applications carry a POST out and then answer with one of these.
        _ => Verdict::InDoubt,
    };
    UpstreamFailure::new(UpstreamCode::InvalidResponse, message)
        .with_details(Value::Object(details))
        .with_verdict(verdict)
}

#[cfg(test)]
mod tests;
