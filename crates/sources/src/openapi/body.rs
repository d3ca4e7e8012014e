//! The body that an operation takes: which of its media types is sent, and whether its members can
//! stand among the other arguments or it is one argument as a whole.

use serde_json::Value;

use super::{
    schema::{Additional, Context, Direction, Flat, Parts},
    serialise::Style,
};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Form,
    Multipart,
    /// Text as the caller gives it: plain, XML, CSV …
    Text,
    /// Bytes, which the caller gives in base64.
    Bytes,
}

/// A body as the description has it.
#[derive(Debug)]
pub(super) struct Body<'d> {
    pub(super) format: Format,
    pub(super) media_type: String,
    pub(super) required: bool,
    pub(super) description: Option<&'d str>,
    pub(super) content: Content<'d>,
    /// What it asks for beyond its members' own schemas.
    pub(super) rules: Vec<Rule>,
}

/// What an object asks for that no flat schema can say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// Of these sets of members at least one is whole, or exactly one.
    Alternatives { exactly_one: bool, sets: Vec<Vec<String>> },
    /// So many members at least.
    Least(u64),
}

impl Rule {
    /// Whether a body with these members satisfies it.
    pub(super) fn admits(&self, has: impl Fn(&str) -> bool, count: usize) -> bool {
        match self {
            Self::Alternatives { exactly_one, sets } => {
                let whole = sets.iter().filter(|set| set.iter().all(|name| has(name))).count();
                if *exactly_one { whole == 1 } else { whole > 0 }
            }
            Self::Least(least) => count as u64 >= *least,
        }
    }

    /// The rule for an agent, who knows members by the names of arguments.
    pub(super) fn words(&self, argument: impl Fn(&str) -> String) -> String {
        match self {
            Self::Alternatives { exactly_one, sets } => {
                let set = |set: &Vec<String>| match set.as_slice() {
                    [] => "none of them".to_owned(),
                    names => names.iter().map(|name| format!("`{}`", argument(name))).collect::<Vec<_>>().join(" and "),
                };
                let count = if *exactly_one { "exactly one" } else { "at least one" };
                format!("Give {count} of: {}.", sets.iter().map(set).collect::<Vec<_>>().join("; "))
            }
            Self::Least(1) => "Give at least one member of the body.".to_owned(),
            Self::Least(least) => format!("Give at least {least} members of the body."),
        }
    }
}

/// What a body holds.
#[derive(Debug)]
pub(super) enum Content<'d> {
    /// An object whose members are known by name.
    Members { members: Vec<Member<'d>>, rest: Option<Parts<'d>> },
    /// Anything else.
    Whole(Parts<'d>),
}

/// One member of a body.
#[derive(Debug)]
pub(super) struct Member<'d> {
    pub(super) name: &'d str,
    pub(super) schema: Parts<'d>,
    pub(super) required: bool,
    pub(super) encoding: Encoding,
}

/// How a member of a form is written; JSON has no use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As in a query.
    Styled { style: Style, explode: bool },
    /// As JSON.
    Json,
    /// As a file, given in base64.
    File { media_type: Option<String> },
    /// As several files under one name.
    Files { media_type: Option<String> },
}

/// Reads a body. `Ok(None)`: the operation takes none.
///
/// # Errors
/// Why it cannot be sent.
pub(super) fn read<'d>(
    context: &Context<'d>,
    operation: &'d Value,
    notes: &mut Vec<String>,
) -> Result<Option<Body<'d>>, String> {
    let Some(body) = operation.get("requestBody") else { return Ok(None) };
    let body = context.resolver.resolve(body).map_err(|error| format!("of its body {error}"))?;
    let Some((media_type, media)) = body.get("content").and_then(Value::as_object).and_then(choose) else {
        return Ok(None);
    };
    let format =
        format(media_type).ok_or_else(|| format!("its body is `{media_type}`, which cannot be written yet"))?;
    let schema: Parts<'d> = media.get("schema").into_iter().collect();
    let flat = context.flat(&schema, &mut Vec::new());
    let (content, rules) = match format {
        Format::Json | Format::Form | Format::Multipart => {
            content(context, schema, &flat, format, media.get("encoding"))
        }
        Format::Text | Format::Bytes => {
            if format == Format::Text && !flat.properties.is_empty() {
                notes.push(format!("its body is `{media_type}`; it is taken as text, not member by member"));
            }
            (Content::Whole(schema), Vec::new())
        }
    };
    Ok(Some(Body {
        format,
        media_type: if media_type.contains('*') { "application/json".to_owned() } else { media_type.to_owned() },
        required: body.get("required").and_then(Value::as_bool).unwrap_or(false),
        description: body.get("description").and_then(Value::as_str),
        content,
        rules,
    }))
}

/// Whether a media type is JSON (RFC 6839 §3.1).
pub(super) fn is_json(media_type: &str) -> bool {
    let essence = essence(media_type);
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}

/// A media type without its parameters, in lower case.
pub(super) fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn format(media_type: &str) -> Option<Format> {
    let essence = essence(media_type);
    Some(match essence.as_str() {
        _ if is_json(&essence) => Format::Json,
        "*/*" | "application/*" | "" => Format::Json,
        "application/x-www-form-urlencoded" => Format::Form,
        "multipart/form-data" | "multipart/*" => Format::Multipart,
        _ if essence.starts_with("multipart/") => return None,
        _ if essence.starts_with("text/") || is_textual(&essence) => Format::Text,
        _ => Format::Bytes,
    })
}

fn is_textual(essence: &str) -> bool {
    const WORDS: [&str; 9] = ["xml", "yaml", "yml", "csv", "ndjson", "jsonl", "graphql", "sql", "javascript"];
    WORDS.iter().any(|word| essence.ends_with(word)) || essence.contains("json")
}

/// The media type that is sent: JSON where there is, then forms, then text, then bytes.
fn choose(content: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let rank = |media_type: &str| match format(media_type) {
        Some(Format::Json) if essence(media_type) == "application/json" => 0,
        Some(Format::Json) if media_type.contains('*') => 2,
        Some(Format::Json) => 1,
        Some(Format::Form) => 3,
        Some(Format::Multipart) => 4,
        Some(Format::Text) if essence(media_type) == "text/plain" => 5,
        Some(Format::Text) => 6,
        Some(Format::Bytes) => 7,
        None => 8,
    };
    content
        .iter()
        .min_by_key(|(media_type, _)| rank(media_type))
        .map(|(media_type, media)| (media_type.as_str(), media))
}

fn content<'d>(
    context: &Context<'d>,
    schema: Parts<'d>,
    flat: &Flat<'d>,
    format: Format,
    encoding: Option<&'d Value>,
) -> (Content<'d>, Vec<Rule>) {
    let is_open_object = flat.is_object() || (flat.types.is_none() && flat.values.is_none());
    let has_names = !flat.properties.is_empty() || (flat.is_object() && flat.additional == Some(Additional::None));
    let Some(rules) = rules(flat).filter(|_| is_open_object && has_names) else {
        return (Content::Whole(schema), Vec::new());
    };
    let mut members = Vec::new();
    for (name, parts) in &flat.properties {
        if context.goes(parts, Direction::Input) {
            members.push(Member {
                name,
                schema: parts.clone(),
                required: flat.required.contains(name),
                encoding: member_encoding(context, parts, format, encoding.and_then(|encoding| encoding.get(*name))),
            });
        }
    }
    for name in flat.required.iter().filter(|name| !flat.properties.iter().any(|(known, _)| known == *name)) {
        let encoding = Encoding::Styled { style: Style::Form, explode: true };
        members.push(Member { name, schema: Vec::new(), required: true, encoding });
    }
    let rest = match &flat.additional {
        Some(Additional::Any) => Some(Vec::new()),
        Some(Additional::Of(parts)) => Some(parts.clone()),
        Some(Additional::None) | None => None,
    };
    (Content::Members { members, rest }, rules)
}

/// What an object asks for beyond its members; `None` where its alternatives hold more than names.
fn rules(flat: &Flat<'_>) -> Option<Vec<Rule>> {
    let mut rules = Vec::new();
    for alternatives in &flat.alternatives {
        let mut sets = Vec::new();
        for schema in alternatives.schemas {
            let schema = schema.as_object()?;
            let plain = ["required", "title", "description", "type"];
            if !schema.keys().all(|keyword| plain.contains(&keyword.as_str())) {
                return None;
            }
            let names = schema.get("required").and_then(Value::as_array).into_iter().flatten();
            sets.push(names.filter_map(Value::as_str).map(str::to_owned).collect());
        }
        rules.push(Rule::Alternatives { exactly_one: alternatives.keyword == "oneOf", sets });
    }
    // Members that are required are there anyway.
    let least = flat.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    if least > flat.required.len() as u64 {
        rules.push(Rule::Least(least));
    }
    Some(rules)
}

fn member_encoding<'d>(
    context: &Context<'d>,
    parts: &[&'d Value],
    format: Format,
    encoding: Option<&'d Value>,
) -> Encoding {
    if format == Format::Json {
        return Encoding::Json;
    }
    let flat = context.flat(parts, &mut Vec::new());
    let text = |key: &str| encoding.and_then(|encoding| encoding.get(key)).and_then(Value::as_str);
    let media_type = text("contentType").and_then(|types| types.split(',').next()).map(|one| one.trim().to_owned());
    if format == Format::Multipart {
        let file_type = |flat: &Flat<'_>| {
            let said = media_type.as_deref().or_else(|| flat.get("contentMediaType").and_then(Value::as_str));
            said.filter(|said| !said.contains('*')).map(str::to_owned)
        };
        if is_file(&flat, media_type.as_deref()) {
            return Encoding::File { media_type: file_type(&flat) };
        }
        if let Some(items) = flat.items.as_deref().map(|items| context.flat(items, &mut Vec::new()))
            && is_file(&items, media_type.as_deref())
        {
            return Encoding::Files { media_type: file_type(&items) };
        }
    }
    let style = text("style").and_then(Style::parse);
    let holds_objects = flat.items.as_deref().is_some_and(|items| context.flat(items, &mut Vec::new()).is_object());
    if style.is_none() && (media_type.as_deref().is_some_and(is_json) || flat.is_object() || holds_objects) {
        return Encoding::Json;
    }
    let style = style.unwrap_or(Style::Form);
    let explode = encoding.and_then(|encoding| encoding.get("explode")).and_then(Value::as_bool);
    Encoding::Styled { style, explode: explode.unwrap_or(matches!(style, Style::Form | Style::DeepObject)) }
}

/// Whether a part of a form is a file: `format: binary` (3.0), `contentMediaType` or
/// `contentEncoding` (3.1), or an encoding that is neither text nor JSON.
fn is_file(flat: &Flat<'_>, media_type: Option<&str>) -> bool {
    let is_text = flat.types.as_deref() == Some(&["string"]);
    if !is_text && flat.types.is_some() {
        return false;
    }
    let said = flat.get("contentMediaType").and_then(Value::as_str).or(media_type);
    let binary = said.is_some_and(|said| {
        let essence = essence(said);
        !(is_json(&essence) || essence.starts_with("text/") || essence.starts_with("application/json"))
    });
    binary
        || flat.get("contentEncoding").is_some()
        || matches!(flat.get("format").and_then(Value::as_str), Some("binary" | "base64"))
}
