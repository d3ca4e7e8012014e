//! What an operation wants presented, compared with the credential that is configured. Presents
//! nothing itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{reference::Resolver, settings::Presents};
use crate::http::Place;

/// What operations want and nobody presents, with how many want it.
#[derive(Debug, Default)]
pub(super) struct Unmet(BTreeMap<String, usize>);

impl Unmet {
    /// Looks at one operation.
    pub(super) fn look(&mut self, resolver: Resolver<'_>, root: &Value, operation: &Value, presents: &Presents) {
        if *presents == Presents::Caller {
            return;
        }
        let alternatives = operation.get("security").or_else(|| root.get("security")).and_then(Value::as_array);
        let Some(alternatives) = alternatives.filter(|alternatives| !alternatives.is_empty()) else { return };
        let mut words = Vec::new();
        for alternative in alternatives.iter().filter_map(Value::as_object) {
            let wanted: Vec<Option<Place>> = alternative.keys().map(|name| place(resolver, root, name)).collect();
            let is_met = wanted.iter().all(|place| match (place, presents) {
                (Some(place), Presents::At(places)) => places.iter().any(|known| same(known, place)),
                // What is not understood is left to the operator.
                (None, Presents::At(places)) => !places.is_empty(),
                (_, Presents::Nothing | Presents::Caller) => false,
            });
            if is_met {
                return;
            }
            let schemes: Vec<String> =
                alternative.keys().zip(&wanted).map(|(name, place)| said(name, place.as_ref())).collect();
            words.push(schemes.join(" and "));
        }
        if !words.is_empty() {
            *self.0.entry(words.join(", or ")).or_insert(0) += 1;
        }
    }

    /// One line for each combination.
    pub(super) fn lines(self) -> Vec<String> {
        let line = |(wanted, count): (String, usize)| {
            let who = if count == 1 { "1 operation wants".to_owned() } else { format!("{count} operations want") };
            format!("{who} a credential that is not configured: {wanted}. Set `credential`")
        };
        self.0.into_iter().map(line).collect()
    }
}

fn same(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::Cookie(a), Place::Cookie(b)) | (Place::Query(a), Place::Query(b)) => a == b,
        (Place::Header(a), Place::Header(b)) => a == b,
        _ => false,
    }
}

fn said(name: &str, place: Option<&Place>) -> String {
    match place {
        Some(Place::Header(header)) => format!("the header `{header}` (`{name}`)"),
        Some(Place::Query(parameter)) => format!("the query parameter `{parameter}` (`{name}`)"),
        Some(Place::Cookie(cookie)) => format!("the cookie `{cookie}` (`{name}`)"),
        None => format!("`{name}`"),
    }
}

/// Where a scheme wants its credential (OpenAPI 3.1 §4.8.27).
fn place(resolver: Resolver<'_>, root: &Value, name: &str) -> Option<Place> {
    let scheme = root.get("components")?.get("securitySchemes")?.get(name)?;
    let scheme = resolver.resolve(scheme).ok()?;
    let name = || scheme.get("name").and_then(Value::as_str);
    match (scheme.get("type")?.as_str()?, scheme.get("in").and_then(Value::as_str)) {
        ("apiKey", Some("header")) => Some(Place::Header(name()?.parse().ok()?)),
        ("apiKey", Some("query")) => Some(Place::Query(name()?.to_owned())),
        ("apiKey", Some("cookie")) => Some(Place::Cookie(name()?.to_owned())),
        ("http" | "oauth2" | "openIdConnect", _) => Some(Place::Header(http::header::AUTHORIZATION)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_wanted_and_not_presented_is_said_once() {
        let root = json!({
            "security": [{"key": []}, {"bearer": []}],
            "components": {"securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
                "bearer": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "query", "name": "token"},
            }},
        });
        let lines = |presents: &Presents| {
            let mut unmet = Unmet::default();
            for operation in [
                json!({}),
                json!({}),
                json!({"security": []}),
                json!({"security": [{}]}),
                json!({"security": [{"token": []}]}),
            ] {
                unmet.look(Resolver::new(&root), &root, &operation, presents);
            }
            unmet.lines()
        };
        let header = Presents::At(vec![Place::Header("x-api-key".parse().unwrap())]);
        let found = lines(&Presents::Nothing);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("2 operations want") && found[0].contains("`x-api-key` (`key`), or"), "{found:?}");
        assert_eq!(lines(&header).len(), 1);
        assert!(lines(&Presents::Caller).is_empty());
    }
}
