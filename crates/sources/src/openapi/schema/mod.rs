//! Schemas of a description as JSON Schema 2020-12 that stands alone: references inside or under
//! `$defs`, bounded in size, without what the direction forbids (`readOnly` in what is sent,
//! `writeOnly` in what comes back), and without keywords that a validator would choke on.
//!
//! The way: schemas are visited breadth first, each once, and become nodes that know their
//! children. When the size is spent, what still waits becomes "any value": the nearest levels are
//! whole, the deepest are cut. Nodes that are used more than once go to `$defs`, all others stand
//! where they are used; so recursion ends by itself, and nothing grows by being repeated.

mod assemble;
mod emit;
mod flat;

use std::{
    cell::RefCell,
    collections::{HashMap, VecDeque},
    rc::Rc,
};

use serde_json::{Map, Value};

pub(super) use flat::{Additional, Flat, Parts};

use super::{
    description,
    reference::{Resolver, last_name, reference_of},
};

/// How deep a published schema nests. Twice that in JSON stays below the 128 of `serde_json`.
const MAX_DEPTH: usize = 40;

/// Which way the value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// To the system behind.
    Input,
    /// Back from it.
    Output,
}

/// What conversion of schemas needs to know, for one whole description.
pub(super) struct Context<'d> {
    pub(super) resolver: Resolver<'d>,
    /// Patterns that were seen, and whether they are regular expressions that a validator takes.
    patterns: RefCell<HashMap<&'d str, bool>>,
}

impl<'d> Context<'d> {
    pub(super) fn new(root: &'d Value) -> Self {
        Self { resolver: Resolver::new(root), patterns: RefCell::default() }
    }

    pub(super) fn flat(&self, parts: &[&'d Value], faults: &mut Vec<String>) -> Flat<'d> {
        Flat::read(self.resolver, parts, faults)
    }

    /// Whether a property of these schemas goes in this direction.
    pub(super) fn goes(&self, parts: &[&'d Value], direction: Direction) -> bool {
        let keyword = match direction {
            Direction::Input => "readOnly",
            Direction::Output => "writeOnly",
        };
        !flat::is_flagged(self.resolver, parts, keyword)
    }

    fn is_pattern(&self, pattern: &'d str) -> bool {
        *self.patterns.borrow_mut().entry(pattern).or_insert_with(|| {
            let mut schema = Map::new();
            schema.insert("pattern".into(), pattern.into());
            bridgehead_core::schema::Schema::compile(&schema).is_ok()
        })
    }
}

/// A schema to be published.
#[derive(Debug, Clone, Default)]
pub(super) struct Root<'d> {
    /// What holds.
    pub(super) parts: Parts<'d>,
    /// Stands in the place of its own description.
    pub(super) description: Option<String>,
    /// Stands behind the description.
    pub(super) note: Option<String>,
    /// Must not become a reference.
    pub(super) whole: bool,
}

/// Published schemas.
#[derive(Debug, Default)]
pub(super) struct Built {
    /// One for each root.
    pub(super) schemas: Vec<Map<String, Value>>,
    /// Goes to `$defs` of whatever the schemas are put into; empty where there is nothing to share.
    pub(super) definitions: Map<String, Value>,
    /// How many places became "any value" for want of room.
    pub(super) cut: usize,
    /// What is wrong with the description; those places admit anything.
    pub(super) faults: Vec<String>,
}

/// Publishes schemas that together have about `room` bytes. Descriptions are shortened before
/// anything is cut; names and types of the roots stay, however many there are.
pub(super) fn build<'d>(context: &Context<'d>, direction: Direction, roots: &[Root<'d>], room: usize) -> Built {
    let mut built = Builder::new(context, direction, room, Detail::Full).build(roots);
    // What waits when the room is spent takes some as well, how much is seen in the end.
    for share in [room, room / 2, room / 4] {
        if built.cut == 0 || (share < room && built.size() <= room + room / 8) {
            break;
        }
        built = Builder::new(context, direction, share, Detail::Terse).build(roots);
    }
    built
}

impl Built {
    fn size(&self) -> usize {
        let schemas: usize = self.schemas.iter().map(|schema| Value::Object(schema.clone()).to_string().len()).sum();
        schemas + Value::Object(self.definitions.clone()).to_string().len()
    }
}

/// How much is said about each schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    Terse,
}

impl Detail {
    /// How many characters a description may have.
    const fn description(self, depth: usize) -> usize {
        match (self, depth) {
            (Self::Full, 0 | 1) => 500,
            (Self::Full, 2) => 300,
            (Self::Full, _) => 160,
            (Self::Terse, 0 | 1) => 120,
            (Self::Terse, _) => 0,
        }
    }
}

/// What names a node: the schemas that hold, and the members that its surroundings took away.
type Key = (Vec<*const Value>, Rc<[String]>);

/// Where a child stands in its parent.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    Property(String),
    Pattern(String),
    Dependent(String),
    Prefix,
    /// The n-th of several `oneOf` or `anyOf` that hold together.
    Alternative(usize, &'static str),
    /// A keyword with one schema.
    Keyword(&'static str),
}

/// What a place says beside the node that stands there.
#[derive(Debug, Clone, Default)]
struct Overlay {
    description: Option<String>,
    default: Option<Value>,
    deprecated: bool,
    nullable: bool,
}

#[derive(Debug)]
struct Edge {
    slot: Slot,
    node: usize,
    overlay: Overlay,
}

#[derive(Debug, Default)]
struct Node {
    keywords: Map<String, Value>,
    edges: Vec<Edge>,
    uses: usize,
    name: String,
}

struct Waiting<'d> {
    node: usize,
    parts: Parts<'d>,
    hidden: Rc<[String]>,
    depth: usize,
}

struct Builder<'c, 'd> {
    context: &'c Context<'d>,
    direction: Direction,
    detail: Detail,
    room: usize,
    spent: usize,
    cut: usize,
    faults: Vec<String>,
    nodes: Vec<Node>,
    known: HashMap<Key, usize>,
    waiting: VecDeque<Waiting<'d>>,
    nothing_hidden: Rc<[String]>,
}

impl<'c, 'd> Builder<'c, 'd> {
    fn new(context: &'c Context<'d>, direction: Direction, room: usize, detail: Detail) -> Self {
        Self {
            context,
            direction,
            detail,
            room,
            spent: 0,
            cut: 0,
            faults: Vec::new(),
            nodes: Vec::new(),
            known: HashMap::new(),
            waiting: VecDeque::new(),
            nothing_hidden: Rc::from([]),
        }
    }

    fn build(mut self, roots: &[Root<'d>]) -> Built {
        let mut edges = Vec::new();
        for root in roots {
            let nothing = self.nothing_hidden.clone();
            let (node, mut overlay) = self.node(&root.parts, &nothing, 1, "Value");
            if let Some(text) = &root.description {
                overlay.description = Some(description::plain(text, self.detail.description(1)));
            }
            edges.push((node, overlay));
        }
        while let Some(waiting) = self.waiting.pop_front() {
            if self.spent >= self.room || waiting.depth > MAX_DEPTH {
                self.cut(&waiting);
            } else {
                self.visit(&waiting);
            }
        }
        self.faults.sort();
        self.faults.dedup();
        assemble::assemble(self, roots, edges)
    }

    /// The node of these schemas, and what this place says beside it.
    fn node(&mut self, parts: &[&'d Value], hidden: &Rc<[String]>, depth: usize, name: &str) -> (usize, Overlay) {
        let mut overlay = Overlay::default();
        let mut parts: Parts<'d> = parts.to_vec();
        let mut name = name.to_owned();
        if let [only] = *parts.as_slice()
            && let Some((target, reference)) = self.alone(only, &mut overlay, depth)
        {
            parts = vec![target];
            name = last_name(reference);
        }
        let key = (parts.iter().map(|part| std::ptr::from_ref(*part)).collect(), hidden.clone());
        self.spent += overlay.description.as_ref().map_or(0, |text| text.len() + 18);
        if let Some(&node) = self.known.get(&key) {
            // It is repeated where it is small, and a reference where it is not.
            self.spent += 60;
            if let Some(node) = self.nodes.get_mut(node) {
                node.uses += 1;
            }
            return (node, overlay);
        }
        let node = self.nodes.len();
        self.known.insert(key, node);
        self.nodes.push(Node { uses: 1, name, ..Node::default() });
        self.waiting.push_back(Waiting { node, parts, hidden: hidden.clone(), depth });
        (node, overlay)
    }

    /// Where a schema is a reference and nothing but words beside it: what it leads to.
    fn alone(&self, schema: &'d Value, overlay: &mut Overlay, depth: usize) -> Option<(&'d Value, &'d str)> {
        let mut schema = schema;
        let mut found = None;
        // A reference may lead to another one; a circle of them is left to the reader of `allOf`.
        for _ in 0..8 {
            let members = schema.as_object()?;
            let reference = match members.get("allOf") {
                Some(Value::Array(all)) if !members.contains_key("$ref") && all.len() == 1 => {
                    all.first().filter(|only| only.as_object().is_some_and(|only| only.len() == 1))
                }
                None => Some(schema),
                _ => None,
            };
            let Some(reference) = reference.and_then(reference_of) else { break };
            if !members.iter().all(|(keyword, value)| says_little(keyword, value)) {
                break;
            }
            let Ok(target) = self.context.resolver.find(reference) else { break };
            self.overlay(overlay, members, depth);
            found = Some((target, reference));
            schema = target;
        }
        found
    }

    fn overlay(&self, overlay: &mut Overlay, members: &Map<String, Value>, depth: usize) {
        let limit = self.detail.description(depth);
        if let (None, true, Some(text)) =
            (&overlay.description, limit > 0, members.get("description").and_then(Value::as_str))
        {
            overlay.description = Some(description::plain(text, limit)).filter(|text| !text.is_empty());
        }
        if overlay.default.is_none() && self.direction == Direction::Input {
            overlay.default = members.get("default").filter(|value| emit::is_small(value)).cloned();
        }
        overlay.deprecated |= members.get("deprecated") == Some(&Value::Bool(true));
        overlay.nullable |= members.get("nullable") == Some(&Value::Bool(true));
    }
}

/// Keywords beside a reference that change little enough to be said at the place of use.
fn says_little(keyword: &str, value: &Value) -> bool {
    match keyword {
        "$ref" | "allOf" | "title" | "description" | "summary" | "example" | "examples" | "default" | "deprecated"
        | "xml" | "externalDocs" | "readOnly" | "writeOnly" | "nullable" | "discriminator" => true,
        // Beside a reference to an object this says what the reference says.
        "type" => value == "object",
        keyword => keyword.starts_with("x-"),
    }
}
