//! A tool as an agent sees it: what the rules look at, made from a tool of ours or from the JSON of
//! anybody's `tools/list`.

use std::sync::{Arc, LazyLock};

use bridgehead_core::{Effect, Tool};
use serde_json::{Map, Value, json};

use crate::{Origin, schema};

/// A tool as an agent sees it.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its name on the wire.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// What it does; empty where it has none.
    pub description: String,
    /// JSON Schema of its arguments.
    pub input_schema: Arc<Map<String, Value>>,
    /// JSON Schema of its structured result.
    pub output_schema: Option<Arc<Map<String, Value>>>,
    /// What it says of its effects.
    pub hints: Hints,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a tool says of its effects (MCP `ToolAnnotations`); `None` where it says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints {
    /// `readOnlyHint`.
    pub read_only: Option<bool>,
    /// `destructiveHint`.
    pub destructive: Option<bool>,
    /// `idempotentHint`.
    pub idempotent: Option<bool>,
    /// `openWorldHint`.
    pub open_world: Option<bool>,
}

/// JSON that is no tool.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no tool: it has no `name`. Give an element of `tools` in the answer to tools/list.")]
pub struct NotATool;

/// A text of a tool that reaches the agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// JSON Pointer into the tool.
    pub(crate) at: &'a str,
    /// The top-level parameter it belongs to.
    pub(crate) parameter: Option<&'a str>,
    pub(crate) text: &'a str,
    pub(crate) kind: TextKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TextKind {
    /// Words about the tool or a parameter.
    Prose,
    /// A value: a default, an example, an element of an enum.
    Value,
    /// A name.
    Name,
}

impl Subject {
    /// A tool of ours, as it is served.
    #[must_use]
    pub fn of(tool: &Tool) -> Self {
        let effect = tool.effect;
        Self {
            name: tool.wire_name.to_string(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            input_schema: tool.input_schema.clone(),
            output_schema: tool.output_schema.clone(),
            hints: Hints {
                read_only: Some(effect.is_read()),
                destructive: (!effect.is_read()).then_some(effect == Effect::Destructive),
                idempotent: Some(tool.idempotent),
                open_world: Some(tool.open_world),
            },
            origin: Origin::Code,
        }
    }

    /// A tool as `tools/list` shows it. What is missing or of the wrong type is taken as not there: the
    /// rules say what they miss.
    ///
    /// # Errors
    /// It has no name.
    pub fn from_wire(tool: &Value) -> Result<Self, NotATool> {
        let text = |key: &str| tool.get(key).and_then(Value::as_str).map(str::to_owned);
        let object = |key: &str| tool.get(key).and_then(Value::as_object).cloned().map(Arc::new);
        let hint = |key: &str| tool.get("annotations").and_then(|hints| hints.get(key)).and_then(Value::as_bool);
        Ok(Self {
            name: text("name").ok_or(NotATool)?,
            title: text("title"),
            description: text("description").unwrap_or_default(),
            input_schema: object("inputSchema").unwrap_or_default(),
            output_schema: object("outputSchema"),
            hints: Hints {
                read_only: hint("readOnlyHint"),
                destructive: hint("destructiveHint"),
                idempotent: hint("idempotentHint"),
                open_world: hint("openWorldHint"),
            },
            origin: Origin::Elsewhere,
        })
    }

    /// The same tool, from elsewhere.
    #[must_use]
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// The tool as `tools/list` shows it, as far as it is known here.
    #[must_use]
    pub fn wire(&self) -> Value {
        let hints: Map<String, Value> = [
            ("readOnlyHint", self.hints.read_only),
            ("destructiveHint", self.hints.destructive),
            ("idempotentHint", self.hints.idempotent),
            ("openWorldHint", self.hints.open_world),
        ]
        .into_iter()
        .filter_map(|(name, hint)| Some((name.to_owned(), hint?.into())))
        .collect();
        let mut tool = Map::new();
        tool.insert("name".into(), self.name.clone().into());
        if let Some(title) = &self.title {
            tool.insert("title".into(), title.clone().into());
        }
        tool.insert("description".into(), self.description.clone().into());
        tool.insert("inputSchema".into(), json!(*self.input_schema));
        if let Some(output) = &self.output_schema {
            tool.insert("outputSchema".into(), json!(**output));
        }
        if !hints.is_empty() {
            tool.insert("annotations".into(), hints.into());
        }
        Value::Object(tool)
    }

    /// What it does to the world, by its hints and their defaults (MCP `ToolAnnotations`); `None` where it
    /// says nothing.
    pub(crate) fn effect(&self) -> Option<Effect> {
        match (self.hints.read_only?, self.hints.destructive) {
            (true, _) => Some(Effect::Read),
            (false, Some(false)) => Some(Effect::Write),
            (false, _) => Some(Effect::Destructive),
        }
    }

    /// The top-level parameters with their schemas. One that is no object (`true`) is an empty schema.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
        static ANY: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        let properties = self.input_schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema.as_object().unwrap_or(&ANY)))
    }

    pub(crate) fn is_required(&self, parameter: &str) -> bool {
        let required = self.input_schema.get("required").and_then(Value::as_array);
        required.is_some_and(|names| names.iter().any(|name| name == parameter))
    }

    /// Hands every text that reaches the agent to `look`.
    pub(crate) fn each_text(&self, look: &mut dyn FnMut(Text<'_>)) {
        let own = [
            ("/name", TextKind::Name, Some(&self.name)),
            ("/title", TextKind::Prose, self.title.as_ref()),
            ("/description", TextKind::Prose, Some(&self.description)),
        ];
        for (at, kind, text) in own {
            if let Some(text) = text {
                look(Text { at, parameter: None, text, kind });
            }
        }
        let parts = [("/inputSchema", Some(&self.input_schema)), ("/outputSchema", self.output_schema.as_ref())];
        for (at, schema) in parts {
            if let Some(schema) = schema {
                schema::each_text(schema, at, look);
            }
        }
    }
}
