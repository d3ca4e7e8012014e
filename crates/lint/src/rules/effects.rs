//! What a tool says of its effects, and whether name and description agree with it.

use bridgehead_core::Effect;

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, words};

/// Verbs that are never about reading, as first word of a name.
const CHANGING: [&str; 12] = [
    "add",
    "create",
    "delete",
    "destroy",
    "erase",
    "insert",
    "overwrite",
    "purge",
    "remove",
    "revoke",
    "truncate",
    "wipe",
];
/// Those of them after which something is gone.
const REMOVING: [&str; 8] = ["delete", "destroy", "erase", "overwrite", "purge", "remove", "truncate", "wipe"];
/// First words of names that only look.
const LOOKING: [&str; 11] =
    ["count", "describe", "find", "get", "list", "lookup", "query", "read", "retrieve", "search", "view"];
/// Of these, the ones that a POST has only because its question is long.
const ASKING: [&str; 6] = ["count", "find", "list", "lookup", "query", "search"];
/// What descriptions of such a tool begin with, without the ending of the third person.
const ASKS: [&str; 6] = ["count", "find", "get", "list", "query", "search"];

/// Names of parameters that take an idempotency key.
const KEYS: [&str; 7] = [
    "bridgeheadidempotencykey",
    "clientrequesttoken",
    "clienttoken",
    "idempotencykey",
    "idempotencytoken",
    "requestid",
    "xidempotencykey",
];

pub(super) const CONTRADICTED: Rule = Rule {
    id: "effect-contradicted",
    severity: Severity::Error,
    title: "The name and the hints tell the same story.",
    why: "Clients ask people before a tool that changes something and let one that only reads pass (MCP 2025-11-25, \
          ToolAnnotations). A `delete_…` that is marked as reading runs unasked; one that is marked as adding is taken \
          for harmless.",
    bad: Example::Tools(
        r#"{"name": "delete_order", "description": "Removes one order for good. Returns nothing.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "delete_order", "description": "Removes one order for good. Returns nothing.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false, "destructiveHint": true}}"#,
    ),
    check: Check::Tool(contradicted),
};

fn contradicted(tool: &Subject, found: &mut Found<'_>) {
    let name = words::of_name(&tool.name);
    let hints = |effect: &str| format!("set the hints of a tool that is {effect}");
    match tool.effect() {
        Some(Effect::Read) => {
            if let Some(verb) = verb(&name, &CHANGING) {
                let effect = if REMOVING.contains(&verb) { "destructive" } else { "write" };
                let message = format!("The tool is marked as only reading, and its name says `{verb}`.");
                found.at("/annotations/readOnlyHint", message, mend::effect(tool, effect, &hints(effect)));
            } else if tool.hints.destructive == Some(true) {
                let message = "The tool is marked as only reading and as destructive.";
                found.at("/annotations/destructiveHint", message, mend::effect(tool, "read", "say one of the two"));
                found.but(Severity::Note);
            }
        }
        Some(Effect::Write) => {
            if let Some(verb) = verb(&name, &REMOVING) {
                let message = format!("The tool is marked as not destructive, and its name says `{verb}`.");
                let mend = mend::effect(tool, "destructive", &hints("destructive"));
                found.at("/annotations/destructiveHint", message, mend);
                found.but(Severity::Warning);
            }
        }
        Some(Effect::Destructive) | None => {}
    }
}

/// Which of the verbs the name says: as its first word, or as second or last behind what it is done to
/// (`repos_delete`), unless it begins with a word for looking.
fn verb<'v>(name: &[String], verbs: &[&'v str]) -> Option<&'v str> {
    let (first, last) = (name.first()?, name.last()?);
    let of = |word: &String| verbs.iter().find(|verb| *verb == word).copied();
    let looks = LOOKING.contains(&first.as_str());
    // `object_storage_add` is a deed, and `create_add_on` is one as well; `list_create` may be a page.
    of(first).or_else(|| if looks || CHANGING.contains(&first.as_str()) || name.len() > 3 { None } else { of(last) })
}

pub(super) const READ_LIKE: Rule = Rule {
    id: "effect-read-like",
    severity: Severity::Note,
    title: "A tool that only looks is marked so.",
    why: "A search by POST is taken for a change, since the method is all that is known of it: people are asked \
          before each call, callers need the scope of changes, and nothing is remembered or repeated. The rule speaks \
          where name and description both begin with a word for looking.",
    bad: Example::Tools(
        r#"{"name": "search_orders", "description": "Finds orders by customer, day and state.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false, "idempotentHint": true}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "search_orders", "description": "Finds orders by customer, day and state.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}}"#,
    ),
    check: Check::Tool(read_like),
};

fn read_like(tool: &Subject, found: &mut Found<'_>) {
    let name = words::of_name(&tool.name);
    let said: Vec<String> = words::of_text(&tool.description).iter().map(|word| words::root(word)).collect();
    let begins = |words: &[String], with: &[&str]| words.first().is_some_and(|word| with.contains(&word.as_str()));
    let changes = |word: &String| CHANGING.contains(&words::root(word).as_str());
    if tool.effect().is_some_and(|effect| !effect.is_read())
        && begins(&name, &ASKING)
        && begins(&said, &ASKS)
        && !name.iter().chain(&said).any(changes)
    {
        let message = "The tool is marked as changing something, and by its name and description it only looks.";
        let mend = mend::effect(tool, "read", "set `readOnlyHint` to true, if it changes nothing");
        found.at("/annotations/readOnlyHint", message, mend);
    }
}

pub(super) const HINTS_MISSING: Rule = Rule {
    id: "hints-missing",
    severity: Severity::Note,
    title: "A tool says whether it only reads.",
    why: "Without `readOnlyHint` clients have to take a tool for one that changes and destroys (MCP 2025-11-25, \
          ToolAnnotations: the defaults), and ask people before each call. Tools of Bridgehead always say it.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": true}}"#,
    ),
    check: Check::Tool(hints_missing),
};

fn hints_missing(tool: &Subject, found: &mut Found<'_>) {
    if tool.hints.read_only.is_none() {
        let mend = mend::effect(tool, "read", "set `readOnlyHint`, and `destructiveHint` where it is false");
        found.at("/annotations", "Nothing says whether the tool only reads.", mend);
    }
}

pub(super) const IDEMPOTENCY_KEY: Rule = Rule {
    id: "idempotency-key",
    severity: Severity::Note,
    title: "A tool whose repeat would do it twice takes an idempotency key.",
    why: "An agent repeats a call whose answer got lost. With a key the repeat is known for one, and gets the first \
          answer (requirement D5). Tools that only read, or of which a repeat changes nothing, need none.",
    bad: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false, "destructiveHint": false}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object", "properties": {"idempotency_key": {"type": "string", "description": "One key for each order, the same for a repeat."}}}, "annotations": {"readOnlyHint": false, "destructiveHint": false}}"#,
    ),
    check: Check::Tool(idempotency_key),
};

fn idempotency_key(tool: &Subject, found: &mut Found<'_>) {
    let repeats_differ = tool.hints.idempotent != Some(true);
    let is_key = |name: &str| {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        KEYS.contains(&plain.to_ascii_lowercase().as_str())
    };
    if tool.effect().is_some_and(|effect| !effect.is_read())
        && repeats_differ
        && !tool.parameters().any(|(name, _)| is_key(name))
    {
        let message = "A repeated call is carried out again: the tool takes no idempotency key.";
        found.at("/inputSchema", message, mend::idempotency(tool));
    }
}
