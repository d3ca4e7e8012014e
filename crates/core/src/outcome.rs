//! What comes of a call that succeeded.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Freshness;

/// The result of a call: structured content, content blocks, or both (MCP `CallToolResult`).
///
/// Where there is structured content and no content block, the same JSON is sent as text as
/// well, for clients older than 2025-06-18.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Satisfies the tool's output schema, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured: Option<Map<String, Value>>,
    /// Blocks for a model or a person.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub content: Vec<Content>,
    /// Goes out as `_meta`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub meta: Map<String, Value>,
    /// What the system behind says of how long it is good. Stays here.
    #[serde(skip)]
    pub freshness: Box<Freshness>,
}

impl Outcome {
    /// A result that is one JSON object.
    #[must_use]
    pub fn structured(object: Map<String, Value>) -> Self {
        Self { structured: Some(object), ..Self::default() }
    }

    /// A result that is one text block.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Content::Text(text.into())], ..Self::default() }
    }
}

/// One content block (MCP `ContentBlock`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Plain text.
    Text(String),
    /// A picture.
    Image {
        /// The bytes in base64 (RFC 4648 §4).
        data: String,
        /// Media type, for example `image/png`.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// The bytes in base64 (RFC 4648 §4).
        data: String,
        /// Media type, for example `audio/wav`.
        mime_type: String,
    },
    /// A resource, sent along.
    Resource {
        /// Where it comes from.
        uri: String,
        /// Media type, if known.
        mime_type: Option<String>,
        /// What it holds.
        body: ResourceBody,
    },
    /// A resource that can be read elsewhere.
    ResourceLink {
        /// Where it is.
        uri: String,
        /// Its name.
        name: String,
        /// What it is.
        description: Option<String>,
        /// Media type, if known.
        mime_type: Option<String>,
    },
}

/// What an embedded resource holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResourceBody {
    /// Text.
    Text(String),
    /// Bytes in base64 (RFC 4648 §4).
    Blob(String),
}
