//! As much of a JSON-RPC message as the gate must know: is it one or a batch, what is its method,
//! which tool does it call. rmcp reads the rest.

use bytes::Bytes;
use serde_json::Value;

/// How many messages a batch may have.
const MAX_BATCH: usize = 50;

/// The body of a POST.
#[derive(Debug)]
pub(crate) enum Message {
    /// One message.
    One {
        /// As it came.
        bytes: Bytes,
        /// What the gate must know of it.
        envelope: Envelope,
    },
    /// Several (JSON-RPC 2.0 §6; MCP 2025-03-26 alone has batches).
    Batch(Vec<(Bytes, Envelope)>),
}

/// A JSON-RPC 2.0 message from outside.
#[derive(Debug)]
pub(crate) struct Envelope {
    /// Absent in a notification.
    pub(crate) id: Option<Value>,
    /// Absent in a response.
    pub(crate) method: Option<String>,
    /// `params.name` of `tools/call`.
    pub(crate) tool: Option<String>,
    /// Whether an `initialize` declares that its client can lead a person to a URL (MCP 2025-11-25,
    /// `elicitation.url`).
    pub(crate) opens_urls: bool,
}

/// Why a body is no message.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// JSON-RPC 2.0 §5.1: -32700 or -32600.
    pub(crate) code: i32,
    /// What is wrong and how to mend it.
    pub(crate) message: String,
}

impl Message {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, Unreadable> {
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| Unreadable {
            code: -32700,
            message: format!("Parse error: the body is not JSON ({error}). Send one JSON-RPC message in UTF-8."),
        })?;
        match value {
            Value::Object(_) => Ok(Self::One { envelope: Envelope::read(&value), bytes }),
            Value::Array(messages) if messages.is_empty() || messages.len() > MAX_BATCH => Err(Unreadable {
                code: -32600,
                message: format!("Invalid Request: a batch has 1 to {MAX_BATCH} messages."),
            }),
            Value::Array(messages) => Ok(Self::Batch(
                messages.iter().map(|message| (Bytes::from(message.to_string()), Envelope::read(message))).collect(),
            )),
            _ => {
                Err(Unreadable { code: -32600, message: "Invalid Request: the body must be a JSON-RPC object.".into() })
            }
        }
    }

    /// The tools that are called, each with the id of its request.
    pub(crate) fn tool_calls(&self) -> impl Iterator<Item = (Option<&Value>, &str)> {
        let envelopes: Vec<&Envelope> = match self {
            Self::One { envelope, .. } => vec![envelope],
            Self::Batch(messages) => messages.iter().map(|(_, envelope)| envelope).collect(),
        };
        envelopes.into_iter().filter_map(|envelope| Some((envelope.id.as_ref(), envelope.tool.as_deref()?)))
    }
}

impl Envelope {
    fn read(value: &Value) -> Self {
        let method = value.get("method").and_then(Value::as_str).map(str::to_owned);
        let tool = (method.as_deref() == Some("tools/call"))
            .then(|| value.pointer("/params/name").and_then(Value::as_str).map(str::to_owned))
            .flatten();
        let id = value.get("id").filter(|id| id.is_string() || id.is_number()).cloned();
        let opens_urls = method.as_deref() == Some("initialize")
            && value.pointer("/params/capabilities/elicitation/url").is_some_and(Value::is_object);
        Self { id, method, tool, opens_urls }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_called_tool_is_found_in_one_and_in_many() {
        let one =
            Message::parse(Bytes::from_static(br#"{"id":1,"method":"tools/call","params":{"name":"a"}}"#)).unwrap();
        assert_eq!(one.tool_calls().collect::<Vec<_>>(), [(Some(&Value::from(1)), "a")]);
        let many = r#"[{"method":"ping"},{"id":"x","method":"tools/call","params":{"name":"b"}},{"method":"tools/call","params":7}]"#;
        let many = Message::parse(Bytes::from_static(many.as_bytes())).unwrap();
        assert_eq!(many.tool_calls().collect::<Vec<_>>(), [(Some(&Value::from("x")), "b")]);
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_code_of_json_rpc() {
        for (body, code) in [("{", -32700), ("", -32700), ("7", -32600), ("[]", -32600), ("\"a\"", -32600)] {
            assert_eq!(Message::parse(Bytes::from_static(body.as_bytes())).unwrap_err().code, code, "{body}");
        }
    }
}
