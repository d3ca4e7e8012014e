//! The rules, each a constant with its reason and an example that is also its test.
//!
//! To add one: a constant in the file it belongs to, and one line in [`ALL`].

mod catalog;
mod characters;
mod description;
mod effects;
mod formats;
mod name;
mod parameters;
mod shape;
mod size;
mod text;

use crate::{Finding, Mend, Severity, Subject};

/// One thing that is looked at.
#[derive(Debug)]
pub struct Rule {
    /// Its name in reports and in the reference; never changed once published.
    pub id: &'static str,
    /// How bad a finding is at worst.
    pub severity: Severity,
    /// What it asks for, as a sentence.
    pub title: &'static str,
    /// Why that matters, with the section of the standard or the rule of a model API it follows.
    pub why: &'static str,
    /// What it finds fault with.
    pub bad: Example,
    /// The same, as it should be.
    pub good: Example,
    pub(crate) check: Check,
}

/// An example of a rule.
#[derive(Debug, Clone, Copy)]
pub enum Example {
    /// A tool as `tools/list` shows it, or an array of them: JSON.
    Tools(&'static str),
    /// Too large to be shown: in words.
    Words(&'static str),
}

/// A finding, and the index of the tool it is about.
pub(crate) type Placed = (usize, Finding);

/// How a rule looks.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    /// At one tool by itself.
    Tool(fn(&Subject, &mut Found<'_>)),
    /// At each tool beside the others; gives the tool's index with each finding.
    Among(fn(&'static Rule, &[Subject]) -> Vec<Placed>),
    /// At the tools as a whole.
    Catalog(fn(&'static Rule, &[Subject]) -> Vec<Finding>),
}

impl std::fmt::Debug for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tool(_) => "Tool",
            Self::Among(_) => "Among",
            Self::Catalog(_) => "Catalog",
        })
    }
}

/// Every rule, in the order of the reference.
pub const ALL: &[&Rule] = &[
    &name::CHARACTERS,
    &name::LENGTH,
    &name::MEANINGLESS,
    &name::GENERATED,
    &catalog::NAMES_CONFUSABLE,
    &description::MISSING,
    &description::REPEATS_NAME,
    &description::SHORT,
    &description::LONG,
    &catalog::DESCRIPTION_SHARED,
    &description::RESULT_UNSAID,
    &description::DEPRECATED,
    &effects::CONTRADICTED,
    &effects::READ_LIKE,
    &effects::HINTS_MISSING,
    &effects::IDEMPOTENCY_KEY,
    &parameters::UNDESCRIBED,
    &parameters::REPEATS_NAME,
    &parameters::UNTYPED,
    &parameters::CREDENTIAL,
    &formats::UNIT,
    &formats::FORMAT,
    &formats::ENUM,
    &formats::EXAMPLE,
    &shape::ROOT,
    &shape::INVALID,
    &shape::PROPERTY_NAME,
    &shape::ARRAY_ITEMS,
    &shape::WRAPPED,
    &shape::NESTED,
    &shape::OUTPUT_SCHEMA,
    &size::PARAMETERS,
    &size::TOOL,
    &size::CATALOG_TOKENS,
    &size::CATALOG_TOOLS,
    &text::INSTRUCTS,
    &text::COMMENT,
    &text::SECRET,
    &text::INTERNAL_ADDRESS,
    &text::MARKUP,
    &text::LINKS,
    &characters::HIDDEN,
    &characters::INVISIBLE,
];

/// The rule with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    ALL.iter().copied().find(|rule| rule.id == id)
}

/// Takes what one rule finds at one tool.
pub(crate) struct Found<'f> {
    pub(crate) rule: &'static Rule,
    pub(crate) list: &'f mut Vec<Finding>,
}

impl Found<'_> {
    /// A finding of the rule's own severity.
    pub(crate) fn at(&mut self, at: &str, message: impl Into<String>, mend: Mend) {
        let finding = self.rule.finding(at, message, mend);
        self.list.push(finding);
    }

    /// A finding that is about a top-level parameter; `at` is below its schema.
    pub(crate) fn parameter(&mut self, parameter: &str, message: impl Into<String>, mend: Mend) {
        let at = format!("/inputSchema/properties/{}", crate::schema::escape(parameter));
        let finding = self.rule.finding(&at, message, mend);
        self.list.push(Finding { parameter: Some(parameter.to_owned()), ..finding });
    }

    /// Makes the last finding less bad than the rule's own severity.
    pub(crate) fn but(&mut self, severity: Severity) {
        if let Some(last) = self.list.last_mut() {
            last.severity = severity;
        }
    }
}

impl Rule {
    pub(crate) fn finding(&'static self, at: &str, message: impl Into<String>, mend: Mend) -> Finding {
        Finding {
            rule: self,
            severity: self.severity,
            at: at.to_owned(),
            parameter: None,
            message: message.into(),
            mend,
        }
    }
}
