//! JSON-RPC over Streamable HTTP (MCP, "Transports"): a message in a POST, dressed as its revision wants it,
//! the answer as JSON or as the event of a stream. Judges nothing.

use std::time::Duration;

use bridgehead_core::Secret;
use bridgehead_outbound::{IllegalHeaderValue, Received, Request};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use url::Url;

use crate::visit::{Answer, NoAnswer, Visit};

/// The revision without a handshake.
pub(crate) const MODERN: &str = "2026-07-28";
/// The revision of a message (MCP 2025-06-18, Transports, "Protocol Version Header").
pub(crate) const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
/// The session (MCP 2025-11-25, Transports, "Session Management").
pub(crate) const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
/// The method of a message since 2026-07-28.
pub(crate) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
/// The name of the tool that is called, since 2026-07-28.
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// A POST with this message, as every client sends it; further headers are the caller's.
///
/// # Errors
/// A credential that cannot stand in a header.
pub(crate) fn post(
    endpoint: &Url,
    message: &Value,
    credential: &[(HeaderName, Secret)],
) -> Result<Request, IllegalHeaderValue> {
    let mut request = Request::new(Method::POST, endpoint.clone());
    request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
    for (name, value) in credential {
        request.set_secret_header(name.clone(), value)?;
    }
    request.body = message.to_string().into_bytes().into();
    Ok(request)
}

/// The JSON-RPC messages of an answer: one, a batch, or those of an event stream in order. `None` where the
/// body is neither.
pub(crate) fn messages(received: &Received) -> Option<Vec<Value>> {
    let text = std::str::from_utf8(&received.body).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if received.media_type().as_deref() == Some("text/event-stream") {
        return Some(events(text).filter_map(|data| serde_json::from_str(&data).ok()).collect());
    }
    match serde_json::from_str(text).ok()? {
        Value::Array(messages) => Some(messages),
        message => Some(vec![message]),
    }
}

/// The data of each event (HTML Standard, "Server-sent events", §9.2.6).
fn events(text: &str) -> impl Iterator<Item = String> {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let events: Vec<String> = lines.split("\n\n").map(str::to_owned).collect();
    events.into_iter().filter_map(|event| {
        let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
        let data: Vec<&str> = data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
        (!data.is_empty()).then(|| data.join("\n"))
    })
}

/// A request of JSON-RPC. The id is a number, as most clients have it.
pub(crate) fn request(method: &str, params: Value) -> Value {
    numbered(1.into(), method, params)
}

/// A request of JSON-RPC with this id.
pub(crate) fn numbered(id: Value, method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

/// `initialize` with this revision.
pub(crate) fn initialize(revision: &str) -> Value {
    let client = json!({"name": "bridgehead-doctor", "version": env!("CARGO_PKG_VERSION")});
    request("initialize", json!({"protocolVersion": revision, "capabilities": {}, "clientInfo": client}))
}

/// How a server is spoken to: the revision, and the session that it may have begun.
#[derive(Debug, Clone)]
pub(crate) struct Dialect {
    pub(crate) revision: &'static str,
    pub(crate) session: Option<HeaderValue>,
}

impl Dialect {
    /// Without a handshake.
    pub(crate) const fn modern() -> Self {
        Self { revision: MODERN, session: None }
    }
}

/// The endpoint, and how a request to it is dressed.
pub(crate) struct Line {
    bare: Request,
}

impl Line {
    /// `None` where the credential cannot stand in a header.
    pub(crate) fn new(endpoint: &Url, credential: &[(HeaderName, Secret)]) -> Option<Self> {
        post(endpoint, &Value::Null, credential).ok().map(|bare| Self { bare })
    }

    /// A POST with this body, and with nothing that a revision asks for.
    pub(crate) fn bare(&self, body: impl Into<Vec<u8>>) -> Request {
        let mut request = self.bare.clone();
        request.body = body.into().into();
        request
    }

    /// The message in this dialect.
    pub(crate) fn request(&self, dialect: &Dialect, mut message: Value) -> Request {
        let mut request = self.bare.clone();
        request.headers.insert(VERSION, HeaderValue::from_static(dialect.revision));
        if let Some(session) = &dialect.session {
            request.headers.insert(SESSION, session.clone());
        }
        if dialect.revision == MODERN {
            modern(&mut request, &mut message);
        }
        request.body = message.to_string().into_bytes().into();
        request
    }

    /// Says it and hears the answer.
    pub(crate) async fn say(
        &self,
        visit: &mut Visit<'_>,
        dialect: &Dialect,
        message: Value,
    ) -> Result<Reply, NoAnswer> {
        hear(visit, self.request(dialect, message)).await
    }

    /// Ends a session, where there is one; `None` where there is none.
    pub(crate) async fn end(&self, visit: &mut Visit<'_>, dialect: &Dialect) -> Option<Result<Reply, NoAnswer>> {
        dialect.session.as_ref()?;
        let mut request = self.request(dialect, Value::Null);
        request.method = Method::DELETE;
        request.headers.remove(header::CONTENT_TYPE);
        request.body = Vec::new().into();
        Some(hear(visit, request).await)
    }
}

/// What a message of 2026-07-28 carries itself, since there was no handshake (MCP 2026-07-28, Transports).
fn modern(request: &mut Request, message: &mut Value) {
    let header = |text: Option<&Value>| HeaderValue::from_str(text?.as_str()?).ok();
    if let Some(method) = header(message.get("method")) {
        request.headers.insert(METHOD, method);
    }
    if let Some(name) = header(message.pointer("/params/name")) {
        request.headers.insert(NAME, name);
    }
    if let Some(params) = message.get_mut("params").and_then(Value::as_object_mut) {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "bridgehead-doctor", "version": env!("CARGO_PKG_VERSION")},
        });
        params.insert("_meta".to_owned(), meta);
    }
}

/// Sends it and reads the answer as JSON-RPC.
pub(crate) async fn hear(visit: &mut Visit<'_>, request: Request) -> Result<Reply, NoAnswer> {
    visit.send(request).await.map(Reply::of)
}

/// The result or the error of a message. Where there is the other one, many servers write null for it.
pub(crate) fn member<'m>(message: &'m Value, name: &str) -> Option<&'m Value> {
    message.get(name).filter(|member| !member.is_null())
}

/// An answer, with the message that answers.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    /// The message that is an answer; `None` where there is none.
    pub(crate) message: Option<Value>,
}

impl Reply {
    pub(crate) fn of(answer: Answer) -> Self {
        let mut messages = messages(&answer.received).unwrap_or_default();
        messages.retain(|message| member(message, "result").is_some() || member(message, "error").is_some());
        Self { answer, message: messages.pop() }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.answer.received.status
    }

    pub(crate) fn exchange(&self) -> usize {
        self.answer.exchange
    }

    pub(crate) fn took(&self) -> Duration {
        self.answer.took
    }

    /// The result of a request that succeeded.
    pub(crate) fn result(&self) -> Option<&Value> {
        member(self.message.as_ref()?, "result").filter(|_| self.status().is_success())
    }

    pub(crate) fn error(&self) -> Option<&Value> {
        member(self.message.as_ref()?, "error")
    }

    /// The code of the error.
    pub(crate) fn code(&self) -> Option<i64> {
        self.error()?.get("code")?.as_i64()
    }

    /// In a few words: "404 with the error -32601 (Method not found)".
    pub(crate) fn words(&self) -> String {
        let status = self.status().as_u16();
        match (self.error(), &self.message) {
            (Some(error), _) => {
                let code = error.get("code").map_or_else(|| "without a code".to_owned(), Value::to_string);
                let text = error.get("message").and_then(Value::as_str).unwrap_or("no message");
                format!("{status} with the error {code} ({})", short(text))
            }
            (None, Some(_)) => format!("{status} with a result"),
            (None, None) => format!("{status} without a message of JSON-RPC"),
        }
    }
}

/// A text of the other side, cut to what is read in passing.
pub(crate) fn short(text: &str) -> String {
    const SHOWN: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= SHOWN { line } else { format!("{}…", line.chars().take(SHOWN).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use bridgehead_outbound::Bytes;
    use http::HeaderMap;

    use super::*;

    fn reply(media_type: &'static str, body: &str) -> Reply {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(media_type))]);
        let url = Url::parse("https://mcp.example/mcp").unwrap();
        let body = Bytes::from(body.to_owned());
        let received = Received { status: StatusCode::OK, headers, url, body, cut: false };
        Reply::of(Answer { received, took: Duration::ZERO, exchange: 0 })
    }

    /// Whatever the standards of events and of JSON-RPC allow, and what many servers write besides.
    #[test]
    fn the_message_that_answers_is_found_in_every_legal_form() {
        let rows = [
            ("application/json", r#"{"id":1,"result":{"a":1}}"#),
            ("Application/JSON; charset=UTF-8", r#"{"id":1,"result":{"a":1},"error":null}"#),
            ("application/json", r#"[{"method":"notifications/x"},{"id":1,"result":{"a":1}}]"#),
            ("Text/Event-Stream; charset=utf-8", "data: {\"result\":{\"a\":1}}\n\n"),
            ("text/event-stream", "\u{feff}data:{\"result\":{\"a\":1}}\n\n"),
            (
                "text/event-stream",
                ": hello\r\nretry: 9\r\nid: 1\r\nevent: message\r\ndata: {\"result\":\r\ndata: {\"a\":1}}\r\n\r\n",
            ),
            (
                "text/event-stream",
                "id: 0\ndata:\n\ndata: {\"method\":\"m\",\"id\":9}\n\nevent: ping\ndata: now\n\ndata: {\"result\":{\"a\":1}}\r\r",
            ),
        ];
        for (media_type, body) in rows {
            let reply = reply(media_type, body);
            assert_eq!((reply.result(), reply.error()), (Some(&json!({"a": 1})), None), "{media_type} {body}");
        }
        let refused = reply("application/json", r#"{"result":null,"error":{"code":-32601,"message":"no"}}"#);
        assert_eq!((refused.result(), refused.code()), (None, Some(-32601)));
    }
}
