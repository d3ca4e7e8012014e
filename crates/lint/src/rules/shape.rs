//! The schemas: what model APIs refuse, what is wrapped or nested, and whether results have one.

use bridgehead_core::schema::Schema;
use serde_json::{Map, Value};

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, schema};

/// Members that model APIs refuse at the root of an input schema.
const COMBINING: [&str; 5] = ["oneOf", "anyOf", "allOf", "enum", "not"];
/// How deep objects may lie within each other before an agent loses the thread.
const DEEPEST: usize = 3;

pub(super) const ROOT: Rule = Rule {
    id: "schema-root",
    severity: Severity::Error,
    title: "The root of an input schema is an object, and no combination.",
    why: "MCP asks for `type: object` (2025-11-25, Tool, `inputSchema`). Anthropic's API refuses `oneOf`, `allOf` and \
          `anyOf` there, OpenAI's `enum` and `not` as well, each with the whole request. Requirement D2.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer or of one day.", "inputSchema": {"type": "object", "anyOf": [{"required": ["customer"]}, {"required": ["day"]}], "properties": {}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer or of one day.", "inputSchema": {"type": "object", "properties": {}}}"#,
    ),
    check: Check::Tool(root),
};

fn root(tool: &Subject, found: &mut Found<'_>) {
    if tool.input_schema.get("type").and_then(Value::as_str) != Some("object") {
        found.at(
            "/inputSchema",
            "The root of the input schema is not `type: object`.",
            mend::shape(tool, "an object with the parameters as its properties"),
        );
    }
    if let Some(word) = COMBINING.iter().find(|word| tool.input_schema.contains_key(**word)) {
        let message = format!("The input schema has `{word}` at its root, which model APIs refuse.");
        let how = "make all parameters optional siblings, and say in the description which go together";
        found.at(&format!("/inputSchema/{word}"), message, mend::shape(tool, how));
    }
}

pub(super) const INVALID: Rule = Rule {
    id: "schema-invalid",
    severity: Severity::Error,
    title: "Schemas are valid, and stand alone.",
    why: "MCP's schemas are JSON Schema 2020-12 where they name no other dialect (2025-11-25, Basic / JSON Schema \
          Usage). Anthropic's API checks the input schema against that and refuses the request; a reference to \
          another document is fetched by nobody.",
    bad: Example::Tools(
        r##"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"units": {"type": "integer", "minimum": "1", "description": "At least so many units."}}}}"##,
    ),
    good: Example::Tools(
        r##"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"units": {"type": "integer", "minimum": 1, "description": "At least so many units."}}}}"##,
    ),
    check: Check::Tool(invalid),
};

fn invalid(tool: &Subject, found: &mut Found<'_>) {
    let shown = |error: &dyn std::fmt::Display| error.to_string().chars().take(160).collect::<String>();
    if let Err(error) = Schema::compile_input(&tool.input_schema) {
        let message = format!("The input schema is no JSON Schema 2020-12: {}.", shown(&error));
        found.at(
            "/inputSchema",
            message,
            mend::shape(tool, "valid JSON Schema 2020-12 without references to elsewhere"),
        );
    }
    if let Some(Err(error)) = tool.output_schema.as_ref().map(|schema| Schema::compile(schema)) {
        let message = format!("The output schema is no JSON Schema 2020-12: {}.", shown(&error));
        found.at("/outputSchema", message, mend::output(tool));
    }
}

pub(super) const PROPERTY_NAME: Rule = Rule {
    id: "property-name",
    severity: Severity::Error,
    title: "Names of parameters have 1 to 64 of the characters A-Z, a-z, 0-9, _, . and -.",
    why: "Anthropic's API refuses the whole request for a property name that does not fit `^[a-zA-Z0-9_.-]{1,64}$`: \
          `filter[name]`, `$top`. Bridgehead gives such parameters of an API another name and maps it back.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"$top": {"type": "integer", "description": "How many at most."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"top": {"type": "integer", "description": "How many at most."}}}}"#,
    ),
    check: Check::Tool(property_name),
};

fn property_name(tool: &Subject, found: &mut Found<'_>) {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    for (name, _) in tool.parameters() {
        if !(1..=64).contains(&name.len()) || !name.bytes().all(legal) {
            let mend = mend::without(tool, name, "another one under a legal name takes its place");
            found.parameter(name, format!("Model APIs refuse `{name}` as a parameter's name."), mend);
        }
    }
}

pub(super) const ARRAY_ITEMS: Rule = Rule {
    id: "array-items",
    severity: Severity::Error,
    title: "A list says what its elements are.",
    why: "OpenAI's API and VS Code refuse an array without `items` (\"array schema missing items\"), the one with the \
          whole request, the other with the whole server.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders with any of these states.", "inputSchema": {"type": "object", "properties": {"states": {"type": "array", "description": "The states."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders with any of these states.", "inputSchema": {"type": "object", "properties": {"states": {"type": "array", "items": {"type": "string"}, "description": "Only orders in one of these states."}}}}"#,
    ),
    check: Check::Tool(array_items),
};

fn array_items(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        let mut place = None;
        schema::each(parameter, "", &mut |at, inner| {
            let is_array = inner.get("type").is_some_and(|word| {
                word == "array" || word.as_array().is_some_and(|words| words.iter().any(|word| word == "array"))
            });
            if is_array && !["items", "prefixItems", "$ref"].iter().any(|word| inner.contains_key(*word)) {
                place.get_or_insert_with(|| at.to_owned());
            }
        });
        if let Some(place) = place {
            let of = if place.is_empty() { format!("The list `{name}`") } else { format!("A list within `{name}`") };
            found.parameter(
                name,
                format!("{of} does not say what its elements are."),
                mend::parameter(tool, name, "items", "give the schema of an element"),
            );
        }
    }
}

/// Names under which generators wrap the arguments of one part of a request, beside others.
const BODIES: [&str; 2] = ["body", "requestbody"];
/// Names under which all arguments are wrapped, by themselves or each part apart.
const WRAPPERS: [&str; 11] =
    ["args", "arguments", "body", "header", "headers", "input", "params", "path", "payload", "query", "requestbody"];

pub(super) const WRAPPED: Rule = Rule {
    id: "arguments-wrapped",
    severity: Severity::Warning,
    title: "Arguments are siblings, not wrapped.",
    why: "An object named `params`, `query` or `body` says where a value travels, which is no concern of an agent's, and \
          is where models make mistakes: they leave the wrapper out, or send it as text. An object with alternatives cannot be \
          laid flat and is not meant. Requirement D2.",
    bad: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object", "properties": {"body": {"type": "object", "description": "The order.", "properties": {"sku": {"type": "string", "description": "The article."}}}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object", "properties": {"sku": {"type": "string", "description": "The article."}}}}"#,
    ),
    check: Check::Tool(wrapped),
};

fn wrapped(tool: &Subject, found: &mut Found<'_>) {
    let plain = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let nothing_else = tool.parameters().all(|(name, _)| WRAPPERS.contains(&plain(name).as_str()));
    for (name, parameter) in tool.parameters() {
        let wraps = nothing_else || BODIES.contains(&plain(name).as_str());
        let schema = schema::resolve(&tool.input_schema, parameter);
        let members = schema.get("properties").and_then(Value::as_object).is_some_and(|members| !members.is_empty());
        // Alternatives cannot stand side by side.
        let chooses = ["oneOf", "anyOf"].iter().any(|word| schema.contains_key(*word));
        if wraps && members && !chooses {
            let mend = mend::shape(tool, &format!("put what is in `{name}` beside the other parameters"));
            found.parameter(name, format!("Arguments are wrapped in `{name}`."), mend);
        }
    }
}

pub(super) const NESTED: Rule = Rule {
    id: "arguments-nested",
    severity: Severity::Note,
    title: "Objects do not lie deeper than three within each other.",
    why: "The deeper a value lies, the more often a model puts it in the wrong place; and most of what lies deep is \
          optional. Requirement D2.",
    bad: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object", "properties": {"order": {"type": "object", "description": "The order.", "properties": {"buyer": {"type": "object", "properties": {"address": {"type": "object", "properties": {"geo": {"type": "object", "properties": {"lat": {"type": "number"}}}}}}}}}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "create_order", "description": "Places an order. Returns its number.", "inputSchema": {"type": "object", "properties": {"buyer_address": {"type": "string", "description": "Street, postcode and city."}}}}"#,
    ),
    check: Check::Tool(nested),
};

fn nested(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        let depth = depth(parameter, 0);
        if depth > DEEPEST {
            let mend = mend::without(tool, name, "or take what is needed of it as parameters of its own");
            found.parameter(name, format!("Objects in `{name}` lie {depth} deep."), mend);
        }
    }
}

/// How many objects with members lie within each other here.
fn depth(schema: &Map<String, Value>, level: usize) -> usize {
    if level > 30 {
        return 0;
    }
    let own = usize::from(schema.get("properties").and_then(Value::as_object).is_some_and(|it| !it.is_empty()));
    let inner = schema::inside(schema)
        .into_iter()
        .filter(|(at, _)| {
            ["/properties/", "/items", "/anyOf/", "/oneOf/", "/allOf/"].iter().any(|start| at.starts_with(start))
        })
        .filter_map(|(_, inner)| inner.as_object())
        .map(|inner| depth(inner, level + 1))
        .max();
    own + inner.unwrap_or(0)
}

pub(super) const OUTPUT_SCHEMA: Rule = Rule {
    id: "output-schema",
    severity: Severity::Note,
    title: "A tool has an output schema.",
    why: "With it clients check the result, show it, and hand it to code; without it there is text that an agent has to \
          read (MCP 2025-11-25, Tool, `outputSchema`). Requirement D3.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}, "outputSchema": {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "object"}}}}}"#,
    ),
    check: Check::Tool(output_schema),
};

fn output_schema(tool: &Subject, found: &mut Found<'_>) {
    if tool.output_schema.is_none() {
        found.at("/outputSchema", "The tool has no output schema.", mend::output(tool));
    }
}
