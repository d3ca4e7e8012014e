//! The text of a description as one JSON value, and which OpenAPI it is written in. Reads JSON and
//! YAML; does not resolve references and does not check that the description is right.

use std::fmt;

use serde_json::Value;
use url::Url;

/// How deep YAML may nest. JSON has the bound of `serde_json`, which is 128.
const MAX_DEPTH: usize = 128;
/// The stack of the thread that parses YAML.
const YAML_STACK: usize = 16 << 20;
/// How many things (keys, values, lists) a YAML description may have: Microsoft Graph has 6 million.
const MAX_NODES: usize = 40_000_000;
/// How many bytes the values of a YAML description may have, aliases expanded.
const MAX_BYTES: usize = 512 << 20;

/// Which OpenAPI a description is written in. Swagger 2.0 and OpenAPI 3.2 get their place here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// OpenAPI 3.0.
    V3_0,
    /// OpenAPI 3.1.
    V3_1,
}

impl Version {
    /// The words of the standard.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V3_0 => "OpenAPI 3.0",
            Self::V3_1 => "OpenAPI 3.1",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a text cannot be used as a description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It is not JSON.
    #[error("This is not JSON: {0}.")]
    Json(String),
    /// It is not YAML.
    #[error("This is neither JSON nor YAML: {0}.")]
    Yaml(String),
    /// It is JSON or YAML and describes no API.
    #[error(
        "This describes no API: at the top it has no member `openapi`. Name an OpenAPI description, version 3.0 or 3.1."
    )]
    NotOpenApi,
    /// It is written in a version that is not read.
    #[error("This is written in {0}; 3.0 and 3.1 are read. Convert it first.")]
    Version(String),
}

/// A description, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    root: Value,
    version: Version,
    url: Option<Url>,
}

impl Document {
    /// Reads a description; `url` is where it was fetched from, where it was: relative servers
    /// are relative to it (OpenAPI 3.1 §4.8.5).
    ///
    /// # Errors
    /// The text is neither JSON nor YAML, or no OpenAPI of a version that is read.
    pub fn parse(text: &str, url: Option<Url>) -> Result<Self, DocumentError> {
        Self::of(parse_value(text)?, url)
    }

    /// Takes a description that is already a value, see [`Document::parse`].
    ///
    /// # Errors
    /// It is no OpenAPI of a version that is read.
    pub fn of(root: Value, url: Option<Url>) -> Result<Self, DocumentError> {
        let version = version(&root)?;
        Ok(Self { root, version, url })
    }

    /// The description itself.
    #[must_use]
    pub const fn root(&self) -> &Value {
        &self.root
    }

    pub(super) const fn root_mut(&mut self) -> &mut Value {
        &mut self.root
    }

    /// What it is written in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Where it was fetched from, where it was.
    #[must_use]
    pub const fn url(&self) -> Option<&Url> {
        self.url.as_ref()
    }

    /// `info.title`.
    #[must_use]
    pub fn title(&self) -> Option<&str> {
        self.root.pointer("/info/title").and_then(Value::as_str).map(str::trim).filter(|title| !title.is_empty())
    }
}

/// JSON or YAML as a value. Of two members of one name the last one counts.
///
/// # Errors
/// The text is neither.
pub fn parse_value(text: &str) -> Result<Value, DocumentError> {
    let text = text.trim_start_matches('\u{feff}');
    let looks_like_json = text.trim_start().starts_with(['{', '[']);
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        // A flow mapping of YAML begins like JSON.
        Err(json) => parse_yaml(text).map_err(|yaml| {
            if looks_like_json { DocumentError::Json(json.to_string()) } else { DocumentError::Yaml(yaml) }
        }),
    }
}

/// The parser calls itself for each level, with up to 40 KiB of stack each time where it is not
/// optimised: it gets a stack that holds [`MAX_DEPTH`] levels, whoever calls.
fn parse_yaml(text: &str) -> Result<Value, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("yaml".into()).stack_size(YAML_STACK);
        let thread = thread.spawn_scoped(scope, || parse_yaml_here(text)).map_err(|error| error.to_string())?;
        thread.join().unwrap_or_else(|_| Err("the parser failed".to_owned()))
    })
}

fn parse_yaml_here(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_events: MAX_NODES,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_BYTES,
            // Paths and pattern keys can be long.
            simple_key_max_lookahead: 8192,
        },
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        // YAML 1.2: `no`, `on` and `0755` are text.
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        ignore_binary_tag_for_string: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

fn version(root: &Value) -> Result<Version, DocumentError> {
    if root.get("swagger").is_some() {
        return Err(DocumentError::Version("Swagger 2.0".into()));
    }
    let text = match root.get("openapi") {
        Some(Value::String(text)) => text.trim().to_owned(),
        // `openapi: 3.1` without quotes is a number.
        Some(Value::Number(number)) => number.to_string(),
        _ => return Err(DocumentError::NotOpenApi),
    };
    let mut parts = text.split('.');
    match (parts.next(), parts.next()) {
        (Some("3"), Some("0") | None) => Ok(Version::V3_0),
        (Some("3"), Some("1")) => Ok(Version::V3_1),
        _ => Err(DocumentError::Version(format!("OpenAPI {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_is_read_as_version_1_2() {
        let text = "openapi: 3.0.3\ncountry: no\nswitch: on\nmode: 0755\nday: 2020-01-01\ncount: 1_000\n\
                    responses:\n  200: {description: ok}\n  default: {description: else}\n\
                    twice: 1\ntwice: 2\nbase: &base {a: 1}\nuse:\n  <<: *base\n  b: 2\n";
        let value = parse_value(text).unwrap();
        assert_eq!(
            value,
            json!({
                "openapi": "3.0.3", "country": "no", "switch": "on", "mode": "0755", "day": "2020-01-01",
                "count": "1_000", "responses": {"200": {"description": "ok"}, "default": {"description": "else"}},
                "twice": 2, "base": {"a": 1}, "use": {"a": 1, "b": 2},
            })
        );
    }

    #[test]
    fn what_is_not_a_description_is_named() {
        let words = |text: &str| Document::parse(text, None).unwrap_err().to_string();
        assert!(words("{\"openapi\": ").starts_with("This is not JSON"), "{}", words("{\"openapi\": "));
        assert!(words("a: b: c").contains("neither JSON nor YAML"));
        assert!(words("<html>").contains("describes no API"));
        assert!(words("swagger: '2.0'").contains("Swagger 2.0"));
        assert!(words("openapi: 3.2.0").contains("OpenAPI 3.2.0"));
        assert_eq!(Document::parse("openapi: 3.1", None).unwrap().version(), Version::V3_1);
    }

    #[test]
    fn hostile_nesting_is_refused() {
        for text in ["[".repeat(20_000), "- ".repeat(10_000), "{\"a\":".repeat(10_000)] {
            assert!(Document::parse(&text, None).is_err());
        }
        let laughs = (1..30).fold("a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned(), |text, n| {
            format!("{text}a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 9].join(", "))
        });
        assert!(parse_value(&laughs).is_err());
    }
}
