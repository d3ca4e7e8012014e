//! A tool whose settings are sound, and how its request is made of the values of a call.

use bridgehead_core::{ArgumentFault, CallError, Refusal, ToolSpec};
use bridgehead_outbound::Request;
use http::{HeaderName, Method, header};
use serde_json::{Map, Value};
use url::Url;

use super::{
    AnswerShape, Body, IllegalValue, RequestBuilder, Segment, encode,
    template::{JsonTemplate, Piece, Template, Values, as_text},
};
use crate::parameter::{Bound, Kind, whole};

/// Asked for where the settings do not say: JSON, and anything else rather than an error.
const ACCEPT: &str = "application/json, */*;q=0.1";

/// One tool, ready for calls.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) spec: ToolSpec,
    pub(super) shape: AnswerShape,
    pub(super) method: Method,
    /// Scheme, host and port.
    pub(super) base: Url,
    /// What stands between the slashes of the path.
    pub(super) segments: Vec<Template>,
    pub(super) query: Vec<Pair>,
    pub(super) headers: Vec<(HeaderName, Template)>,
    pub(super) body: Option<BodyPlan>,
    pub(super) parameters: Vec<Bound>,
}

/// A part of the query.
#[derive(Debug, Clone)]
pub(super) enum Pair {
    /// From the URL: literal text is encoded already where it has to be.
    OfUrl(Template),
    /// From `query`: name and value as they are meant.
    Named(String, JsonTemplate),
}

#[derive(Debug, Clone)]
pub(super) enum BodyPlan {
    Json(JsonTemplate),
    Form(Vec<(String, JsonTemplate)>),
    Text(Template),
}

impl Plan {
    /// The request of a call, still without credential.
    ///
    /// # Errors
    /// [`Refusal::InvalidArguments`] for values that cannot stand where they should.
    pub(super) fn request(&self, arguments: &Map<String, Value>) -> Result<Request, CallError> {
        let mut faults = Vec::new();
        let mut values = Values::new();
        for parameter in &self.parameters {
            match parameter.value(arguments.get(&parameter.name)) {
                Ok(value) => drop(values.insert(parameter.name.clone(), plain(parameter, value))),
                Err(message) => faults.push(ArgumentFault { path: format!("/{}", parameter.name), message }),
            }
        }
        let mut builder = RequestBuilder::new(self.method.clone(), &self.base);
        for segment in &self.segments {
            faults.extend(put_segment(&mut builder, segment, &values).err().map(|error| fault(segment, error)));
        }
        for pair in &self.query {
            put_pair(&mut builder, pair, &values);
        }
        for (name, template) in &self.headers {
            faults.extend(put_header(&mut builder, name, template, &values).err().map(|error| fault(template, error)));
        }
        if !self.headers.iter().any(|(name, _)| name == header::ACCEPT) {
            // Always legal.
            let _ = builder.header("accept", ACCEPT);
        }
        if let Some(body) = &self.body {
            builder.body(body.fill(&values));
        }
        if faults.is_empty() { Ok(builder.build()) } else { Err(Refusal::InvalidArguments(faults).into()) }
    }
}

/// JSON Schema takes 3.0 for an integer; hardly any system behind does.
fn plain(parameter: &Bound, value: &Value) -> Value {
    let real = value.as_f64().filter(|_| parameter.kind == Kind::Integer && value.is_f64());
    real.and_then(|real| whole(real).ok()).map_or_else(|| value.clone(), Value::from)
}

fn fault(template: &Template, error: IllegalValue) -> ArgumentFault {
    ArgumentFault { path: format!("/{}", template.slots().next().unwrap_or_default()), message: error.to_string() }
}

fn put_segment(builder: &mut RequestBuilder, template: &Template, values: &Values) -> Result<(), IllegalValue> {
    let mut segment = Segment::default();
    let mut has_slots = false;
    for piece in &template.0 {
        segment = match piece {
            Piece::Literal(text) => segment.literal(text),
            Piece::Slot(name) => {
                has_slots = true;
                segment.value(&values.get(name).and_then(as_text).unwrap_or_default())
            }
        };
    }
    if has_slots {
        return builder.segment(segment);
    }
    builder.literal_path(&format!("/{}", template.text(values).unwrap_or_default()));
    Ok(())
}

fn put_pair(builder: &mut RequestBuilder, pair: &Pair, values: &Values) {
    match pair {
        Pair::OfUrl(template) => {
            let mut text = String::new();
            for piece in &template.0 {
                match piece {
                    Piece::Literal(literal) => text.push_str(literal),
                    Piece::Slot(name) => match values.get(name).and_then(as_text) {
                        Some(value) => text.push_str(&encode(&value)),
                        None => return,
                    },
                }
            }
            builder.query_encoded(text);
        }
        Pair::Named(name, template) => {
            for value in texts(template, values) {
                builder.query(name, &value);
            }
        }
    }
}

/// The values of a pair: one for each element of a list, none where there is no value.
fn texts(template: &JsonTemplate, values: &Values) -> Vec<String> {
    match template.fill(values) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().filter_map(as_text).collect(),
        Some(value) => as_text(&value).into_iter().collect(),
    }
}

/// Headers that hold no secret, whoever wrote them.
const HARMLESS: [HeaderName; 6] = [
    header::ACCEPT,
    header::ACCEPT_LANGUAGE,
    header::CACHE_CONTROL,
    header::CONTENT_TYPE,
    header::IF_MATCH,
    header::USER_AGENT,
];

fn put_header(
    builder: &mut RequestBuilder,
    name: &HeaderName,
    template: &Template,
    values: &Values,
) -> Result<(), IllegalValue> {
    let Some(text) = template.text(values) else { return Ok(()) };
    if template.slots().next().is_none() && !HARMLESS.contains(name) {
        return builder.secret_header(name.as_str(), text);
    }
    builder.header(name.as_str(), &text)
}

impl BodyPlan {
    fn fill(&self, values: &Values) -> Body {
        match self {
            Self::Json(template) => Body::Json(template.fill(values).unwrap_or_default(), None),
            Self::Form(pairs) => {
                let pairs = pairs.iter().flat_map(|(name, template)| {
                    texts(template, values).into_iter().map(move |value| (name.clone(), value))
                });
                Body::Form(pairs.collect())
            }
            Self::Text(template) => {
                let pieces = template.0.iter().map(|piece| match piece {
                    Piece::Literal(text) => text.clone(),
                    Piece::Slot(name) => values.get(name).and_then(as_text).unwrap_or_default(),
                });
                Body::Text(pieces.collect(), "text/plain; charset=utf-8".to_owned())
            }
        }
    }
}
