//! What an agent can call: as a source offers it ([`ToolSpec`]) and as a catalog serves it
//! ([`Tool`]).

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use crate::{Effect, Policy};

/// A tool as its source describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolSpec {
    /// Its name within the source.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// What it does, when to use it and what it returns: all that an agent sees.
    pub description: String,
    /// JSON Schema 2020-12 of the arguments: `type: object`, one flat level of properties.
    pub input_schema: Map<String, Value>,
    /// JSON Schema 2020-12 of the structured result, which every result satisfies.
    pub output_schema: Option<Map<String, Value>>,
    /// What it does to the world.
    pub effect: Effect,
    /// Whether a repeat with the same arguments changes nothing more (MCP `idempotentHint`).
    pub idempotent: bool,
    /// Whether it reaches beyond one known system (MCP `openWorldHint`).
    pub open_world: bool,
    /// The scope a caller needs; the effect's own where `None`.
    pub scope: Option<String>,
    /// Whether what comes of a call depends on who makes it, beyond the arguments: their own credential
    /// for the system behind, their name or claims in a statement. Callers then share no answer.
    pub per_caller: bool,
    /// The header in which the system behind takes an idempotency key of its own, where its
    /// description says so (`Idempotency-Key`). `policy.upstream_idempotency_header` wins over it.
    pub upstream_idempotency_header: Option<Arc<str>>,
}

impl ToolSpec {
    /// A tool without arguments that reads one known system.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>) -> Self {
        let mut input_schema = Map::new();
        input_schema.insert("type".into(), "object".into());
        input_schema.insert("properties".into(), Value::Object(Map::new()));
        input_schema.insert("additionalProperties".into(), false.into());
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            input_schema,
            output_schema: None,
            effect: Effect::Read,
            idempotent: true,
            open_world: false,
            scope: None,
            per_caller: false,
            upstream_idempotency_header: None,
        }
    }
}

/// Names a tool for people and in the configuration: `SOURCE.TOOL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolAddress {
    /// The source's name in the configuration.
    pub source: Arc<str>,
    /// The tool's name within the source.
    pub tool: Arc<str>,
}

impl fmt::Display for ToolAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source, self.tool)
    }
}

/// Names a tool on the wire: what every model API accepts, `^[A-Za-z0-9_-]{1,64}$`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WireName(Arc<str>);

/// Why a name cannot stand on the wire.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be a tool's name: model APIs accept 1 to 64 of the characters A-Z a-z 0-9 _ -")]
pub struct WireNameError(pub String);

impl WireName {
    /// Checks a name.
    ///
    /// # Errors
    /// The name is empty, longer than 64 characters, or has a character outside the set.
    pub fn parse(name: &str) -> Result<Self, WireNameError> {
        let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if (1..=64).contains(&name.len()) && name.bytes().all(legal) {
            Ok(Self(Arc::from(name)))
        } else {
            Err(WireNameError(name.to_owned()))
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parameter that takes the idempotency key of a call. It is published with the others, and never
/// reaches the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyParameter {
    /// Its name: `idempotency_key`, unless the tool has a parameter of that name itself.
    pub name: &'static str,
    /// Whether the tool is not called without it.
    pub required: bool,
}

/// A tool as it is served: checked, named and with its policy.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Its name for people.
    pub address: ToolAddress,
    /// Its name on the wire.
    pub wire_name: WireName,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: String,
    /// As [`ToolSpec::input_schema`], with the parameter for an idempotency key.
    pub input_schema: Arc<Map<String, Value>>,
    /// As [`ToolSpec::output_schema`], with the optional member `_omitted`; and with `_running`, in place of
    /// all others, where calls may be answered with a handle.
    pub output_schema: Option<Arc<Map<String, Value>>>,
    /// What it does to the world.
    pub effect: Effect,
    /// As [`ToolSpec::idempotent`].
    pub idempotent: bool,
    /// As [`ToolSpec::open_world`].
    pub open_world: bool,
    /// The scope a caller needs.
    pub scope: String,
    /// As [`ToolSpec::per_caller`].
    pub per_caller: bool,
    /// The parameter in which a call takes an idempotency key; `None` where it takes none.
    pub key: Option<KeyParameter>,
    /// The header in which the system behind takes a key of its own, where the source sends it.
    pub upstream_idempotency_header: Option<Arc<str>>,
    /// Whether its calls may take longer than platforms wait, and are answered with a handle then.
    pub outlasts: bool,
    /// Time-outs and limits.
    pub policy: Policy,
}
