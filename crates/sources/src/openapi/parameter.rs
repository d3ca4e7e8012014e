//! Parameters of an operation, its path's included: read from the description, overridden, and
//! with the defaults of `style` and `explode` (OpenAPI 3.1 §4.8.12).

use serde_json::Value;

use super::{
    schema::{Context, Parts},
    serialise::Style,
};

/// Where a parameter stands in the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Location {
    Path,
    Query,
    Header,
    Cookie,
}

impl Location {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
            Self::Cookie => "cookie",
        }
    }
}

/// One parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter<'d> {
    pub(super) name: &'d str,
    pub(super) location: Location,
    pub(super) required: bool,
    pub(super) description: Option<&'d str>,
    pub(super) schema: Parts<'d>,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) allow_reserved: bool,
    /// Its value is written as JSON (`content`).
    pub(super) json: bool,
}

/// Headers that are no parameters, whatever the description says (OpenAPI 3.1 §4.8.12.2).
const NOT_PARAMETERS: [&str; 3] = ["accept", "content-type", "authorization"];
/// Headers that the connection needs for itself.
const NOT_OURS: [&str; 7] = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "cookie"];

/// The parameters of an operation in the order of the description; those of the operation go
/// before those of its path. `notes` gets what was left out.
///
/// # Errors
/// A reference leads nowhere, so that it is not even known what is missing.
pub(super) fn read<'d>(
    context: &Context<'d>,
    path_item: &'d Value,
    operation: &'d Value,
    notes: &mut Vec<String>,
) -> Result<Vec<Parameter<'d>>, String> {
    let mut parameters: Vec<Parameter<'d>> = Vec::new();
    for place in [path_item, operation] {
        for value in place.get("parameters").and_then(Value::as_array).into_iter().flatten() {
            let value = context.resolver.resolve(value).map_err(|error| format!("of a parameter {error}"))?;
            let Some(parameter) = one(value, notes) else { continue };
            let same = |known: &Parameter<'_>| {
                known.location == parameter.location
                    && (known.name == parameter.name
                        || (known.location == Location::Header && known.name.eq_ignore_ascii_case(parameter.name)))
            };
            match parameters.iter_mut().find(|known| same(known)) {
                Some(known) => *known = parameter,
                None => parameters.push(parameter),
            }
        }
    }
    Ok(parameters)
}

fn one<'d>(value: &'d Value, notes: &mut Vec<String>) -> Option<Parameter<'d>> {
    let name = value.get("name").and_then(Value::as_str);
    let location = match value.get("in").and_then(Value::as_str) {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header") => Location::Header,
        Some("cookie") => Location::Cookie,
        other => {
            let (name, place) = (name.unwrap_or_default(), other.unwrap_or("nowhere"));
            notes.push(format!(
                "the parameter `{name}` stands in `{place}`, which OpenAPI 3 does not know; it was left out"
            ));
            return None;
        }
    };
    let Some(name) = name.filter(|name| !name.is_empty()) else {
        notes.push(format!("a parameter of the {} has no name; it was left out", location.as_str()));
        return None;
    };
    if location == Location::Header {
        let lower = name.to_ascii_lowercase();
        if NOT_PARAMETERS.contains(&lower.as_str()) {
            return None;
        }
        if NOT_OURS.contains(&lower.as_str()) || lower.parse::<http::HeaderName>().is_err() {
            notes.push(format!("the header `{name}` cannot be a parameter; it was left out"));
            return None;
        }
    }
    let content = value.get("content").and_then(Value::as_object).and_then(|content| content.iter().next());
    let schema = content.map_or_else(|| value.get("schema"), |(_, media)| media.get("schema"));
    let json = content.is_some_and(|(media_type, _)| super::body::is_json(media_type));
    let style = value.get("style").and_then(Value::as_str).and_then(Style::parse);
    let style = style.filter(|style| style.may_stand(location)).unwrap_or(match location {
        Location::Path | Location::Header => Style::Simple,
        Location::Query | Location::Cookie => Style::Form,
    });
    let flag = |key: &str| value.get(key).and_then(Value::as_bool);
    Some(Parameter {
        name,
        location,
        required: location == Location::Path || flag("required").unwrap_or(false),
        description: value.get("description").and_then(Value::as_str).filter(|text| !text.trim().is_empty()),
        schema: schema.into_iter().collect(),
        style,
        explode: flag("explode").unwrap_or(matches!(style, Style::Form | Style::DeepObject)),
        allow_reserved: flag("allowReserved").unwrap_or(false),
        json,
    })
}
