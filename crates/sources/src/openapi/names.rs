//! Names that model APIs accept: for tools `^[A-Za-z0-9_-]{1,64}$`, for properties with dots as
//! well. What is legal stays letter by letter; what is cut or stands twice gets a digest of what it
//! names, so that a name depends on nothing but its own operation.

use std::collections::{BTreeSet, HashMap};

use sha2::{Digest, Sha256};

/// How long a name may be on the wire.
pub(super) const MAX_NAME: usize = 64;
/// Names that Bridgehead keeps for itself.
const RESERVED: [&str; 1] = ["bridgehead_result"];

/// An operation, as far as its name goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    /// Upper case.
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) operation_id: Option<&'a str>,
}

/// A name for each operation, in the same order: legal, at most `max` long, unique. All operations
/// of a description are asked about together, whether they become tools or not, so that a filter
/// changes no name.
pub(super) fn of_tools(operations: &[Named<'_>], max: usize) -> Vec<String> {
    let max = max.clamp(16, MAX_NAME);
    let plain: Vec<String> = operations.iter().map(|operation| plain(operation, max)).collect();
    let mut times: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *times.entry(name).or_insert(0) += 1;
    }
    let mut taken = BTreeSet::new();
    let mut names = Vec::new();
    for (operation, name) in operations.iter().zip(&plain) {
        let alone = times.get(name.as_str()) == Some(&1) && !RESERVED.contains(&name.as_str());
        let whole = format!("{} {}", operation.method, operation.path);
        let mut unique = if alone { name.clone() } else { with_digest(name, &whole, max) };
        // Only where one operation's own name looks like another one's name with its digest.
        while !taken.insert(unique.clone()) {
            unique = with_digest(name, &format!("{whole} {unique}"), max);
        }
        names.push(unique);
    }
    names
}

fn plain(operation: &Named<'_>, max: usize) -> String {
    let id = operation.operation_id.map(str::trim).filter(|id| !id.is_empty());
    let words = id.map_or_else(|| path_words(operation.method, operation.path), str::to_owned);
    let name = legal(&words, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    let name = if name.is_empty() {
        legal(&path_words(operation.method, operation.path), |c| c.is_ascii_alphanumeric() || c == '_')
    } else {
        name
    };
    if name.len() <= max { name } else { with_digest(&name, &words, max) }
}

/// `get_customers_by_id_orders` of `GET /customers/{id}/orders`.
fn path_words(method: &str, path: &str) -> String {
    let mut words = method.to_ascii_lowercase();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        words.push('_');
        if segment.starts_with('{') {
            words.push_str("by_");
        }
        words.push_str(segment);
    }
    words
}

/// The legal characters; each run of others becomes one `_`, and none at the ends.
fn legal(text: &str, is_legal: impl Fn(char) -> bool) -> String {
    let mut name = String::new();
    let mut gap = false;
    for c in text.chars() {
        if is_legal(c) {
            if gap && !name.is_empty() && !name.ends_with('_') && c != '_' {
                name.push('_');
            }
            gap = false;
            name.push(c);
        } else {
            gap = true;
        }
    }
    name
}

/// A name of at most `max` characters that ends in a digest of `whole`.
fn with_digest(name: &str, whole: &str, max: usize) -> String {
    let digest: String = Sha256::digest(whole.as_bytes()).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let head: String = name.chars().take(max.saturating_sub(digest.len() + 1)).collect();
    format!("{}_{digest}", head.trim_end_matches(['_', '-']))
}

/// A name for a property: the legal characters of `text`, at most 64.
pub(super) fn of_property(text: &str) -> String {
    let legal = legal(text, |c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    match legal.len() {
        0 => with_digest("value", text, MAX_NAME),
        length if length <= MAX_NAME => legal,
        _ => with_digest(&legal, text, MAX_NAME),
    }
}

/// `name` with a suffix, at most 64.
pub(super) fn suffixed(name: &str, suffix: &str) -> String {
    let whole = format!("{name}_{suffix}");
    if whole.len() <= MAX_NAME { whole } else { with_digest(name, &whole, MAX_NAME) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named<'a>(method: &'a str, path: &'a str, id: Option<&'a str>) -> Named<'a> {
        Named { method, path, operation_id: id }
    }

    #[test]
    fn legal_names_stay_and_others_become_legal() {
        let operations = [
            named("GET", "/a", Some("listPets")),
            named("GET", "/b", Some("repos/get-content")),
            named("GET", "/customers/{id}/orders", None),
            named("GET", "/", None),
            named("GET", "/d", Some("Get the thing (v2)!")),
            named("GET", "/e", Some("日本語")),
            named("GET", "/f", Some("_private__x")),
        ];
        assert_eq!(
            of_tools(&operations, 64),
            [
                "listPets",
                "repos_get-content",
                "get_customers_by_id_orders",
                "get",
                "Get_the_thing_v2",
                "get_e",
                "_private__x"
            ]
        );
    }

    #[test]
    fn names_do_not_depend_on_order_and_are_unique() {
        let long = "x".repeat(100);
        let longer = "x".repeat(101);
        let mut operations = vec![
            named("GET", "/a", Some("same")),
            named("POST", "/a", Some("same")),
            named("GET", "/b", Some(&long)),
            named("GET", "/c", Some(&longer)),
            named("GET", "/d", Some("bridgehead_result")),
        ];
        let mut forth: Vec<_> = of_tools(&operations, 40);
        operations.reverse();
        let mut back = of_tools(&operations, 40);
        back.reverse();
        assert_eq!(forth, back);
        assert!(forth.iter().all(|name| name.len() <= 40), "{forth:?}");
        assert!(
            forth[0].starts_with("same_")
                && forth[1].starts_with("same_")
                && forth[4].starts_with("bridgehead_result_")
        );
        forth.sort();
        forth.dedup();
        assert_eq!(forth.len(), 5);
    }

    #[test]
    fn properties_get_an_alias_where_they_must() {
        for (text, expected) in [
            ("$top", "top"),
            ("filter[name]", "filter_name"),
            ("StartTime<", "StartTime"),
            ("a.b-c_d", "a.b-c_d"),
            ("@odata.type", "odata.type"),
            ("ids[]", "ids"),
        ] {
            assert_eq!(of_property(text), expected);
        }
        assert!(of_property("<>").starts_with("value_"));
        assert_eq!(of_property(&"y".repeat(80)).len(), 64);
    }
}
