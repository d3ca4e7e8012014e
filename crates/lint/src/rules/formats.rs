//! Units, formats, choices and examples: what a value looks like, where type and description leave it open.

use serde_json::{Map, Value};

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, schema, words};

/// Words of names of numbers that mean nothing without a unit.
const MEASURES: [&str; 17] = [
    "amount",
    "cost",
    "distance",
    "duration",
    "fee",
    "height",
    "interval",
    "lifetime",
    "price",
    "radius",
    "salary",
    "timeout",
    "ttl",
    "width",
    "latency",
    "altitude",
    "elevation",
];

pub(super) const UNIT: Rule = Rule {
    id: "unit-missing",
    severity: Severity::Warning,
    title: "A number that is a measure says its unit.",
    why: "`timeout: 30` is half a minute or thirty milliseconds, `amount: 500` five euros or five hundred. The call \
          succeeds, and is wrong. The unit may stand in the name (`timeout_seconds`) or in the description. Amounts \
          of things have none: say so (\"number of …\").",
    bad: Example::Tools(
        r#"{"name": "run_report", "description": "Runs the monthly report. Returns its figures as rows.", "inputSchema": {"type": "object", "properties": {"timeout": {"type": "integer", "description": "How long the report may take."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "run_report", "description": "Runs the monthly report. Returns its figures as rows.", "inputSchema": {"type": "object", "properties": {"timeout": {"type": "integer", "description": "How long the report may take, in seconds."}}}}"#,
    ),
    check: Check::Tool(unit),
};

fn unit(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        let types = schema::types(&tool.input_schema, parameter);
        let is_number = !types.is_empty() && types.iter().all(|word| matches!(*word, "integer" | "number"));
        if !is_number || schema::has_values(&tool.input_schema, parameter) {
            continue;
        }
        let named = words::of_name(name);
        // Where nothing is said at all, that is told already.
        let Some(said) = schema::description(&tool.input_schema, parameter).map(words::of_text) else { continue };
        // The last word says what it is: `price_list` is none.
        let measures = named.last().is_some_and(|word| MEASURES.contains(&word.as_str()));
        let measured = named.iter().chain(&said).any(|word| words::is_unit(word) || is_unit_after_figure(word));
        let counts = ["amount of", "how many", "multiplier"].iter().any(|it| words::has(&said, it));
        if measures && !measured && !counts {
            let mend = mend::parameter(
                tool,
                name,
                "description",
                "name the unit, such as seconds, or cents of which currency",
            );
            found.parameter(name, format!("Nothing says in which unit `{name}` is."), mend);
        }
    }
}

/// `30s`, `5m`, `10kb`.
fn is_unit_after_figure(word: &str) -> bool {
    let figures = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    !figures.is_empty() && figures.len() < word.len() && figures.bytes().all(|b| b.is_ascii_digit())
}

/// Words by which a description says how a moment is written.
const WRITTEN: [&str; 33] = [
    "yyyy",
    "iso",
    "8601",
    "iso8601",
    "rfc",
    "rfc3339",
    "3339",
    "unix",
    "epoch",
    "timestamp",
    "second",
    "seconds",
    "millisecond",
    "milliseconds",
    "ms",
    "format",
    "formatted",
    "utc",
    "e.g",
    "example",
    "like",
    "hh",
    "hhmm",
    "now",
    "today",
    "dd",
    "mm",
    "yy",
    "ddmmyyyy",
    "yyyymmdd",
    "datetime",
    "strtotime",
    "gmt",
];

pub(super) const FORMAT: Rule = Rule {
    id: "format-missing",
    severity: Severity::Warning,
    title: "A date or time says how it is written.",
    why: "`04/05/2026` is a day in April or in May. With `format` (JSON Schema 2020-12, Validation §7.3) or an example \
          an agent writes what the system reads, and Bridgehead refuses what is no date before it gets there.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one day.", "inputSchema": {"type": "object", "properties": {"order_date": {"type": "string", "description": "The day on which the order was placed."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one day.", "inputSchema": {"type": "object", "properties": {"order_date": {"type": "string", "format": "date", "description": "The day on which the order was placed."}}}}"#,
    ),
    check: Check::Tool(format),
};

fn format(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        let types = schema::types(&tool.input_schema, parameter);
        let is_value = !types.is_empty() && types.iter().all(|word| matches!(*word, "string" | "integer" | "number"));
        if !is_value || shows_form(tool, parameter) || !is_moment(name) {
            continue;
        }
        // Where nothing is said at all, that is told already.
        let Some(text) = schema::description(&tool.input_schema, parameter) else { continue };
        let said = words::of_text(text);
        let written = said.iter().any(|word| WRITTEN.contains(&word.as_str())) || shows_date(text);
        let of_seconds = words::of_name(name).iter().any(|word| matches!(word.as_str(), "unix" | "epoch" | "ms"));
        if !written && !of_seconds {
            let numeric = types.iter().all(|word| *word != "string");
            let how = if numeric {
                "say since when it counts, and in seconds or milliseconds"
            } else {
                "`date` for YYYY-MM-DD, `date-time` for RFC 3339, else say in `description` how it is written"
            };
            let member = if numeric { "description" } else { "format" };
            found.parameter(
                name,
                format!("Nothing says how the time `{name}` is written."),
                mend::parameter(tool, name, member, how),
            );
        }
    }
}

/// Whether the schema itself shows what a value looks like.
fn shows_form(tool: &Subject, parameter: &Map<String, Value>) -> bool {
    const SHOWN: [&str; 7] = ["format", "pattern", "enum", "const", "examples", "default", "example"];
    schema::says(&tool.input_schema, parameter, &SHOWN)
}

/// Last words of names of days and moments, and what stands before `time`, `at` and behind `date`.
const MOMENTS: [&str; 3] = ["date", "datetime", "timestamp"];
const TIMES: [&str; 10] = ["begin", "created", "due", "end", "expiration", "expiry", "from", "start", "to", "updated"];
const STATES: [&str; 9] =
    ["created", "deleted", "ends", "expires", "modified", "published", "scheduled", "starts", "updated"];
const ENDS: [&str; 6] = ["end", "from", "gte", "lte", "start", "to"];

/// Whether a name is one of a day or a moment: `order_date`, `created_at`, `startTime`.
fn is_moment(name: &str) -> bool {
    let words = words::of_name(name);
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["date" | "datetime", end] if ENDS.contains(end) => true,
        [.., state, "time"] => TIMES.contains(state),
        [.., state, "at"] => STATES.contains(state),
        [.., last] => MOMENTS.contains(last),
        [] => false,
    }
}

/// Whether a text shows a date: `2026-11-23`, `23.11.2026`, `11/2026`.
fn shows_date(text: &str) -> bool {
    let shown = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '/' | '.' | ':' | 'T' | 'Z')));
    shown.filter(|part| part.bytes().filter(u8::is_ascii_digit).count() >= 6).any(|part| part.contains(['-', '/', '.']))
}

/// After these words a closed list of values follows.
const LEADS: [&str; 10] = [
    "one of:",
    "one of the following:",
    "possible values:",
    "possible values are",
    "allowed values:",
    "allowed values are",
    "valid values:",
    "valid values are",
    "accepted values:",
    "can be one of",
];

pub(super) const ENUM: Rule = Rule {
    id: "enum-in-words",
    severity: Severity::Note,
    title: "A closed list of values is an `enum`.",
    why: "Models keep to an `enum` (JSON Schema 2020-12, Validation §6.1.2) where they take a list in words for \
          examples, and a wrong value is refused before it reaches the system.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"state": {"type": "string", "description": "Only orders in this state. One of: `open`, `sent`, `received`."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object", "properties": {"state": {"type": "string", "enum": ["open", "sent", "received"], "description": "Only orders in this state."}}}}"#,
    ),
    check: Check::Tool(choices),
};

fn choices(tool: &Subject, found: &mut Found<'_>) {
    for (name, parameter) in tool.parameters() {
        let types = schema::types(&tool.input_schema, parameter);
        if types != ["string"] || shows_choices(tool, parameter) {
            continue;
        }
        let Some(text) = schema::description(&tool.input_schema, parameter) else { continue };
        let lower = text.to_lowercase();
        // Several values in one text are no enum.
        if ["comma", "separated", "combin", "wildcard", "prefix", "suffix"].iter().any(|word| lower.contains(word)) {
            continue;
        }
        if LEADS.iter().any(|lead| lower.split_once(lead).is_some_and(|(before, rest)| lists(before, rest))) {
            let mend = mend::parameter(tool, name, "enum", "list the values");
            found.parameter(
                name,
                format!("The description of `{name}` lists its values, and its schema does not."),
                mend,
            );
        }
    }
}

fn shows_choices(tool: &Subject, parameter: &Map<String, Value>) -> bool {
    schema::has_values(&tool.input_schema, parameter)
        || schema::says(&tool.input_schema, parameter, &["pattern", "format"])
}

/// Whether what follows a lead is a list of the parameter's own values: two or more words in quotes, or single
/// words with commas between them.
fn lists(before: &str, rest: &str) -> bool {
    let lead_in = before.rsplit(['.', '!', '\n']).next().unwrap_or(before);
    // "The file's `purpose` must be one of …" is about something else.
    if lead_in.contains(['`', '"']) || lead_in.contains("'s ") {
        return false;
    }
    let sentence = rest.split(". ").next().unwrap_or(rest).trim_end_matches('.');
    let bare_start = sentence.trim_start_matches([' ', '\n', '-', '*', ':']).trim_start_matches("null, ");
    let begins_with_one = bare_start.starts_with(['`', '"', '\'']);
    // "`1` to `100`" is a range.
    let is_range = ["` to `", "\" to \"", "` - `"].iter().any(|between| sentence.contains(between));
    (begins_with_one && !is_range && quoted(sentence) >= 2) || bare(sentence) >= 2
}

/// How many words in quotes or backquotes there are.
fn quoted(sentence: &str) -> usize {
    let of = |quote: char| {
        let parts = sentence.split(quote).skip(1).step_by(2);
        parts.filter(|part| !part.is_empty() && part.len() <= 40 && !part.contains(['{', '<', '*'])).count()
    };
    ['`', '"', '\''].into_iter().map(of).max().unwrap_or(0)
}

/// How many words there are where nothing else is between the commas; 0 where there is.
fn bare(sentence: &str) -> usize {
    let parts: Vec<&str> = sentence.split(',').flat_map(|part| part.split(" or ")).map(str::trim).collect();
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.iter().all(|part| !part.contains(char::is_whitespace) && part.len() <= 40) { parts.len() } else { 0 }
}

/// Last words of names whose values are written in a language of their own.
const LANGUAGES: [&str; 8] = ["cql", "cron", "jql", "jsonpath", "rrule", "soql", "sql", "xpath"];
/// What stands before `expression` where it is one to be written (`allow_expression` is a switch).
const EXPRESSIONS: [&str; 5] = ["cron", "filter", "query", "search", "sort"];

pub(super) const EXAMPLE: Rule = Rule {
    id: "example-missing",
    severity: Severity::Note,
    title: "A value that is written in a language of its own is shown by an example.",
    why: "There are many dialects of `cron`, `filter` and `expression`; from one example an agent learns which one is \
          meant. Names of such languages are known; a `pattern` shows the form already.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders that an expression fits.", "inputSchema": {"type": "object", "properties": {"expression": {"type": "string", "description": "Which orders are meant."}}}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders that an expression fits.", "inputSchema": {"type": "object", "properties": {"expression": {"type": "string", "description": "Which orders are meant.", "examples": ["state = open AND units > 10"]}}}}"#,
    ),
    check: Check::Tool(example),
};

fn example(tool: &Subject, found: &mut Found<'_>) {
    const SHOWN: [&str; 7] = ["examples", "example", "default", "enum", "const", "format", "pattern"];
    for (name, parameter) in tool.parameters() {
        let named = words::of_name(name);
        let named = match named.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            ["expression"] => true,
            [.., before, "expression"] => EXPRESSIONS.contains(before),
            [.., last] => LANGUAGES.contains(last),
            [] => false,
        };
        let text = schema::description(&tool.input_schema, parameter).unwrap_or_default();
        let said = words::of_text(text);
        let told = text.contains(['`', '"', ':', '=', '<', '(']) || said.len() >= 20;
        let shown = schema::says(&tool.input_schema, parameter, &SHOWN);
        if named && !told && !shown && schema::types(&tool.input_schema, parameter) == ["string"] {
            let mend = mend::parameter(tool, name, "examples", "give one or two");
            found.parameter(name, format!("`{name}` is written in a language, and no example shows it."), mend);
        }
    }
}
