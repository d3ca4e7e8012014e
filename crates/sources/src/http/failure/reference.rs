//! What becomes of each answer of an HTTP API, and of none, as rows for the reference of errors
//! (`docs/reference/errors.md`). Every row is asked of the code that judges real answers, so that
//! the page and the server cannot tell different stories.

use std::collections::BTreeMap;

use bridgehead_core::{Effect, SystemClock};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{
    Context, MaybeSent, MaybeSentReason, NotSent, NotSentReason, Received, Redactor, SendError, StatusCode,
    UpstreamFailure, Url, of_answer, of_transport,
};

/// What a failed call of one kind comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Judgement {
    /// The word on the wire.
    pub code: &'static str,
    /// Whether the same call may be repeated.
    pub retryable: bool,
}

/// One row: what was seen, and what it means for a call that reads and for one with effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was seen.
    pub seen: String,
    /// For a call that only reads.
    pub read: Judgement,
    /// For a call that has effects.
    pub write: Judgement,
}

/// Every status that is no success, those of one meaning in one row.
///
/// # Errors
/// A status or URL that is none: a fault of this file.
pub fn answers() -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    let mut rows = Vec::new();
    for (class, name) in [(300_u16, "3xx"), (400, "4xx"), (500, "5xx")] {
        let mut groups: BTreeMap<(Judgement, Judgement), Vec<u16>> = BTreeMap::new();
        for status in class..class + 100 {
            let judged = (of_status(status, Effect::Read, None)?, of_status(status, Effect::Write, None)?);
            groups.entry(judged).or_default().push(status);
        }
        let mut groups: Vec<_> = groups.into_iter().collect();
        // What most statuses of a class mean is what its unknown ones mean; it comes last.
        groups.sort_by_key(|(_, statuses)| (statuses.len() > 50, statuses.first().copied()));
        for ((read, write), statuses) in groups {
            let seen = if statuses.len() == 100 {
                format!("any {name}")
            } else if statuses.len() > 50 {
                format!("any other {name}")
            } else {
                statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
            };
            let with_header = match seen.as_str() {
                "403" => {
                    Some((403, "403 with `Retry-After`, or `X-RateLimit-Remaining: 0`", ("x-ratelimit-remaining", "0")))
                }
                "503" => Some((503, "503 with `Retry-After`", ("retry-after", "1"))),
                _ => None,
            };
            rows.push(Row { seen, read, write });
            if let Some((status, seen, header)) = with_header {
                let judged = |effect| of_status(status, effect, Some(header));
                rows.push(Row { seen: seen.to_owned(), read: judged(Effect::Read)?, write: judged(Effect::Write)? });
            }
        }
    }
    Ok(rows)
}

/// Every way of getting no whole answer.
#[must_use]
pub fn silences() -> Vec<Row> {
    let not_sent = [
        (NotSentReason::Name, "its name is not found"),
        (NotSentReason::Connect, "nobody answers at its address"),
        (NotSentReason::ConnectTimedOut, "connecting takes longer than 10 s"),
        (NotSentReason::Tls, "its certificate is not trusted, or the handshake fails"),
    ];
    let maybe_sent = [
        (MaybeSentReason::TimedOut, "no answer within the time-out"),
        (MaybeSentReason::ConnectionLost, "the connection breaks before the answer"),
        (MaybeSentReason::BodyBroken, "the connection breaks within the answer"),
    ];
    let judged = |effect, error: SendError| judgement(effect, |context| of_transport(error, context));
    let before = not_sent.into_iter().map(|(reason, seen)| {
        let error = || NotSent { reason, host: String::new(), cause: None }.into();
        Row { seen: seen.to_owned(), read: judged(Effect::Read, error()), write: judged(Effect::Write, error()) }
    });
    let after = maybe_sent.into_iter().map(|(reason, seen)| {
        let error = || MaybeSent { reason, host: String::new(), cause: None }.into();
        Row { seen: seen.to_owned(), read: judged(Effect::Read, error()), write: judged(Effect::Write, error()) }
    });
    before.chain(after).collect()
}

fn of_status(
    status: u16,
    effect: Effect,
    header: Option<(&'static str, &'static str)>,
) -> Result<Judgement, Box<dyn std::error::Error>> {
    let mut headers = HeaderMap::new();
    if let Some((name, value)) = header {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    let received = Received {
        status: StatusCode::from_u16(status)?,
        headers,
        url: Url::parse("https://api.example.com")?,
        body: Bytes::new(),
        cut: false,
    };
    Ok(judgement(effect, |context| of_answer(&received, context)))
}

fn judgement(effect: Effect, judge: impl FnOnce(&Context<'_>) -> UpstreamFailure) -> Judgement {
    let context = Context {
        source: "",
        effect,
        redactor: &Redactor::default(),
        caller_owns_credential: false,
        clock: &SystemClock,
    };
    let failure = judge(&context);
    Judgement { code: failure.code.as_str(), retryable: failure.retryable }
}
