//! Names of tools: what model APIs accept, and whether there is a word in them.

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, words};

/// How long a name may be.
const LONGEST: usize = 64;

/// Words that every tool could be called. With another word beside them they may be what it is about:
/// `delete_call`, `run_test`.
const GENERIC: [&str; 25] = [
    "action",
    "api",
    "bar",
    "call",
    "default",
    "delete",
    "endpoint",
    "execute",
    "foo",
    "function",
    "get",
    "handler",
    "head",
    "index",
    "main",
    "method",
    "operation",
    "options",
    "patch",
    "post",
    "put",
    "request",
    "run",
    "test",
    "tool",
];

pub(super) const CHARACTERS: Rule = Rule {
    id: "name-characters",
    severity: Severity::Error,
    title: "A name has no characters but A-Z, a-z, 0-9, _ and -.",
    why: "The APIs of Anthropic and OpenAI accept no other characters and refuse the whole request, with all its tools, \
          for one such name. MCP admits a dot as well (2025-11-25, Tools, Tool Names); clients replace it, each in its \
          own way.",
    bad: Example::Tools(
        r#"{"name": "orders.find", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "orders_find", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(characters),
};

fn characters(tool: &Subject, found: &mut Found<'_>) {
    let legal = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if let Some(c) = tool.name.chars().find(|c| !legal(c)) {
        let message = format!("The name has {c:?} in it, which model APIs refuse.");
        found.at("/name", message, mend::name(tool, "letters, digits, `_` and `-` alone"));
    } else if tool.name.is_empty() {
        found.at("/name", "The name is empty.", mend::name(tool, "a verb and what it is done to"));
    }
}

pub(super) const LENGTH: Rule = Rule {
    id: "name-length",
    severity: Severity::Error,
    title: "A name has at most 64 characters, its prefix included.",
    why: "OpenAI's API and claude.ai refuse longer ones, and with them the whole request; Anthropic's API and MCP admit \
          128. Clients put the server's name in front, so shorter is safer still.",
    bad: Example::Tools(
        r#"{"name": "warehouse_management_inventory_adjustments_create_inventory_adjustment", "description": "Corrects the units of one article at one location.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "adjust_stock", "description": "Corrects the units of one article at one location.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(length),
};

fn length(tool: &Subject, found: &mut Found<'_>) {
    let length = tool.name.chars().count();
    if length > LONGEST {
        let message = format!("The name has {length} characters; model APIs accept {LONGEST}.");
        found.at("/name", message, mend::name(tool, "a shorter one, or a shorter `prefix` of its source"));
    }
}

pub(super) const MEANINGLESS: Rule = Rule {
    id: "name-meaningless",
    severity: Severity::Warning,
    title: "A name has a word in it that tells this tool from others.",
    why: "An agent with many tools chooses by name first. A digest, a number or a method says nothing.",
    bad: Example::Tools(
        r#"{"name": "post_5f3a9c21", "description": "Corrects the units of one article at one location.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "adjust_stock", "description": "Corrects the units of one article at one location.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(meaningless),
};

fn meaningless(tool: &Subject, found: &mut Found<'_>) {
    let parts = tool.name.split(['_', '-', '.', '/']).filter(|part| !is_digest(part));
    let mut words: Vec<String> = parts.flat_map(words::of_name).collect();
    words.retain(|word| word.chars().filter(|c| c.is_alphabetic()).count() >= 2);
    let says_nothing = match words.as_slice() {
        [] => true,
        [word] => GENERIC.contains(&word.as_str()),
        _ => false,
    };
    if says_nothing && !tool.name.is_empty() {
        let message = format!("The name `{}` says nothing of what the tool does.", tool.name);
        found.at("/name", message, mend::name(tool, "a verb and what it is done to, such as `find_orders`"));
    }
}

/// Hexadecimal digits, letters and figures among them, or a long number.
fn is_digest(part: &str) -> bool {
    let figures = part.bytes().filter(u8::is_ascii_digit).count();
    let hexadecimal = part.bytes().all(|b| b.is_ascii_hexdigit());
    hexadecimal
        && ((part.len() >= 6 && figures > 0 && figures < part.len()) || (part.len() >= 8 && figures == part.len()))
}

pub(super) const GENERATED: Rule = Rule {
    id: "name-generated",
    severity: Severity::Note,
    title: "A name is made for readers, not by a generator.",
    why: "A digest at the end stands where a name was cut or two operations had the same one; path and method at the \
          end are what frameworks make where nobody gave a name. Both cost tokens and cannot be said in a sentence.",
    bad: Example::Tools(
        r#"{"name": "read_item_items__item_id__get", "description": "Looks up one item of the catalog by its id.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "read_item", "description": "Looks up one item of the catalog by its id.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(generated),
};

fn generated(tool: &Subject, found: &mut Found<'_>) {
    let name = tool.name.as_str();
    let methods = ["_get", "_post", "_put", "_patch", "_delete"];
    let from_path = methods.iter().any(|end| name.to_ascii_lowercase().ends_with(end))
        && (name.contains("__") || name.contains("_api_"));
    let digest = name.rsplit_once('_').is_some_and(|(_, end)| end.len() == 8 && is_digest(end));
    let message = if digest {
        "The name ends in a digest, as it was too long or stands twice."
    } else if from_path {
        "The name repeats path and method."
    } else {
        return;
    };
    found.at("/name", message, mend::name(tool, "a verb and what it is done to, such as `find_orders`"));
}
