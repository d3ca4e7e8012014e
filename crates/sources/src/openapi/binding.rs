//! How the arguments of one tool become a request: which argument stands where, under which name
//! and in which style. Made once, when the description is converted.

use base64::{Engine, engine::general_purpose::STANDARD};
use bridgehead_core::{ArgumentFault, Call};
use bridgehead_outbound::Request;
use http::{HeaderName, Method};
use serde_json::{Map, Value};
use url::Url;

use super::{
    body::{Encoding, Format, Rule},
    key::KeyHeader,
    parameter::Location,
    serialise::{self, Style, Token},
};
use crate::http::{AnswerShape, Body, IllegalValue, Part, RequestBuilder, Segment, encode, encode_reserved};

/// How one operation is called.
#[derive(Debug, Clone)]
pub struct Binding {
    pub(super) method: Method,
    pub(super) base: Url,
    /// The path below the base; each segment's pieces.
    pub(super) path: Vec<Vec<Piece>>,
    /// A query that stands in the path itself.
    pub(super) query: Option<String>,
    pub(super) parameters: Vec<BoundParameter>,
    pub(super) body: Option<BoundBody>,
    /// The header in which the API takes an idempotency key.
    pub(super) key: Option<KeyHeader>,
    pub(super) accept: String,
    pub(super) answer: AnswerShape,
}

/// A piece of a path's segment.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Literal(String),
    /// The path parameter of this name.
    Parameter(String),
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Given {
    /// The argument of this name.
    Argument(String),
    /// The configuration, or the only value there is.
    Fixed(Value),
}

/// A parameter and where its value comes from.
#[derive(Debug, Clone)]
pub(super) struct BoundParameter {
    pub(super) given: Given,
    pub(super) name: String,
    pub(super) location: Location,
    pub(super) style: Style,
    pub(super) explode: bool,
    pub(super) allow_reserved: bool,
    pub(super) json: bool,
}

/// A body and where its values come from.
#[derive(Debug, Clone)]
pub(super) struct BoundBody {
    pub(super) format: Format,
    pub(super) media_type: String,
    /// Whether it is sent when nothing is given for it.
    pub(super) required: bool,
    pub(super) content: BoundContent,
    /// What its members have to satisfy together, and the same in words.
    pub(super) rules: Vec<(Rule, String)>,
}

/// What a body is made of.
#[derive(Debug, Clone)]
pub(super) enum BoundContent {
    Whole(Given),
    Members {
        members: Vec<BoundMember>,
        /// An object whose members are added.
        rest: Option<Given>,
    },
}

/// A member of a body and where its value comes from.
#[derive(Debug, Clone)]
pub(super) struct BoundMember {
    pub(super) given: Given,
    pub(super) name: String,
    /// Whether the body must have it, where there is a body.
    pub(super) required: bool,
    pub(super) encoding: Encoding,
    /// The argument with the file's name.
    pub(super) file_name: Option<Given>,
}

impl Given {
    /// The value, and the pointer to the argument it comes from.
    fn value<'a>(&'a self, arguments: &'a Map<String, Value>) -> Option<&'a Value> {
        match self {
            Self::Argument(name) => arguments.get(name),
            Self::Fixed(value) => Some(value),
        }
    }

    fn pointer(&self) -> String {
        match self {
            Self::Argument(name) => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
            Self::Fixed(_) => String::new(),
        }
    }

    fn fault(&self, message: impl Into<String>) -> ArgumentFault {
        ArgumentFault { path: self.pointer(), message: message.into() }
    }
}

impl Binding {
    /// Where requests go.
    #[must_use]
    pub const fn base(&self) -> &Url {
        &self.base
    }

    /// The request, without any credential.
    ///
    /// # Errors
    /// Arguments that fit the schema and still cannot be sent: `..` in a path, a line break in a
    /// header, bytes that are no base64, a body without its required members.
    pub fn request(&self, arguments: &Map<String, Value>) -> Result<Request, Vec<ArgumentFault>> {
        let mut request = RequestBuilder::new(self.method.clone(), &self.base);
        let mut faults = Vec::new();
        self.write_path(&mut request, arguments, &mut faults);
        if let Some(query) = &self.query {
            request.query_encoded(query.clone());
        }
        // Not an illegal header: media types of the description that were checked.
        let _ = request.header("accept", &self.accept);
        for parameter in self.parameters.iter().filter(|parameter| parameter.location != Location::Path) {
            // A parameter that is null is one that is not given.
            if let Some(value) = parameter.given.value(arguments).filter(|value| !value.is_null())
                && let Err(illegal) = parameter.write(value, &mut request)
            {
                faults.push(parameter.given.fault(illegal.to_string()));
            }
        }
        if let Some(body) = &self.body {
            match body.write(arguments) {
                Ok(Some(body)) => request.body(body),
                Ok(None) => {}
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(request.build()) } else { Err(faults) }
    }

    /// Fills in a key where the API takes no call without one: that of the effect, or, for a call without
    /// an idempotency key, one that no other call has.
    pub(super) fn require_key(&self, request: &mut Request, call: &Call) {
        if let Some(key) = self.key.as_ref().filter(|key| key.required)
            && let Ok(name) = HeaderName::from_bytes(key.name.as_bytes())
        {
            let of_effect = call.effect.as_ref().map(|effect| effect.id.upstream_key());
            // A UUID is always legal.
            let _ = request.set_header(name, &of_effect.unwrap_or_else(|| call.request_id.upstream_key()));
        }
    }

    fn write_path(
        &self,
        request: &mut RequestBuilder,
        arguments: &Map<String, Value>,
        faults: &mut Vec<ArgumentFault>,
    ) {
        for pieces in &self.path {
            if let [Piece::Literal(text)] = pieces.as_slice() {
                request.literal_path(&format!("/{text}"));
                continue;
            }
            let mut segment = Segment::default();
            let mut from = None;
            for piece in pieces {
                let name = match piece {
                    Piece::Literal(text) => {
                        segment = segment.literal(text);
                        continue;
                    }
                    Piece::Parameter(name) => name,
                };
                let of_path =
                    |parameter: &&BoundParameter| parameter.location == Location::Path && parameter.name == *name;
                let Some(parameter) = self.parameters.iter().find(of_path) else { continue };
                let Some(value) = parameter.given.value(arguments).filter(|value| !value.is_null()) else {
                    faults.push(parameter.given.fault("is part of the path and is missing"));
                    continue;
                };
                segment = parameter.in_segment(value, segment);
                from = Some(&parameter.given);
            }
            if let (Err(illegal), Some(given)) = (request.segment(segment), from) {
                faults.push(given.fault(illegal.to_string()));
            }
        }
    }
}

impl BoundParameter {
    fn in_segment(&self, value: &Value, segment: Segment) -> Segment {
        if self.json {
            return segment.value(&value.to_string());
        }
        serialise::tokens(&self.name, value, self.style, self.explode).into_iter().fold(segment, |segment, token| {
            match token {
                Token::Delimiter(text) => segment.literal(text),
                Token::Text(text) => segment.value(&text),
            }
        })
    }

    fn write(&self, value: &Value, request: &mut RequestBuilder) -> Result<(), IllegalValue> {
        let json = self.json.then(|| Value::from(value.to_string()));
        let value = json.as_ref().unwrap_or(value);
        match self.location {
            Location::Path => {}
            Location::Query => {
                for (name, tokens) in serialise::pairs(&self.name, value, self.style, self.explode) {
                    let mut pair = format!("{}=", encode(&name));
                    for token in tokens {
                        match token {
                            Token::Delimiter(text) => pair.push_str(text),
                            Token::Text(text) if self.allow_reserved => pair.push_str(&encode_reserved(&text)),
                            Token::Text(text) => pair.push_str(&encode(&text)),
                        }
                    }
                    request.query_encoded(pair);
                }
            }
            Location::Header => {
                let text = plain(serialise::tokens(&self.name, value, self.style, self.explode));
                request.header(&self.name, &text)?;
            }
            Location::Cookie => {
                for (name, tokens) in serialise::pairs(&self.name, value, self.style, self.explode) {
                    request.cookie(&name, &plain(tokens));
                }
            }
        }
        Ok(())
    }
}

/// Tokens where nothing is encoded.
fn plain(tokens: Vec<Token>) -> String {
    let text = |token| match token {
        Token::Delimiter("%20") => " ".to_owned(),
        Token::Delimiter("%7C") => "|".to_owned(),
        Token::Delimiter(text) => text.to_owned(),
        Token::Text(text) => text,
    };
    tokens.into_iter().map(text).collect()
}

impl BoundBody {
    /// The body; none where nothing was given for an optional one.
    fn write(&self, arguments: &Map<String, Value>) -> Result<Option<Body>, Vec<ArgumentFault>> {
        match &self.content {
            BoundContent::Whole(given) => match given.value(arguments) {
                Some(value) => self.whole(value).map(Some).map_err(|message| vec![given.fault(message)]),
                None => Ok(None),
            },
            BoundContent::Members { members, rest } => {
                let given: Vec<(&BoundMember, &Value)> = members
                    .iter()
                    .filter_map(|member| Some((member, member.given.value(arguments)?)))
                    // In a form there is no null.
                    .filter(|(_, value)| self.format == Format::Json || !value.is_null())
                    .collect();
                let rest = rest.as_ref().and_then(|rest| rest.value(arguments)).and_then(Value::as_object);
                if !self.required && given.is_empty() && rest.is_none() {
                    return Ok(None);
                }
                let missing = members
                    .iter()
                    .filter(|member| member.required)
                    .filter(|member| !given.iter().any(|(known, _)| known.name == member.name));
                let missing: Vec<_> =
                    missing.map(|member| member.given.fault("is required as soon as the request has a body")).collect();
                if !missing.is_empty() {
                    return Err(missing);
                }
                let has = |name: &str| {
                    given.iter().any(|(member, _)| member.name == name)
                        || rest.is_some_and(|rest| rest.contains_key(name))
                };
                let count = given.len() + rest.map_or(0, Map::len);
                let broken = self.rules.iter().filter(|(rule, _)| !rule.admits(has, count));
                let broken: Vec<_> =
                    broken.map(|(_, words)| ArgumentFault { path: String::new(), message: words.clone() }).collect();
                if !broken.is_empty() {
                    return Err(broken);
                }
                self.members(&given, rest, arguments).map(Some)
            }
        }
    }

    fn whole(&self, value: &Value) -> Result<Body, String> {
        let media_type = self.media_type.clone();
        Ok(match self.format {
            Format::Json => Body::Json(value.clone(), Some(media_type)),
            Format::Text => Body::Text(serialise::text(value), media_type),
            Format::Bytes => Body::Bytes(decode(value)?, media_type),
            Format::Form => {
                let members = value.as_object().into_iter().flatten();
                let pairs = members.flat_map(|(name, value)| serialise::pairs(name, value, Style::Form, true));
                Body::Form(pairs.map(|(name, tokens)| (name, plain(tokens))).collect())
            }
            Format::Multipart => {
                let members = value.as_object().into_iter().flatten();
                Body::Multipart(members.flat_map(|(name, value)| parts(name, value)).collect())
            }
        })
    }

    fn members(
        &self,
        given: &[(&BoundMember, &Value)],
        rest: Option<&Map<String, Value>>,
        arguments: &Map<String, Value>,
    ) -> Result<Body, Vec<ArgumentFault>> {
        match self.format {
            Format::Form => {
                let mut pairs = Vec::new();
                for (member, value) in given {
                    let styled = match member.encoding {
                        Encoding::Styled { style, explode } => serialise::pairs(&member.name, value, style, explode),
                        _ => vec![(member.name.clone(), vec![Token::Text(serialise::text(value))])],
                    };
                    pairs.extend(styled.into_iter().map(|(name, tokens)| (name, plain(tokens))));
                }
                for (name, value) in rest.into_iter().flatten() {
                    pairs.push((name.clone(), serialise::text(value)));
                }
                Ok(Body::Form(pairs))
            }
            Format::Multipart => {
                let (mut all, mut faults) = (Vec::new(), Vec::new());
                for (member, value) in given {
                    match member.parts(value, arguments) {
                        Ok(parts) => all.extend(parts),
                        Err(message) => faults.push(member.given.fault(message)),
                    }
                }
                all.extend(rest.into_iter().flatten().flat_map(|(name, value)| parts(name, value)));
                if faults.is_empty() { Ok(Body::Multipart(all)) } else { Err(faults) }
            }
            Format::Json | Format::Text | Format::Bytes => {
                let mut object = rest.cloned().unwrap_or_default();
                for (member, value) in given {
                    object.insert(member.name.clone(), (*value).clone());
                }
                Ok(Body::Json(Value::Object(object), Some(self.media_type.clone())))
            }
        }
    }
}

impl BoundMember {
    fn parts(&self, value: &Value, arguments: &Map<String, Value>) -> Result<Vec<Part>, String> {
        let file = |value: &Value, media_type: &Option<String>, file_name: Option<&str>| {
            Ok(Part {
                name: self.name.clone(),
                file_name: Some(file_name.unwrap_or(&self.name).to_owned()),
                media_type: Some(media_type.clone().unwrap_or_else(|| "application/octet-stream".to_owned())),
                bytes: decode(value)?,
            })
        };
        match &self.encoding {
            Encoding::File { media_type } => {
                let name = self.file_name.as_ref().and_then(|given| given.value(arguments)).and_then(Value::as_str);
                Ok(vec![file(value, media_type, name)?])
            }
            Encoding::Files { media_type } => {
                value.as_array().into_iter().flatten().map(|item| file(item, media_type, None)).collect()
            }
            Encoding::Json | Encoding::Styled { .. } => Ok(parts(&self.name, value)),
        }
    }
}

/// The parts of a form that a value makes (OpenAPI 3.1 §4.8.15.1): objects, and lists that hold
/// any, as JSON; other lists part by part; everything else as text.
fn parts(name: &str, value: &Value) -> Vec<Part> {
    let one = |value: &Value| Part {
        name: name.to_owned(),
        file_name: None,
        media_type: (value.is_object() || value.is_array()).then(|| "application/json".to_owned()),
        bytes: serialise::text(value).into_bytes(),
    };
    match value {
        Value::Array(list) if !list.iter().any(|item| item.is_object() || item.is_array()) => {
            list.iter().map(one).collect()
        }
        value => vec![one(value)],
    }
}

fn decode(value: &Value) -> Result<Vec<u8>, String> {
    let text = value.as_str().unwrap_or_default();
    let text: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(text).map_err(|error| format!("is not base64 (RFC 4648 §4, with padding): {error}"))
}
