//! Messages to the endpoint that any server answers, to see who is let in. What the answers say is the
//! protocol's matter.

use bridgehead_core::Secret;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use url::Url;

use crate::{
    rpc,
    visit::{Answer, Visit},
};

const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const METHOD: HeaderName = HeaderName::from_static("mcp-method");

/// Headers that a credential travels in.
pub(super) type Credential = Vec<(HeaderName, Secret)>;

/// A token as it is sent (RFC 6750 §2.1).
pub(super) fn bearer(token: &Secret) -> Credential {
    vec![(http::header::AUTHORIZATION, Secret::new(format!("Bearer {}", token.expose())))]
}

/// Something harmless to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    /// `initialize` of revision 2025-11-25.
    Initialize,
    /// `tools/list` of revision 2025-11-25.
    ListTools,
    /// `server/discover` of revision 2026-07-28.
    Discover,
}

impl Question {
    pub(super) const ALL: [Self; 3] = [Self::Initialize, Self::ListTools, Self::Discover];

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::ListTools => "tools/list",
            Self::Discover => "server/discover",
        }
    }

    const fn revision(self) -> &'static str {
        match self {
            Self::Initialize | Self::ListTools => "2025-11-25",
            Self::Discover => "2026-07-28",
        }
    }

    fn message(self) -> Value {
        let client = json!({"name": "bridgehead-doctor", "version": env!("CARGO_PKG_VERSION")});
        let params = match self {
            Self::Initialize => {
                json!({"protocolVersion": self.revision(), "capabilities": {}, "clientInfo": client})
            }
            Self::ListTools => json!({}),
            Self::Discover => json!({"_meta": {
                "io.modelcontextprotocol/protocolVersion": self.revision(),
                "io.modelcontextprotocol/clientInfo": client,
                "io.modelcontextprotocol/clientCapabilities": {},
            }}),
        };
        json!({"jsonrpc": "2.0", "id": 1, "method": self.method(), "params": params})
    }
}

/// What became of a question.
#[derive(Debug)]
pub(super) enum Reply {
    /// A result.
    Answered(Answer),
    /// Anything else that came.
    Refused(Answer),
    /// Nothing came, as the text says.
    Nothing { why: String, exchange: usize },
}

impl Reply {
    pub(super) const fn is_answered(&self) -> bool {
        matches!(self, Self::Answered(_))
    }

    pub(super) fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Answered(answer) | Self::Refused(answer) => Some(answer.received.status),
            Self::Nothing { .. } => None,
        }
    }

    pub(super) const fn exchange(&self) -> usize {
        match self {
            Self::Answered(answer) | Self::Refused(answer) => answer.exchange,
            Self::Nothing { exchange, .. } => *exchange,
        }
    }

    /// What came, in a few words: "403", "a redirect (302) to https://…".
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Answered(answer) => format!("{} with a result", answer.received.status.as_u16()),
            Self::Refused(answer) => shown(answer),
            Self::Nothing { why, .. } => format!("no answer ({why})"),
        }
    }
}

fn shown(answer: &Answer) -> String {
    let (status, headers) = (answer.received.status, &answer.received.headers);
    let location = headers.get(http::header::LOCATION).and_then(|value| value.to_str().ok());
    match location {
        Some(to) if status.is_redirection() => format!("a redirect ({}) to {to}", status.as_u16()),
        _ if status.is_success() && has_error(answer) => format!("{} with an error inside", status.as_u16()),
        _ => status.as_u16().to_string(),
    }
}

fn has_error(answer: &Answer) -> bool {
    let messages = rpc::messages(&answer.received).unwrap_or_default();
    messages.iter().any(|message| rpc::member(message, "error").is_some())
}

/// Asks, and ends the session that may have begun with it.
pub(super) async fn ask(visit: &mut Visit<'_>, endpoint: &Url, question: Question, credential: &Credential) -> Reply {
    let Ok(mut request) = rpc::post(endpoint, &question.message(), credential) else {
        return Reply::Nothing { why: "the credential cannot stand in a header".to_owned(), exchange: 0 };
    };
    if question != Question::Initialize {
        request.headers.insert(VERSION, HeaderValue::from_static(question.revision()));
    }
    if question == Question::Discover {
        request.headers.insert(METHOD, HeaderValue::from_static(question.method()));
    }
    let answer = match visit.send(request.clone()).await {
        Ok(answer) => answer,
        Err(none) => return Reply::Nothing { why: none.error.to_string(), exchange: none.exchange },
    };
    if let Some(session) = answer.received.headers.get(SESSION) {
        let mut end = bridgehead_outbound::Request::new(Method::DELETE, endpoint.clone());
        end.headers = request.headers;
        end.headers.insert(SESSION, session.clone());
        // Some servers do not let sessions be ended; then they end by themselves.
        let _ = visit.send(end).await;
    }
    let messages = rpc::messages(&answer.received).unwrap_or_default();
    let answered =
        answer.received.status.is_success() && messages.iter().any(|one| rpc::member(one, "result").is_some());
    if answered { Reply::Answered(answer) } else { Reply::Refused(answer) }
}

/// Whether somebody with this credential is let in: by `initialize`, or where the server is too new for it,
/// by `server/discover`.
pub(super) async fn lets_in(visit: &mut Visit<'_>, endpoint: &Url, credential: &Credential) -> Reply {
    let reply = ask(visit, endpoint, Question::Initialize, credential).await;
    match &reply {
        Reply::Refused(answer)
            if !matches!(answer.received.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) =>
        {
            let newer = ask(visit, endpoint, Question::Discover, credential).await;
            if newer.is_answered() { newer } else { reply }
        }
        _ => reply,
    }
}
