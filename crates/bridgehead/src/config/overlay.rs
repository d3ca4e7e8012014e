//! The environment laid over the file: `BRIDGEHEAD_SERVER__PUBLIC_URL` gives `server.public_url`,
//! whatever the file says. The prefix is followed by the path, with `__` between its keys; what
//! stands in `[server]` may leave `SERVER__` out. Letter case does not count, nor does `-` for `_`.

use serde_json::{Map, Value};

use super::{
    environment::Environment,
    fault::{KeyPath, Place, Step},
    findings::Findings,
    nearest::nearest,
    schema, source_text,
};

const PREFIX: &str = "BRIDGEHEAD_";

/// Variables with our prefix that are no settings: which file to load, the keys where
/// `secrets.keys` is not given, and how to log.
const OTHER_VARIABLES: [&str; 4] = ["BRIDGEHEAD_CONFIG", "BRIDGEHEAD_KEYS", "BRIDGEHEAD_LOG", "BRIDGEHEAD_LOG_FORMAT"];

/// The environment name of a setting.
#[must_use]
pub fn name_of(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").replace('-', "_").to_ascii_uppercase())
}

/// Puts what the environment says into the tree. An empty variable counts as not set, but empties
/// a list.
pub(super) fn apply(tree: &mut Value, environment: &dyn Environment, findings: &mut Findings) {
    let variables = environment.variables();
    let ours = variables
        .iter()
        .filter(|(name, value)| !OTHER_VARIABLES.contains(&name.as_str()) && !is_of_kubernetes(name, value));
    for (name, value) in ours.filter_map(|(name, value)| Some((name.strip_prefix(PREFIX)?, value))) {
        let full = format!("{PREFIX}{name}");
        match resolve(name, tree) {
            Ok(path) if findings.places.is_from_variable(&path) => findings.fault_at(
                Place::Variable(full.as_str().into()),
                &path,
                "is given by another environment variable as well",
                "unset one of the two",
            ),
            Ok(path) => set(tree, &path, &full, value, findings),
            Err(mend) => findings.fault_at(
                Place::Variable(full.as_str().into()),
                &KeyPath::root(),
                "this environment variable names no setting",
                mend,
            ),
        }
    }
    let listen = KeyPath::of(["server", "listen"]);
    if let Some(port) = variables.get("PORT").filter(|port| !port.is_empty())
        && !findings.places.is_from_variable(&listen)
    {
        set(tree, &listen, "PORT", &format!("0.0.0.0:{port}"), findings);
    }
}

/// Whether Kubernetes set this variable, as it does in every pod for each service in the namespace:
/// one that is called `bridgehead` gives `BRIDGEHEAD_SERVICE_HOST` and `BRIDGEHEAD_PORT_80_TCP_ADDR`.
fn is_of_kubernetes(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    let of_port = |(_, rest): (&str, &str)| {
        let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        digits.len() < rest.len() && ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| digits.starts_with(protocol))
    };
    name.ends_with("_SERVICE_HOST")
        || name.contains("_SERVICE_PORT")
        || (name.ends_with("_PORT") && is_address)
        || name.split_once("_PORT_").is_some_and(of_port)
}

fn set(tree: &mut Value, path: &KeyPath, name: &str, text: &str, findings: &mut Findings) {
    let nodes = schema::at(path, tree);
    if text.is_empty() && !nodes.iter().any(|node| admits_explicitly(node, "array")) {
        return;
    }
    insert(tree, path.steps(), read(text, &nodes));
    findings.places.set_variable(path, name);
}

/// The setting a variable names, less the prefix; else how to mend it.
fn resolve(name: &str, tree: &Value) -> Result<KeyPath, String> {
    let keys: Vec<_> = name.split("__").collect();
    let short: Vec<_> = std::iter::once("server").chain(keys.iter().copied()).collect();
    match path_of(&keys, tree)? {
        Some(path) => return Ok(path),
        None => {
            if let Some(path) = path_of(&short, tree)? {
                return Ok(path);
            }
        }
    }
    let mut known = Vec::new();
    names(schema::document(), Some(tree), &mut Vec::new(), &mut known);
    let full = format!("{PREFIX}{name}");
    Err(match nearest(&full, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "docs/reference/configuration.md lists the names; unset it if it is not meant for Bridgehead".into(),
    })
}

fn path_of(keys: &[&str], tree: &Value) -> Result<Option<KeyPath>, String> {
    let mut path = KeyPath::root();
    let mut instance = Some(tree);
    for key in keys {
        let nodes = schema::at(&path, tree);
        let known = nodes.iter().flat_map(|node| schema::known_keys(node));
        let there = instance.and_then(Value::as_object).into_iter().flat_map(Map::keys).map(String::as_str);
        let is_table = nodes.iter().any(|node| node.get("additionalProperties").is_some_and(|rest| *rest != false));
        let mut found: Vec<_> = known.chain(there.filter(|_| is_table)).filter(|known| same(known, key)).collect();
        found.sort_unstable();
        found.dedup();
        let step = match found.as_slice() {
            [one] => (*one).to_owned(),
            [] if is_table && !key.is_empty() => key.to_ascii_lowercase(),
            [] => return Ok(None),
            several => return Err(format!("it could mean any of {}: set it in the file", several.join(", "))),
        };
        path = path.key(&step);
        instance = instance.and_then(|value| value.get(&step));
    }
    Ok(Some(path))
}

fn same(key: &str, variable: &str) -> bool {
    key.replace('-', "_").eq_ignore_ascii_case(variable)
}

/// The environment names of all settings; under names that the operator chooses, of those in the tree.
fn names(node: &Value, instance: Option<&Value>, path: &mut Vec<String>, found: &mut Vec<String>) {
    for node in schema::branches(node, instance) {
        let properties = node.get("properties").and_then(Value::as_object).into_iter().flatten();
        let chosen = node.get("additionalProperties").filter(|rest| rest.is_object());
        let there = instance.and_then(Value::as_object).into_iter().flat_map(Map::keys);
        let children = properties.chain(there.filter_map(|key| Some((key, chosen?)))).collect::<Vec<_>>();
        if children.is_empty() {
            found.push(name_of(&path.join(".")));
        }
        for (key, child) in children {
            path.push(key.clone());
            names(child, instance.and_then(|value| value.get(key)), path, found);
            path.pop();
        }
    }
}

/// Reads a variable's text as what the schema asks for; where it is none of that, as text, which
/// the schema check then refuses.
fn read(text: &str, nodes: &[&Value]) -> Value {
    let wants = |kind| nodes.iter().any(|node| admits_explicitly(node, kind));
    let free = nodes.iter().any(|node| !node.get("type").is_some_and(|kind| kind.is_string()));
    let structured = (text.starts_with('[') && wants("array")) || (text.starts_with('{') && wants("object"));
    let literal = || source_text::parse_value(text);
    let scalar = wants("integer") || wants("number") || wants("boolean");
    if structured || free {
        literal().unwrap_or_else(|| text.into())
    } else if wants("array") && (!wants("string") || text.contains(',')) {
        text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(Value::from).collect()
    } else if scalar {
        literal().filter(|value| value.is_number() || value.is_boolean()).unwrap_or_else(|| text.into())
    } else {
        text.into()
    }
}

fn admits_explicitly(node: &Value, kind: &str) -> bool {
    node.get("type").is_some_and(|types| types == kind)
}

fn insert(tree: &mut Value, steps: &[Step], value: Value) {
    match steps {
        [] => *tree = value,
        [Step::Key(key), rest @ ..] => {
            if let Value::Object(map) = tree {
                insert(map.entry(&**key).or_insert_with(|| Value::Object(Map::new())), rest, value);
            }
        }
        [Step::Index(_), ..] => {}
    }
}

#[cfg(test)]
#[path = "overlay_tests.rs"]
mod tests;
