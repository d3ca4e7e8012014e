//! One flat object of arguments (D2): parameters and members of the body side by side, under names
//! that model APIs accept, with the way back to where each stands in the request.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

use super::{
    binding::{BoundBody, BoundContent, BoundMember, BoundParameter, Given},
    body::{Body, Content, Encoding, Format, Rule},
    names,
    parameter::{Location, Parameter},
    schema::{self, Context, Direction, Parts, Root},
    settings::{ConvertSettings, Presents, Shaping, hint},
};
use crate::{fault::SourceFault, http::Place};

/// The argument that holds a body as a whole.
const BODY: &str = "body";
/// The argument that every tool with effects may get from Bridgehead itself.
const IDEMPOTENCY_KEY: &str = "idempotency_key";

/// The arguments of one tool.
pub(super) struct Inputs {
    pub(super) schema: Map<String, Value>,
    pub(super) parameters: Vec<BoundParameter>,
    pub(super) body: Option<BoundBody>,
    /// What the schema cannot say; goes to the tool's description.
    pub(super) rule: Option<String>,
    /// What could not be kept; goes to the reports.
    pub(super) notes: Vec<String>,
}

/// What one argument is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Role {
    Parameter(usize),
    Member(usize),
    FileName(usize),
    Rest,
    Whole,
}

struct Field<'d> {
    role: Role,
    /// The name in the request.
    wire: String,
    /// Where it stands, as a suffix.
    place: &'static str,
    /// The name of the argument.
    name: String,
    required: bool,
    shape: Shape<'d>,
    description: Option<&'d str>,
    note: Option<String>,
    given: Option<Given>,
}

enum Shape<'d> {
    Schema(Parts<'d>),
    Literal(Value),
}

/// Makes the arguments of one operation. `faults` gets what is wrong with its shaping.
pub(super) fn make<'d>(
    context: &Context<'d>,
    settings: &ConvertSettings,
    (parameters, body): (Vec<Parameter<'d>>, Option<Body<'d>>),
    is_read: bool,
    shaping: Option<(&str, &Shaping)>,
    faults: &mut Vec<SourceFault>,
) -> Inputs {
    let mut fields = Vec::new();
    for (index, parameter) in parameters.iter().enumerate() {
        fields.push(of_parameter(context, index, parameter));
    }
    if let Some(body) = &body {
        of_body(body, &mut fields);
    }
    name(&mut fields, is_read);
    if let Some((key, shaping)) = shaping {
        shape(key, shaping, &mut fields, faults);
    }
    let mut notes = Vec::new();
    let schema = publish(context, settings, &fields, &mut notes);
    let argument = |wire: &str| {
        let found = fields.iter().find(|field| matches!(field.role, Role::Member(_)) && field.wire == wire);
        found.map_or_else(|| wire.to_owned(), |field| field.name.clone())
    };
    let rules: Vec<(Rule, String)> =
        body.iter().flat_map(|body| &body.rules).map(|rule| (rule.clone(), rule.words(argument))).collect();
    let words: Vec<&str> = rules.iter().map(|(_, words)| words.as_str()).collect();
    let rule = (!words.is_empty()).then(|| words.join(" "));
    let mut given: HashMap<Role, Given> =
        fields.into_iter().filter_map(|field| Some((field.role, field.given?))).collect();
    let body = body.and_then(|body| bind_body(body, rules, &mut given));
    let parameters = parameters
        .into_iter()
        .enumerate()
        .filter_map(|(index, parameter)| Some(bind_parameter(parameter, given.remove(&Role::Parameter(index))?)))
        .collect();
    Inputs { schema, parameters, body, rule, notes }
}

/// Whether the credential stands where the parameter would.
pub(super) fn is_presented(parameter: &Parameter<'_>, presents: &Presents) -> bool {
    let Presents::At(places) = presents else { return false };
    places.iter().any(|place| match (place, parameter.location) {
        (Place::Header(name), Location::Header) => name.as_str().eq_ignore_ascii_case(parameter.name),
        (Place::Query(name), Location::Query) | (Place::Cookie(name), Location::Cookie) => name == parameter.name,
        _ => false,
    })
}

fn of_parameter<'d>(context: &Context<'d>, index: usize, parameter: &Parameter<'d>) -> Field<'d> {
    let mut field = Field {
        role: Role::Parameter(index),
        wire: parameter.name.to_owned(),
        place: parameter.location.as_str(),
        name: String::new(),
        required: parameter.required,
        shape: Shape::Schema(parameter.schema.clone()),
        description: parameter.description,
        note: None,
        given: None,
    };
    // One value, and it must be given: nobody needs to be asked.
    if parameter.required {
        let flat = context.flat(&parameter.schema, &mut Vec::new());
        if let Some([only]) = flat.values.as_deref()
            && !(only.is_object() || only.is_array() || only.is_null())
        {
            field.given = Some(Given::Fixed((*only).clone()));
        }
    }
    field
}

fn of_body<'d>(body: &Body<'d>, fields: &mut Vec<Field<'d>>) {
    let field = |role, wire: &str, required, shape| Field {
        role,
        wire: wire.to_owned(),
        place: BODY,
        name: String::new(),
        required,
        shape,
        description: None,
        note: None,
        given: None,
    };
    match &body.content {
        Content::Whole(parts) => {
            let shape = match body.format {
                Format::Text => Shape::Literal(json!({
                    "type": "string", "description": format!("The body, as {} text.", body.media_type),
                })),
                Format::Bytes => Shape::Literal(base64(&format!("The body, {} in base64.", body.media_type))),
                Format::Json | Format::Form | Format::Multipart => Shape::Schema(parts.clone()),
            };
            fields.push(Field {
                description: body.description,
                note: (body.format == Format::Json).then(|| "The body of the request.".to_owned()),
                ..field(Role::Whole, BODY, body.required, shape)
            });
        }
        Content::Members { members, rest } => {
            for (index, member) in members.iter().enumerate() {
                let shape = match member.encoding {
                    Encoding::File { .. } => Shape::Literal(base64("The file's content in base64.")),
                    Encoding::Files { .. } => Shape::Literal(json!({
                        "type": "array", "items": base64("One file's content in base64."),
                    })),
                    _ => Shape::Schema(member.schema.clone()),
                };
                let mut one = field(Role::Member(index), member.name, body.required && member.required, shape);
                if member.required && !body.required {
                    one.note = Some("Required as soon as any other member of the body is given.".to_owned());
                }
                fields.push(one);
                if matches!(member.encoding, Encoding::File { .. }) {
                    let text = format!("The name of the file in `{}`, for example report.pdf.", member.name);
                    let shape = Shape::Literal(json!({"type": "string", "description": text}));
                    fields.push(field(Role::FileName(index), &format!("{}_filename", member.name), false, shape));
                }
            }
            if let Some(rest) = rest {
                let shape = if rest.is_empty() {
                    Shape::Literal(json!({"type": "object", "description": "Further members of the body, by name."}))
                } else {
                    Shape::Schema(rest.clone())
                };
                fields.push(field(Role::Rest, "additional_properties", false, shape));
            }
        }
    }
}

fn base64(description: &str) -> Value {
    json!({"type": "string", "contentEncoding": "base64", "description": description})
}

/// Gives each field a legal name of its own. Names that are legal as they are go first, in the
/// order path, query, header, cookie, body; whoever comes later gets its place as a suffix.
fn name(fields: &mut [Field<'_>], is_read: bool) {
    let order = |place: &str| ["path", "query", "header", "cookie", BODY].iter().position(|known| *known == place);
    let mut turns: Vec<usize> = (0..fields.len()).collect();
    turns.sort_by_key(|index| {
        fields.get(*index).map(|field| {
            let own =
                !matches!(field.role, Role::FileName(_) | Role::Rest) && names::of_property(&field.wire) == field.wire;
            (!own, order(field.place))
        })
    });
    let mut taken: BTreeSet<String> = BTreeSet::new();
    if !is_read {
        taken.insert(IDEMPOTENCY_KEY.to_owned());
    }
    let mut bearers: HashMap<String, &'static str> = HashMap::new();
    for index in turns {
        let Some(field) = fields.get_mut(index) else { continue };
        let plain = names::of_property(&field.wire);
        let mut name = plain.clone();
        let mut number = 1;
        while !taken.insert(name.clone()) {
            let suffix = if number == 1 { field.place.to_owned() } else { format!("{}_{number}", field.place) };
            name = names::suffixed(&plain, &suffix);
            number += 1;
        }
        let mut notes: Vec<String> = field.note.take().into_iter().collect();
        if name != plain {
            notes.push(match bearers.get(&plain) {
                Some(other) => {
                    format!("`{}` in the {}; `{plain}` is another one, in the {other}.", field.wire, field.place)
                }
                None => format!("`{}` in the {}.", field.wire, field.place),
            });
        } else if name != field.wire && matches!(field.role, Role::Parameter(_) | Role::Member(_)) {
            notes.push(format!("Sent as `{}`.", field.wire));
        }
        bearers.insert(name.clone(), field.place);
        field.note = (!notes.is_empty()).then(|| notes.join(" "));
        field.name = name;
        field.given = field.given.take().or_else(|| Some(Given::Argument(field.name.clone())));
    }
}

/// `hide` and `set` of the configuration.
fn shape(key: &str, shaping: &Shaping, fields: &mut [Field<'_>], faults: &mut Vec<SourceFault>) {
    let known: Vec<String> = fields.iter().map(|field| field.name.clone()).collect();
    let unknown = |name: &str| {
        let hint = hint(name, known.iter().map(String::as_str));
        format!("The tool has no argument `{name}`.{hint} `bridgehead tools {key}` lists them.")
    };
    for (name, value) in &shaping.set {
        match fields.iter_mut().find(|field| field.name == *name) {
            Some(field) => field.given = Some(Given::Fixed(value.clone())),
            None => faults.push(SourceFault::new(&["tools", key, "set", name], unknown(name))),
        }
    }
    for name in shaping.hide.iter().filter(|name| !shaping.set.contains_key(*name)) {
        match fields.iter_mut().find(|field| field.name == *name) {
            Some(field) if field.required => faults.push(SourceFault::new(
                &["tools", key, "hide"],
                format!("The API requires `{name}`, so it cannot only be hidden. Give it a value with `set`."),
            )),
            Some(field) => field.given = None,
            None => faults.push(SourceFault::new(&["tools", key, "hide"], unknown(name))),
        }
    }
}

/// The input schema: `type: object`, one flat level, closed.
fn publish<'d>(
    context: &Context<'d>,
    settings: &ConvertSettings,
    fields: &[Field<'d>],
    notes: &mut Vec<String>,
) -> Map<String, Value> {
    let shown: Vec<&Field<'d>> =
        fields.iter().filter(|field| matches!(field.given, Some(Given::Argument(_)))).collect();
    let roots: Vec<Root<'d>> = shown
        .iter()
        .map(|field| Root {
            parts: match &field.shape {
                Shape::Schema(parts) => parts.clone(),
                Shape::Literal(_) => Vec::new(),
            },
            description: field.description.map(str::to_owned),
            note: field.note.clone(),
            whole: false,
        })
        .collect();
    let built = schema::build(context, Direction::Input, &roots, settings.max_input_bytes);
    notes.extend(built.faults);
    if built.cut > 0 {
        notes.push(format!(
            "its input schema is larger than {} bytes; {} places deep in it accept any value",
            settings.max_input_bytes, built.cut
        ));
    }
    let (mut properties, mut required) = (Map::new(), Vec::new());
    for (field, mut schema) in shown.iter().zip(built.schemas) {
        if let Shape::Literal(Value::Object(literal)) = &field.shape {
            schema = over(literal.clone(), schema);
        }
        if field.role == Role::Rest && !schema.contains_key("additionalProperties") {
            schema = rest(schema);
        }
        if field.required && field.place != BODY {
            not_empty(&mut schema, field.place);
        }
        properties.insert(field.name.clone(), Value::Object(schema));
        if field.required {
            required.push(Value::from(field.name.as_str()));
        }
    }
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".into(), required.into());
    }
    schema.insert("additionalProperties".into(), false.into());
    if !built.definitions.is_empty() {
        schema.insert("$defs".into(), Value::Object(built.definitions));
    }
    schema
}

/// A text in a path cannot be empty, see [`Segment`](crate::http::Segment), and an empty list
/// nowhere but in a body: there is no way to write it.
fn not_empty(schema: &mut Map<String, Value>, place: &str) {
    let bound = match schema.get("type").and_then(Value::as_str) {
        Some("string") if place == Location::Path.as_str() && !schema.contains_key("enum") => "minLength",
        Some("array") => "minItems",
        _ => return,
    };
    if schema.get(bound).and_then(Value::as_u64).unwrap_or(0) == 0 {
        schema.insert(bound.into(), 1.into());
    }
}

/// A literal schema with the words of the description added to its own.
fn over(mut literal: Map<String, Value>, said: Map<String, Value>) -> Map<String, Value> {
    if let Some(more) = said.get("description").and_then(Value::as_str) {
        let own = literal.get("description").and_then(Value::as_str).unwrap_or_default();
        literal.insert("description".into(), format!("{more} {own}").trim().into());
    }
    literal
}

/// An object of further members, each of which fits `schema`.
fn rest(schema: Map<String, Value>) -> Map<String, Value> {
    if schema.get("type") == Some(&"object".into()) && !schema.contains_key("properties") && schema.len() == 2 {
        return schema;
    }
    let mut object = Map::new();
    object.insert("type".into(), "object".into());
    object.insert("description".into(), "Further members of the body, by name.".into());
    object.insert("additionalProperties".into(), Value::Object(schema));
    object
}

fn bind_parameter(parameter: Parameter<'_>, given: Given) -> BoundParameter {
    BoundParameter {
        given,
        name: parameter.name.to_owned(),
        location: parameter.location,
        style: parameter.style,
        explode: parameter.explode,
        allow_reserved: parameter.allow_reserved,
        json: parameter.json,
    }
}

fn bind_body(body: Body<'_>, rules: Vec<(Rule, String)>, given: &mut HashMap<Role, Given>) -> Option<BoundBody> {
    let content = match body.content {
        Content::Whole(_) => BoundContent::Whole(given.remove(&Role::Whole)?),
        Content::Members { members, .. } => BoundContent::Members {
            members: members
                .into_iter()
                .enumerate()
                .filter_map(|(index, member)| {
                    Some(BoundMember {
                        given: given.remove(&Role::Member(index))?,
                        name: member.name.to_owned(),
                        required: member.required,
                        encoding: member.encoding,
                        file_name: given.remove(&Role::FileName(index)),
                    })
                })
                .collect(),
            rest: given.remove(&Role::Rest),
        },
    };
    Some(BoundBody { format: body.format, media_type: body.media_type, required: body.required, content, rules })
}
