//! The smallest MCP client that can say whether a server works: one POST per message, JSON or a short event stream
//! as the answer. It knows the warehouse example and nothing of Bridgehead.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ureq::Agent;

use super::card::Card;

const REVISION: &str = "2025-11-25";
const LONGEST_ANSWER: Duration = Duration::from_secs(30);

/// initialize, tools/list, tools/call; and without the key nothing.
pub(crate) fn first_steps(card: &Card) -> Result<()> {
    let client = Client::new(card);
    let stranger = client.post(None, &initialize())?;
    ensure!(stranger.status == 401, "without the key initialize was answered with {}", stranger.status);

    let welcome = client.request(&initialize())?;
    let name = text(&welcome, "/serverInfo/name")?;
    let revision = text(&welcome, "/protocolVersion")?;
    println!("initialize: {name}, revision {revision}");
    let noted = client.post(Some(&card.key), &json!({"jsonrpc": "2.0", "method": "notifications/initialized"}))?;
    ensure!(noted.status == 202, "a notification was answered with {}", noted.status);

    let listed = client.request(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}))?;
    let tools = listed.get("tools").and_then(Value::as_array).context("tools/list has no tools")?;
    ensure!(!tools.is_empty(), "tools/list is empty");
    println!("tools/list: {} tools", tools.len());

    let called = client.request(&find_stock(3))?;
    ensure!(called.get("isError") != Some(&Value::Bool(true)), "tools/call failed: {called}");
    let structured = called.get("structuredContent").with_context(|| format!("no structured result: {called}"))?;
    println!("tools/call find_stock A-1001: {structured}");
    Ok(())
}

/// The same call again and again, one after the other.
pub(crate) fn call_many_times(card: &Card, count: usize) -> Result<()> {
    let client = Client::new(card);
    for number in 0..count {
        let called = client.request(&find_stock(number))?;
        ensure!(called.get("structuredContent").is_some(), "no structured result: {called}");
    }
    Ok(())
}

fn find_stock(id: usize) -> Value {
    let call = json!({"name": "find_stock", "arguments": {"sku": "A-1001"}});
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call})
}

fn initialize() -> Value {
    let params = json!({
        "protocolVersion": REVISION,
        "capabilities": {},
        "clientInfo": {"name": "first-run", "version": "1"},
    });
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
}

struct Client<'a> {
    agent: Agent,
    card: &'a Card,
}

struct Answer {
    status: u16,
    body: String,
}

impl<'a> Client<'a> {
    fn new(card: &'a Card) -> Self {
        let config = Agent::config_builder().http_status_as_error(false).proxy(None);
        Self { agent: config.timeout_global(Some(LONGEST_ANSWER)).build().into(), card }
    }

    fn post(&self, key: Option<&str>, message: &Value) -> Result<Answer> {
        let mut request = self
            .agent
            .post(&self.card.url)
            .header("Accept", "application/json, text/event-stream")
            .header("MCP-Protocol-Version", REVISION);
        if let Some(key) = key {
            request = request.header("Authorization", format!("Bearer {key}"));
        }
        let mut response = request.send_json(message).with_context(|| format!("no answer from {}", self.card.url))?;
        Ok(Answer { status: response.status().as_u16(), body: response.body_mut().read_to_string()? })
    }

    /// The `result` of a request.
    fn request(&self, message: &Value) -> Result<Value> {
        let Answer { status, body } = self.post(Some(&self.card.key), message)?;
        ensure!(status == 200, "{message} was answered with {status}: {body}");
        let answer = self::message(&body).with_context(|| format!("cannot read the answer to {message}: {body}"))?;
        answer.get("result").cloned().with_context(|| format!("{message} was refused: {answer}"))
    }
}

/// The last message of a body, which is one JSON object or an event stream.
fn message(body: &str) -> Result<Value> {
    let data = body.lines().rev().filter_map(|line| line.strip_prefix("data:")).find(|data| !data.trim().is_empty());
    Ok(serde_json::from_str(data.unwrap_or(body))?)
}

fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("no {pointer} in {value}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::message;

    #[test]
    fn answers_come_as_json_or_as_events() -> anyhow::Result<()> {
        assert_eq!(message("{\"id\":1}")?, json!({"id": 1}));
        assert_eq!(message("id: 0\ndata:\n\nevent: message\ndata: {\"id\":2}\n\n")?, json!({"id": 2}));
        Ok(())
    }
}
