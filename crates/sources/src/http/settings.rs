//! What the configuration says about plain HTTP requests, as plain data. Nothing is checked here:
//! [`super::check`] and [`super::HttpSource::open`] do that.
//!
//! `{name}` stands for the parameter of that name, `{{` and `}}` for the braces themselves.

use bridgehead_core::{Effect, Secret};
use serde_json::{Map, Value};

use super::Credential;
use crate::parameter::Parameter;

/// Requests to one system behind, each a tool.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The source's name in the configuration; messages to agents call the system behind so.
    pub name: String,
    /// What is presented to the system behind, with every request.
    pub credential: Credential,
    /// The tools, in the order in which they are listed.
    pub tools: Vec<HttpToolSettings>,
    /// What stands in the requests and must not come back in an error, beside the credential and
    /// the headers: values from the environment, for example.
    pub secrets: Vec<Secret>,
}

/// One tool: one request.
#[derive(Debug, Clone)]
pub struct HttpToolSettings {
    /// Its name within the source.
    pub name: String,
    /// A short name for people.
    pub title: Option<String>,
    /// All that an agent sees of it.
    pub description: String,
    /// The request.
    pub request: RequestSettings,
    /// Every parameter that the request uses, and no other.
    pub parameters: Vec<Parameter>,
    /// Makes the effect more careful than what the method says (`read` < `write` <
    /// `destructive`), never less. GET and HEAD read, POST writes, PUT, PATCH and DELETE destroy.
    pub effect: Option<Effect>,
    /// The scope a caller needs; the effect's own where `None`.
    pub scope: Option<String>,
    /// Whether a repeat with the same arguments changes nothing more. `None`: as RFC 9110 §9.2.2
    /// says of the method.
    pub idempotent: Option<bool>,
    /// JSON Schema of the answer, where it is known. Published relaxed: an answer that does not fit
    /// goes through all the same.
    pub output: Option<Map<String, Value>>,
}

impl HttpToolSettings {
    /// A tool without parameters.
    #[must_use]
    pub fn new(name: impl Into<String>, description: impl Into<String>, request: RequestSettings) -> Self {
        Self {
            name: name.into(),
            title: None,
            description: description.into(),
            request,
            parameters: Vec::new(),
            effect: None,
            scope: None,
            idempotent: None,
            output: None,
        }
    }
}

/// A request with placeholders.
#[derive(Debug, Clone)]
pub struct RequestSettings {
    /// `GET`, `HEAD`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Absolute, `http` or `https`. Placeholders may stand in path and query: a value never leaves
    /// the segment, or the query value, in which it stands.
    pub url: String,
    /// Query pairs beside those of `url`. A list is sent as one pair for each element; a pair whose
    /// parameter has no value is left out.
    pub query: Vec<(String, Value)>,
    /// Headers; one whose parameter has no value is left out.
    pub headers: Vec<(String, Secret)>,
    /// The body.
    pub body: Option<BodySettings>,
}

impl RequestSettings {
    /// A request without query, headers and body of its own.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self { method: method.into(), url: url.into(), query: Vec::new(), headers: Vec::new(), body: None }
    }
}

/// The body of a request with placeholders.
#[derive(Debug, Clone, PartialEq)]
pub enum BodySettings {
    /// JSON. A text that is nothing but a placeholder becomes the value with its type; a member or
    /// element whose parameter has no value is left out.
    Json(Value),
    /// `application/x-www-form-urlencoded`; pairs as those of the query.
    Form(Vec<(String, Value)>),
    /// Plain text, in which a parameter without a value leaves nothing.
    Text(String),
}
