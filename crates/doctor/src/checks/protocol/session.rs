//! Sessions as they are met behind a balancer: each request comes on a connection of its own.

use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::revision::{greet, settled};
use crate::{
    Area, Check,
    rpc::{self, Dialect, Line, Reply},
    visit::{NoAnswer, Visit},
};

/// How many requests of one session are sent in a row.
const IN_A_ROW: usize = 6;
/// An id that no server has given out.
const MADE_UP: HeaderValue = HeaderValue::from_static("5b1f7c2e-0000-4000-8000-d0c70d0c70d0");

/// What expects no answer.
pub(super) const NOTIFICATION_ACCEPTED: Check = Check {
    id: "notification-accepted",
    area: Area::Protocol,
    title: "Notifications are accepted with 202",
    why: "After initialize a client sends notifications/initialized. Where that is refused it ends the connection; \
          some also stumble over any other status than 202.",
    standard: "MCP 2025-11-25, Transports, \"Sending Messages to the Server\"",
    mend: "Answer a POST that holds a notification with 202 and an empty body.",
};

/// Every replica.
pub(super) const SESSION_AFFINITY: Check = Check {
    id: "session-affinity",
    area: Area::Protocol,
    title: "A session lasts from one connection to the next",
    why: "Platforms open new connections all the time. A server that keeps sessions in memory behind a balancer with \
          several replicas, or that restarts, says \"session not found\" to a good part of the requests.",
    standard: "MCP 2025-11-25, Transports, \"Session Management\"",
    mend: "Run without sessions (most SDKs have a stateless mode), keep them in a store that all replicas share, or let \
           the balancer choose the replica by the header Mcp-Session-Id.",
};

/// Sessions that are gone.
pub(super) const SESSION_UNKNOWN: Check = Check {
    id: "session-unknown",
    area: Area::Protocol,
    title: "An unknown session is answered with 404, or not needed",
    why: "By 404 a client knows that its session is over and begins another. By any other error it does not know, and \
          fails until somebody connects it anew.",
    standard: "MCP 2025-11-25, Transports, \"Session Management\"",
    mend: "Answer a request with an Mcp-Session-Id that is not known with 404.",
};

/// The end of a session.
pub(super) const SESSION_DELETE: Check = Check {
    id: "session-delete",
    area: Area::Protocol,
    title: "A session can be ended, or the server says that it cannot",
    why: "Clients end their session by DELETE when they leave. Where that fails, sessions pile up at the server.",
    standard: "MCP 2025-11-25, Transports, \"Session Management\"",
    mend: "Answer DELETE with 200 or 204 and forget the session, or with 405 where sessions are not ended by clients.",
};

/// Whether somebody is there.
pub(super) const PING: Check = Check {
    id: "ping",
    area: Area::Protocol,
    title: "ping is answered",
    why: "Platforms ping to see whether a connection still lives, and drop it where no result comes.",
    standard: "MCP 2025-11-25, Utilities, \"Ping\"",
    mend: "Answer ping with an empty result, {}.",
};

/// Where there is no handshake there are no sessions.
pub(super) fn not_there(visit: &mut Visit<'_>) {
    for check in [&NOTIFICATION_ACCEPTED, &SESSION_AFFINITY, &SESSION_UNKNOWN, &SESSION_DELETE, &PING] {
        visit.skipped(check, "the server speaks only revisions without a handshake");
    }
}

/// Looks; whether a session lasts.
pub(super) async fn examine(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) -> bool {
    notify(visit, line, dialect).await;
    let lasts = affinity(visit, line, dialect).await;
    unknown(visit, line, dialect).await;
    delete(visit, line, dialect.revision).await;
    lasts
}

async fn notify(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    let message = json!({"jsonrpc": "2.0", "method": "notifications/initialized"});
    match line.say(visit, dialect, message).await {
        Ok(reply) if reply.status() == StatusCode::ACCEPTED => visit.passed(&NOTIFICATION_ACCEPTED, None),
        Ok(reply) if reply.status().is_success() => {
            let seen = format!("notifications/initialized is answered with {} in the place of 202.", reply.words());
            visit.warning(&NOTIFICATION_ACCEPTED, seen, [reply.exchange()]);
        }
        Ok(reply) => {
            let seen = format!("notifications/initialized is answered with {}.", reply.words());
            visit.failed(&NOTIFICATION_ACCEPTED, seen, [reply.exchange()]);
        }
        Err(none) => visit.failed(&NOTIFICATION_ACCEPTED, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

/// Several pings in a row; the last answer says of `ping` what there is to say.
async fn affinity(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) -> bool {
    let mut lost = Vec::new();
    let mut words = String::new();
    let mut pong = None;
    for _ in 0..IN_A_ROW {
        match line.say(visit, dialect, rpc::request("ping", json!({}))).await {
            Ok(reply) if is_lost(&reply) => {
                words = reply.words();
                lost.push(reply.exchange());
            }
            answered => pong = Some(answered),
        }
    }
    if lost.is_empty() {
        let with = if dialect.session.is_some() { "a session id" } else { "no session id" };
        visit.passed(&SESSION_AFFINITY, format!("{IN_A_ROW} requests on {IN_A_ROW} connections, with {with}"));
    } else {
        let seen = format!("Of {IN_A_ROW} requests of one session {} are answered with {words}.", lost.len());
        visit.failed(&SESSION_AFFINITY, seen, lost.clone());
    }
    match pong {
        Some(pong) => judge_ping(visit, pong),
        None => visit.skipped(&PING, "no session lasts"),
    }
    lost.is_empty()
}

/// Whether the server says that it does not know the session.
pub(super) fn is_lost(reply: &Reply) -> bool {
    let text = reply.error().and_then(|error| error.get("message")).and_then(Value::as_str).unwrap_or_default();
    let about_sessions = text.to_ascii_lowercase().contains("session");
    reply.status() == StatusCode::NOT_FOUND && reply.code() != Some(-32601)
        || (about_sessions && !reply.status().is_server_error())
}

fn judge_ping(visit: &mut Visit<'_>, pong: Result<Reply, NoAnswer>) {
    match pong {
        Ok(reply) if reply.result().is_some() => visit.passed(&PING, None),
        Ok(reply) => visit.failed(&PING, format!("ping is answered with {}.", reply.words()), [reply.exchange()]),
        Err(none) => visit.failed(&PING, format!("No answer to ping: {}.", none.error), [none.exchange]),
    }
}

async fn unknown(visit: &mut Visit<'_>, line: &Line, dialect: &Dialect) {
    if dialect.session.is_none() {
        visit.skipped(&SESSION_UNKNOWN, "the server has no sessions");
        return;
    }
    let stranger = Dialect { revision: dialect.revision, session: Some(MADE_UP) };
    match line.say(visit, &stranger, rpc::request("ping", json!({}))).await {
        Ok(reply) if reply.status() == StatusCode::NOT_FOUND => visit.passed(&SESSION_UNKNOWN, "404".to_owned()),
        Ok(reply) if reply.status().is_success() && !is_lost(&reply) => {
            visit.passed(&SESSION_UNKNOWN, "any id is taken".to_owned());
        }
        Ok(reply) => {
            let seen = format!("A made-up session id is answered with {} in the place of 404.", reply.words());
            visit.warning(&SESSION_UNKNOWN, seen, [reply.exchange()]);
        }
        Err(none) => visit.warning(&SESSION_UNKNOWN, format!("No answer: {}.", none.error), [none.exchange]),
    }
}

/// With a session that was begun for it.
async fn delete(visit: &mut Visit<'_>, line: &Line, revision: &str) {
    let begun = greet(visit, line, revision).await.ok().and_then(|reply| settled(&reply));
    let ended = match &begun {
        Some(dialect) => line.end(visit, dialect).await,
        None => None,
    };
    match ended {
        None => visit.skipped(&SESSION_DELETE, "the server has no sessions"),
        Some(Ok(reply)) if reply.status().is_success() => visit.passed(&SESSION_DELETE, None),
        Some(Ok(reply)) if reply.status() == StatusCode::METHOD_NOT_ALLOWED => {
            visit.passed(&SESSION_DELETE, "405: sessions are not ended by clients".to_owned());
        }
        Some(Ok(reply)) => {
            let seen = format!("DELETE is answered with {}.", reply.words());
            visit.warning(&SESSION_DELETE, seen, [reply.exchange()]);
        }
        Some(Err(none)) => visit.warning(&SESSION_DELETE, format!("No answer: {}.", none.error), [none.exchange]),
    }
}
