//! What an operation wants presented: compared with the credential that is configured, and followed
//! where a vault's fields are to stand as the description says. Presents nothing itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{reference::Resolver, settings::Presents};
use crate::{
    fault::SourceFault,
    http::{Credential, Place, VaultPlaces, VaultPresentation},
};

/// A credential whose fields stand as the description says gets its places: one field in the one
/// scheme that is used, several each in the scheme of its name.
///
/// # Errors
/// The description does not say where a field stands.
pub(super) fn placed(root: &Value, credential: Credential) -> Result<Credential, SourceFault> {
    let Credential::Vault(mut vault) = credential else { return Ok(credential) };
    let VaultPlaces::AsDescribed { fields } = &vault.places else { return Ok(Credential::Vault(vault)) };
    let schemes = used_schemes(root);
    let place_of = |field: &String| {
        let scheme = match (fields.as_slice(), schemes.as_slice()) {
            ([_], [only]) => Some(*only),
            _ => schemes.iter().copied().find(|scheme| scheme == field),
        };
        scheme.and_then(|scheme| presentation(root, scheme, field)).ok_or_else(|| undecided(field, &schemes))
    };
    vault.places = VaultPlaces::At(fields.iter().map(place_of).collect::<Result<_, _>>()?);
    Ok(Credential::Vault(vault))
}

fn undecided(field: &str, schemes: &[&str]) -> SourceFault {
    let known = match schemes {
        [] => "The description names no security scheme".to_owned(),
        schemes => format!("The description has the security schemes {}", schemes.join(", ")),
    };
    SourceFault::new(
        &["credential"],
        format!(
            "{known}, and does not say in which header `{field}` is sent. Write it: \
             credential = {{ vault = \"…\", header = \"X-Api-Key\", value = \"{{{field}}}\" }}."
        ),
    )
}

/// The schemes that the root or an operation asks for; where none is asked for, all.
fn used_schemes(root: &Value) -> Vec<&str> {
    let operations = root.get("paths").and_then(Value::as_object).into_iter().flat_map(|paths| paths.values());
    let operations = operations.filter_map(Value::as_object).flat_map(|item| item.values());
    let wanted: BTreeSet<&str> = std::iter::once(root)
        .chain(operations)
        .filter_map(|around| around.get("security")?.as_array())
        .flatten()
        .filter_map(Value::as_object)
        .flat_map(|alternative| alternative.keys().map(String::as_str))
        .collect();
    let schemes = root.pointer("/components/securitySchemes").and_then(Value::as_object);
    let all = schemes.into_iter().flat_map(|schemes| schemes.keys().map(String::as_str));
    all.filter(|scheme| wanted.is_empty() || wanted.contains(scheme)).collect()
}

/// How a scheme wants a field that is a key or a token; `None` for one that wants more than that.
fn presentation(root: &Value, name: &str, field: &str) -> Option<VaultPresentation> {
    let resolver = Resolver::new(root);
    let place = place(resolver, root, name)?;
    let scheme = resolver.resolve(root.get("components")?.get("securitySchemes")?.get(name)?).ok()?;
    let value = match (scheme.get("type")?.as_str()?, scheme.get("scheme").and_then(Value::as_str)) {
        ("apiKey", _) => format!("{{{field}}}"),
        ("http", Some(kind)) if kind.eq_ignore_ascii_case("bearer") => format!("Bearer {{{field}}}"),
        ("oauth2" | "openIdConnect", _) => format!("Bearer {{{field}}}"),
        _ => return None,
    };
    VaultPresentation::new(place, &value).ok()
}

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
    use crate::http::VaultCredential;

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

    /// P2: what teammates enter stands where the description says.
    #[test]
    fn the_fields_of_a_vault_find_their_places() {
        let described = |security: Value, schemes: Value| json!({"paths": {"/a": {"get": {"security": security}}}, "components": {"securitySchemes": schemes}});
        let key = json!({"type": "apiKey", "in": "header", "name": "X-Api-Key"});
        let tenant = json!({"type": "apiKey", "in": "query", "name": "tenant"});
        let bearer = json!({"type": "http", "scheme": "Bearer"});
        let placed = |root: &Value, fields: &[&str]| {
            let fields = fields.iter().map(|field| (*field).to_owned()).collect();
            let places = VaultPlaces::AsDescribed { fields };
            let credential = Credential::Vault(VaultCredential { vault: "crm".into(), places });
            super::placed(root, credential).map(|credential| match credential {
                Credential::Vault(vault) => vault.places().cloned().collect::<Vec<_>>(),
                _ => panic!("it stays in its vault"),
            })
        };
        let x_api_key = Place::Header("x-api-key".parse().unwrap());
        let root = described(json!([{"key": []}]), json!({"key": key, "bearer": bearer}));
        assert_eq!(placed(&root, &["api_key"]), Ok(vec![x_api_key.clone()]), "the one that is used");
        let root = described(json!([]), json!({"bearer": bearer}));
        assert_eq!(placed(&root, &["api_key"]), Ok(vec![Place::Header(http::header::AUTHORIZATION)]));
        let root = described(json!([{"key": [], "tenant": []}]), json!({"key": key, "tenant": tenant}));
        assert_eq!(placed(&root, &["tenant", "key"]), Ok(vec![Place::Query("tenant".into()), x_api_key]), "by name");
        for (root, fields) in [
            (root, &["api_key"][..]),
            (described(json!([]), json!({})), &["api_key"]),
            (described(json!([]), json!({"basic": {"type": "http", "scheme": "basic"}})), &["api_key"]),
        ] {
            let fault = placed(&root, fields).unwrap_err();
            assert!(fault.message.contains("value = \"{api_key}\""), "{fault}");
        }
    }
}
