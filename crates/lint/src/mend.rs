//! How a finding is mended: in the words of the configuration where the tool comes from it, else where the
//! tool is made. Each function is one kind of change; what a source's table cannot say is not suggested.

use crate::{Origin, SourceKind, Subject};

/// How to mend a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mend {
    /// In words.
    pub text: String,
    /// The setting that is changed, from the root of the configuration, or what stands nearest to it; empty
    /// where the configuration cannot mend it.
    pub setting: Vec<String>,
}

impl Mend {
    fn nowhere(text: impl Into<String>) -> Self {
        Self { text: text.into(), setting: Vec::new() }
    }
}

/// A source's table of the tool, as the configuration has it: the keys, and in brackets.
fn table(name: &str, key: &str) -> (Vec<String>, String) {
    let bare =
        |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let quoted = if bare(key) { key.to_owned() } else { format!("{key:?}") };
    (["sources", name, "tools", key].map(str::to_owned).to_vec(), format!("[sources.{name}.tools.{quoted}]"))
}

/// A setting of the tool's own table, which every kind of source has.
fn own(tool: &Subject, setting: &str, configured: &str, in_code: &str, elsewhere: &str) -> Mend {
    match &tool.origin {
        Origin::Source { name, key, .. } => {
            let (mut path, brackets) = table(name, key);
            path.push(setting.to_owned());
            Mend { text: format!("in {brackets}, {configured}"), setting: path }
        }
        Origin::Code => Mend::nowhere(in_code),
        Origin::Elsewhere => Mend::nowhere(elsewhere),
    }
}

/// Another description of the tool; `how` says what it should say, as an imperative.
pub(crate) fn description(tool: &Subject, how: &str) -> Mend {
    own(
        tool,
        "description",
        &format!("write a `description`: {how}"),
        &format!("in the doc comment of the function, {how}"),
        &format!("in the tool's `description`, {how}"),
    )
}

/// Another title.
pub(crate) fn title(tool: &Subject, how: &str) -> Mend {
    let words = format!("write a `title`: {how}");
    own(tool, "title", &words, &words, &words)
}

/// Another name. Where the configuration writes the tool, its table is named after it.
pub(crate) fn name(tool: &Subject, how: &str) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::Sql | SourceKind::Http, name, key } => {
            let (setting, brackets) = table(name, key);
            Mend { text: format!("give {brackets} another name: {how}"), setting }
        }
        _ => {
            let words = format!("set `name = \"…\"`: {how}");
            own(tool, "name", &words, &format!("rename the function: {how}"), &format!("rename the tool: {how}"))
        }
    }
}

/// A member of a parameter's schema (`description`, `format`, `enum` …).
pub(crate) fn parameter(tool: &Subject, parameter: &str, member: &str, how: &str) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::Sql | SourceKind::Http, name, key } => {
            let (mut setting, brackets) = table(name, key);
            setting.extend(["parameters", parameter, member].map(str::to_owned));
            Mend { text: format!("in {brackets}, set `{member}` of `parameters.{parameter}`: {how}"), setting }
        }
        Origin::Source { kind: SourceKind::OpenApi, .. } => shaped(tool, parameter, "the API's description", how),
        Origin::Source { kind: SourceKind::Mcp, .. } => shaped(tool, parameter, "the server behind", how),
        Origin::Code => Mend::nowhere(format!("at the parameter `{parameter}` of the function, {how}")),
        Origin::Elsewhere => Mend::nowhere(format!("in `{member}` of the parameter `{parameter}`, {how}")),
    }
}

/// A source that describes itself: a parameter's schema is not the configuration's to change.
fn shaped(tool: &Subject, parameter: &str, at: &str, how: &str) -> Mend {
    let configured = format!(
        "say it of `{parameter}` in the tool's `description` ({how}), fix its value with `set`, or `hide` it; the \
         other way is to mend {at}"
    );
    own(tool, "description", &configured, "", "")
}

/// A parameter that an agent should not see.
pub(crate) fn without(tool: &Subject, parameter: &str, how: &str) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::OpenApi | SourceKind::Mcp, .. } => {
            own(tool, "hide", &format!("set `hide = [{parameter:?}]`: {how}"), "", "")
        }
        Origin::Source { name, key, .. } => {
            let (mut setting, brackets) = table(name, key);
            setting.extend(["parameters", parameter].map(str::to_owned));
            Mend { text: format!("in {brackets}, take the parameter `{parameter}` out: {how}"), setting }
        }
        Origin::Code | Origin::Elsewhere => Mend::nowhere(format!("take the parameter `{parameter}` out: {how}")),
    }
}

/// The shape of the arguments as a whole.
pub(crate) fn shape(tool: &Subject, how: &str) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::Sql | SourceKind::Http, .. } => {
            own(tool, "parameters", &format!("change `parameters`: {how}"), "", "")
        }
        Origin::Source { .. } => {
            own(tool, "hide", &format!("fix values with `set` and `hide` what is not needed: {how}"), "", "")
        }
        Origin::Code => Mend::nowhere(format!("change the parameters of the function: {how}")),
        Origin::Elsewhere => Mend::nowhere(format!("change the tool's `inputSchema`: {how}")),
    }
}

/// What the tool does to the world: `read`, `write` or `destructive`.
pub(crate) fn effect(tool: &Subject, effect: &str, hints: &str) -> Mend {
    let configured = format!("set `effect = \"{effect}\"`");
    own(tool, "effect", &configured, &format!("say so at the function: `effect = \"{effect}\"`"), hints)
}

/// A result that is described.
pub(crate) fn output(tool: &Subject) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::OpenApi, .. } => {
            Mend::nowhere("describe the answer in the API's description")
        }
        Origin::Source { kind: SourceKind::Mcp, .. } => Mend::nowhere("describe the result on the server behind"),
        Origin::Source { .. } => description(tool, "say what comes back"),
        Origin::Code => Mend::nowhere("return a type that has a JSON Schema instead of text"),
        Origin::Elsewhere => Mend::nowhere("give the tool an `outputSchema`, and its results `structuredContent`"),
    }
}

/// A tool that is better not offered.
pub(crate) fn leave_out(tool: &Subject, why: &str) -> Mend {
    match &tool.origin {
        Origin::Source { kind: SourceKind::OpenApi, name, key } => Mend {
            text: format!("in [sources.{name}], set `exclude = {{ operations = [{key:?}] }}`, {why}"),
            setting: ["sources", name, "exclude"].map(str::to_owned).to_vec(),
        },
        Origin::Source { name, key, .. } => {
            let (setting, brackets) = table(name, key);
            Mend { text: format!("remove {brackets}, {why}"), setting }
        }
        Origin::Code | Origin::Elsewhere => Mend::nowhere(format!("leave the tool out, {why}")),
    }
}

/// A key by which a repeated call is known.
pub(crate) fn idempotency(tool: &Subject) -> Mend {
    match &tool.origin {
        Origin::Source { name, key, .. } => Mend {
            text: format!(
                "set `idempotency = \"optional\"` or \"required\" in [policy.\"{name}.{key}\"], or in one that covers it"
            ),
            setting: table(name, key).0,
        },
        Origin::Code => Mend::nowhere("set `idempotency = \"optional\"` or \"required\" in a policy that covers it"),
        Origin::Elsewhere => Mend::nowhere(
            "take an optional parameter `idempotency_key`, and answer a repeated key with the first answer",
        ),
    }
}

/// Fewer tools.
pub(crate) fn fewer(tools: &[Subject]) -> Mend {
    let openapi = tools.iter().find_map(|tool| match &tool.origin {
        Origin::Source { kind: SourceKind::OpenApi, name, .. } => Some(name),
        _ => None,
    });
    match openapi {
        Some(name) => Mend {
            text: format!("in [sources.{name}], choose operations with `include` and `exclude`"),
            setting: ["sources", name].map(str::to_owned).to_vec(),
        },
        None => Mend::nowhere("offer fewer tools, or split them over several servers"),
    }
}
