//! Parameters: that each is described, has a type, and is the agent's business.

use serde_json::{Map, Value};

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, schema, words};

pub(super) const UNDESCRIBED: Rule = Rule {
    id: "parameter-undescribed",
    severity: Severity::Warning,
    title: "Each parameter is described.",
    why: "Name and type leave open what the value means, where it comes from and what happens without it. A warning \
          for one that a caller has to give, else a note.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"ref": {"type": "string"}}, "required": ["ref"]}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"ref": {"type": "string", "description": "The customer's number, as find_customers gives it."}}, "required": ["ref"]}}"#,
    ),
    check: Check::Tool(undescribed),
};

fn undescribed(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        if schema::description(&tool.input_schema, parameter).is_none() && !has_one_value(parameter) {
            let how = "say what the value means, in what form, and where it comes from";
            let mend = mend::parameter(tool, name, "description", how);
            found.parameter(name, format!("The parameter `{name}` has no description."), mend);
            if !tool.is_required(name) {
                found.but(Severity::Note);
            }
        }
    }
}

/// Whether there is nothing to choose.
fn has_one_value(parameter: &Map<String, Value>) -> bool {
    let values = parameter.get("enum").and_then(Value::as_array);
    parameter.contains_key("const") || values.is_some_and(|values| values.len() == 1)
}

pub(super) const REPEATS_NAME: Rule = Rule {
    id: "parameter-repeats-name",
    severity: Severity::Note,
    title: "A parameter's description says more than its name.",
    why: "`region`, \"The region\": whoever could not guess the name learns nothing. Parameters whose values are listed \
          or shown by examples say it that way, and of an id or a name of something there is often no more to say.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "description": "The region."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"region": {"type": "string", "description": "Sales region of the customer, as list_regions gives it."}}}}"#,
    ),
    check: Check::Tool(repeats_name),
};

/// Last words of names that say what the value is by themselves: there is nothing to add to "the ID of the
/// comment".
const NAMING: [&str; 15] = [
    "email", "id", "ids", "key", "login", "message", "name", "number", "sha", "sid", "slug", "title", "uri", "url",
    "uuid",
];

fn repeats_name(tool: &Subject, found: &mut Found<'_>) {
    const SHOWN: [&str; 7] = ["enum", "const", "examples", "pattern", "format", "default", "properties"];
    for (name, parameter) in tool.parameters() {
        let Some(said) = schema::description(&tool.input_schema, parameter) else { continue };
        let (said, named) = (words::of_text(said), words::of_name(name));
        let (telling, known) = (words::telling(&said), words::telling(&named));
        // "ID of the invoice" says of `invoice` that it is no number, date or name.
        let identifies = !named.iter().any(|word| word == "id")
            && said.iter().any(|word| matches!(word.as_str(), "id" | "ids" | "identifier" | "uuid"));
        let repeats = !identifies && telling.iter().all(|word| known.contains(word)) && said.len() <= named.len() + 4;
        // `weight_grams`, "Weight in grams": it is all said.
        let says_all = |word: &String| NAMING.contains(&word.as_str()) || words::is_unit(word);
        let names = named.last().is_some_and(says_all) && (named.len() > 1 || said.len() > 2);
        let is_flag = schema::types(&tool.input_schema, parameter) == ["boolean"];
        if repeats && !names && !is_flag && !schema::says(&tool.input_schema, parameter, &SHOWN) {
            let how = "say where the value comes from, or what it does";
            let mend = mend::parameter(tool, name, "description", how);
            found.parameter(name, format!("The description of `{name}` only repeats its name."), mend);
        }
    }
}

pub(super) const UNTYPED: Rule = Rule {
    id: "parameter-untyped",
    severity: Severity::Warning,
    title: "Each parameter has a type.",
    why: "A schema that admits everything has an agent try text, number and object in turn. Gemini refuses it.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"filter": {"description": "Which orders are meant, e.g. those of one month."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"filter": {"type": "string", "description": "Which orders are meant, e.g. those of one month."}}}}"#,
    ),
    check: Check::Tool(untyped),
};

fn untyped(tool: &Subject, found: &mut Found<'_>) {
    const TYPED: [&str; 7] = ["type", "enum", "const", "$ref", "properties", "items", "not"];
    for (name, parameter) in tool.parameters() {
        if !schema::says(&tool.input_schema, parameter, &TYPED) {
            let mend = mend::parameter(tool, name, "type", "say which JSON type it has");
            found.parameter(name, format!("The schema of `{name}` admits any value."), mend);
        }
    }
}

/// Headers that prove who is calling.
const HEADERS: [&str; 3] = ["xapikey", "xapitoken", "xauthtoken"];
/// Parameters that do so, unless the tool sets one up somewhere: `client_secret` or `access_token` may be
/// what it is about, so they are not among them.
const CREDENTIALS: [&str; 5] = ["apikey", "apisecret", "apitoken", "authkey", "authtoken"];

pub(super) const CREDENTIAL: Rule = Rule {
    id: "parameter-credential",
    severity: Severity::Note,
    title: "Credentials are not the agent's to give.",
    why: "What an agent is to fill in stands in its context, in logs of the platform and in the answer of the model. \
          A system's own credential belongs to the source (`credential`), a teammate's to how they sign in.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"api_key": {"type": "string", "description": "Your key of the shop's API."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(credential),
};

fn credential(tool: &Subject, found: &mut Found<'_>) {
    for (name, _) in tool.parameters() {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        let plain = plain.to_ascii_lowercase();
        let reads = tool.effect().is_none_or(bridgehead_core::Effect::is_read);
        if HEADERS.contains(&plain.as_str()) || (reads && CREDENTIALS.contains(&plain.as_str())) {
            let mend = mend::without(tool, name, "present it with the source's `credential` instead");
            found.parameter(name, format!("The parameter `{name}` asks the agent for a credential."), mend);
        }
    }
}
