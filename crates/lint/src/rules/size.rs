//! What tools cost in an agent's context (D6).

use super::{Check, Example, Found, Rule};
use crate::{Finding, Severity, Subject, mend};

/// More parameters than this are more than an agent weighs.
const MOST_PARAMETERS: usize = 20;
/// What a tool may cost before it is worth a remark, and before it is worth a change.
const TOOL_NOTE: usize = 2_000;
const TOOL_WARNING: usize = 5_000;
/// A tenth of a context of 200,000 tokens, which is where Claude Code stops loading tools at once.
const CATALOG: usize = 20_000;
/// How many tools OpenAI's API accepts in one request.
const MOST_TOOLS: usize = 128;

pub(super) const PARAMETERS: Rule = Rule {
    id: "parameters-many",
    severity: Severity::Note,
    title: "A tool has at most twenty parameters.",
    why: "Each is a choice that an agent makes at every call, and tokens in every conversation. Most of so many are \
          never needed: hide them, or fix their values.",
    bad: Example::Words("a tool with 25 parameters"),
    good: Example::Words("the same tool with the six that its readers need"),
    check: Check::Tool(parameters),
};

fn parameters(tool: &Subject, found: &mut Found<'_>) {
    let count = tool.parameters().count();
    if count > MOST_PARAMETERS {
        let mend = mend::shape(tool, "keep those that an agent needs");
        found.at("/inputSchema/properties", format!("The tool has {count} parameters."), mend);
    }
}

pub(super) const TOOL: Rule = Rule {
    id: "tool-tokens",
    severity: Severity::Warning,
    title: "A tool costs at most 2,000 tokens, or 5,000 at worst.",
    why: "It stands in the context of every conversation, used or not. Tokens are estimated: the bytes of name, \
          description and input schema as JSON, by four. Output schemas are not counted, as clients do not hand them \
          on. A note above 2,000, a warning above 5,000.",
    bad: Example::Words("a tool whose input schema has 24,000 bytes"),
    good: Example::Words("the same tool without the parameters that nobody uses, at 4,000 bytes"),
    check: Check::Tool(tokens),
};

fn tokens(tool: &Subject, found: &mut Found<'_>) {
    let tokens = crate::tokens(tool);
    if tokens > TOOL_NOTE {
        let mend = mend::shape(tool, "hide what is not needed, and shorten what is said");
        found.at("", format!("The tool costs about {tokens} tokens."), mend);
        if tokens <= TOOL_WARNING {
            found.but(Severity::Note);
        }
    }
}

pub(super) const CATALOG_TOKENS: Rule = Rule {
    id: "catalog-tokens",
    severity: Severity::Warning,
    title: "All tools together cost at most 20,000 tokens.",
    why: "That is a tenth of a context of 200,000 tokens, spent before the first word is said; above it clients begin to \
          load tools by search, or leave some out. Requirement D6.",
    bad: Example::Words("all 1,100 operations of GitHub's API"),
    good: Example::Words("the forty that are about issues and pull requests, chosen with `include`"),
    check: Check::Catalog(catalog_tokens),
};

fn catalog_tokens(rule: &'static Rule, tools: &[Subject]) -> Vec<Finding> {
    let tokens: usize = tools.iter().map(crate::tokens).sum();
    let message = format!("All tools together cost about {tokens} tokens in every conversation.");
    if tokens > CATALOG { vec![rule.finding("", message, mend::fewer(tools))] } else { Vec::new() }
}

pub(super) const CATALOG_TOOLS: Rule = Rule {
    id: "catalog-tools",
    severity: Severity::Warning,
    title: "There are at most 128 tools.",
    why: "OpenAI's API refuses a request with more (\"array too long\"), and platforms add tools of their own. Agents \
          choose worse long before that.",
    bad: Example::Words("a catalog of 200 tools"),
    good: Example::Words("a catalog of 40"),
    check: Check::Catalog(catalog_tools),
};

fn catalog_tools(rule: &'static Rule, tools: &[Subject]) -> Vec<Finding> {
    let message = format!("There are {} tools; one model API accepts {MOST_TOOLS}.", tools.len());
    if tools.len() > MOST_TOOLS { vec![rule.finding("", message, mend::fewer(tools))] } else { Vec::new() }
}
