//! Descriptions of tools: that there is one, that it says more than the name, and what comes back.

use super::{Check, Example, Found, Rule};
use crate::{Severity, Subject, mend, words};

/// What a description should say, for those that say nothing.
const WHOLE: &str = "what the tool does, when to use it, what it returns, and what it changes";
/// Fewer words than this say nothing that the name does not.
const FEWEST_WORDS: usize = 5;
/// How many characters the strictest client shows.
const LONGEST: usize = 2048;

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/// Words that say what comes back, or that nothing does.
const RETURN_WORDS: [&str; 29] = [
    "answer",
    "answers",
    "contains",
    "containing",
    "find",
    "finds",
    "gets",
    "give",
    "gives",
    "list",
    "listing",
    "lists",
    "output",
    "outputs",
    "print",
    "prints",
    "provides",
    "receive",
    "report",
    "response",
    "result",
    "results",
    "retrieves",
    "return",
    "returned",
    "returning",
    "returns",
    "shows",
    "yields",
];

/// First words of names after which the rest of the name says what comes back.
const LOOKING: [&str; 19] = [
    "calculate",
    "check",
    "count",
    "describe",
    "download",
    "export",
    "fetch",
    "find",
    "get",
    "list",
    "lookup",
    "query",
    "read",
    "retrieve",
    "search",
    "show",
    "view",
    "compare",
    "convert",
];

pub(super) const MISSING: Rule = Rule {
    id: "description-missing",
    severity: Severity::Error,
    title: "A tool has a description.",
    why: "It is all that an agent sees of what the tool is for (requirement D1; MCP 2025-11-25, Tool, `description`). \
          Without it the agent guesses from the name.",
    bad: Example::Tools(r#"{"name": "find_orders", "inputSchema": {"type": "object"}}"#),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(missing),
};

fn missing(tool: &Subject, found: &mut Found<'_>) {
    if tool.description.trim().is_empty() {
        found.at("/description", "The tool has no description.", mend::description(tool, &format!("say {WHOLE}")));
    }
}

pub(super) const REPEATS_NAME: Rule = Rule {
    id: "description-repeats-name",
    severity: Severity::Warning,
    title: "A description says more than the name.",
    why: "`get_customer` described as \"Gets a customer\" leaves open which customer is meant, by what it is found \
          and what comes back. Anthropic's guide to tool use calls detailed descriptions the most important factor \
          by far for how well tools are used.",
    bad: Example::Tools(
        r#"{"name": "get_customer", "description": "Retrieves the specified customer.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "get_customer", "description": "Looks up one customer by number. Returns name, address and the date of the last order.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(repeats_name),
};

fn repeats_name(tool: &Subject, found: &mut Found<'_>) {
    let how = || mend::description(tool, &format!("say {WHOLE}"));
    if is_request(&tool.description) {
        found.at("/description", "The description is nothing but the method and path of the request.", how());
    } else if only_repeats(tool) {
        found.at("/description", "The description only repeats the name.", how());
    }
}

/// Method and path alone, as generators write them where an API says nothing.
fn is_request(description: &str) -> bool {
    let mut words = description.split_whitespace();
    let method = words.next().is_some_and(|word| METHODS.contains(&word));
    let path = words.next().is_some_and(|word| word.starts_with('/'));
    let rest: Vec<&str> = words.collect();
    method && path && (rest.is_empty() || rest.first().is_some_and(|word| word.starts_with('(')))
}

fn only_repeats(tool: &Subject) -> bool {
    // A single word may be the name itself: `getCard()`.
    let said = match words::of_text(&tool.description).as_slice() {
        [_] => words::telling(&words::of_name(&tool.description)),
        words => words::telling(words),
    };
    let name = words::telling(&words::of_name(&tool.name));
    !said.is_empty() && said.iter().all(|word| name.contains(word))
}

pub(super) const SHORT: Rule = Rule {
    id: "description-short",
    severity: Severity::Warning,
    title: "A description has at least five words.",
    why: "A headline leaves open when to use the tool, what comes back and what it changes.",
    bad: Example::Tools(
        r#"{"name": "ship", "description": "Express delivery only.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "ship", "description": "Hands a packed order to the courier for delivery on the next day. Returns the tracking number.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(short),
};

fn short(tool: &Subject, found: &mut Found<'_>) {
    let count = words::count(&tool.description);
    if (1..FEWEST_WORDS).contains(&count) && !is_request(&tool.description) && !only_repeats(tool) {
        let words = if count == 1 { "one word".to_owned() } else { format!("{count} words") };
        let message = format!("The description has {words}.");
        found.at("/description", message, mend::description(tool, &format!("say {WHOLE}")));
    }
}

pub(super) const LONG: Rule = Rule {
    id: "description-long",
    severity: Severity::Warning,
    title: "A description is whole, and has at most 2,048 characters.",
    why: "Claude Code shows a model the first 2,048 characters and cuts the rest without a word \
          (anthropics/claude-code#87650). Every character stands in the context of every conversation. One that ends \
          in \"…\" was cut before it came here, within a sentence.",
    bad: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first. Orders that were placed by telephone are …", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(long),
};

fn long(tool: &Subject, found: &mut Found<'_>) {
    let length = tool.description.chars().count();
    let how = || mend::description(tool, "a shorter one, with what matters most at its beginning");
    if length > LONGEST {
        found.at(
            "/description",
            format!("The description has {length} characters, and clients cut it at {LONGEST}."),
            how(),
        );
    } else if tool.description.trim_end().ends_with(" …") {
        found.at("/description", "The description was cut within a sentence.", how());
        found.but(Severity::Note);
    }
}

pub(super) const RESULT_UNSAID: Rule = Rule {
    id: "result-unsaid",
    severity: Severity::Note,
    title: "What comes back is said, in the description or by an output schema.",
    why: "An agent plans the next step before it calls: whether a number comes back that another tool takes, or \
          nothing at all. Names that begin with a word for looking (`get_`, `list_` …) say it themselves. The rule \
          speaks of English descriptions alone.",
    bad: Example::Tools(
        r#"{"name": "send_reminder", "description": "Sends a reminder of one open invoice to the customer by mail.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "send_reminder", "description": "Sends a reminder of one open invoice to the customer by mail. Returns when it was sent.", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": false}}"#,
    ),
    check: Check::Tool(result_unsaid),
};

fn result_unsaid(tool: &Subject, found: &mut Found<'_>) {
    let said = words::of_text(&tool.description);
    let reads = tool.effect() == Some(bridgehead_core::Effect::Read)
        || words::of_name(&tool.name).iter().take(2).any(|word| LOOKING.contains(&word.as_str()));
    if tool.output_schema.is_none()
        && !reads
        && words::is_english(&tool.description)
        && said.len() >= FEWEST_WORDS
        && !said.iter().any(|word| RETURN_WORDS.contains(&word.as_str()))
    {
        let how = "say what comes back, or that nothing does";
        found.at("/description", "Nothing says what comes back.", mend::description(tool, how));
    }
}

pub(super) const DEPRECATED: Rule = Rule {
    id: "deprecated",
    severity: Severity::Note,
    title: "What is deprecated is not offered.",
    why: "An agent weighs it against its successor in every conversation, and takes it now and then.",
    bad: Example::Tools(
        r#"{"name": "find_orders_old", "description": "Deprecated: use find_orders. Finds the orders of one customer.", "inputSchema": {"type": "object"}}"#,
    ),
    good: Example::Tools(
        r#"{"name": "find_orders", "description": "Finds the orders of one customer, the newest first.", "inputSchema": {"type": "object"}}"#,
    ),
    check: Check::Tool(deprecated),
};

fn deprecated(tool: &Subject, found: &mut Found<'_>) {
    let begins = |text: &str| {
        let bare = text.trim_start_matches(|c: char| !c.is_alphanumeric());
        let word: String = bare.chars().take_while(|c| c.is_alphabetic()).collect();
        // "Deprecated articles are left out" is about articles.
        let after = bare.get(word.len()..).unwrap_or_default().trim_start();
        word.eq_ignore_ascii_case("deprecated")
            && (after.is_empty() || after.starts_with([':', '.', ',', '-', '–', '—', ']', ')', '*', '!', '(']))
    };
    if begins(&tool.description) || tool.title.as_deref().is_some_and(begins) {
        found.at(
            "/description",
            "The tool is deprecated.",
            mend::leave_out(tool, "unless nothing stands in its place"),
        );
    }
}
