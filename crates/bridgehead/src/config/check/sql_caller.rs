//! What of a `sql` source who calls decides: parameters with `from`, settings of `session`.

use bridgehead_sources::sql::{CallerParameter, CallerValue, SessionSetting};
use serde_json::{Map, Value, json};

use super::{Check, sql::type_name};
use crate::config::{
    fault::KeyPath,
    raw::{RawParameter, RawParameterType, Table},
    settings::{AuthSettings, Database, SourceKind, SourceSettings, SqlSettings},
};

impl Check<'_> {
    /// The settings of a source's transactions.
    pub(super) fn session(&mut self, path: &KeyPath, raw: Table<String>) -> Vec<SessionSetting> {
        let each = raw.0.into_iter().filter_map(|(name, from)| {
            let from = self.caller_value(&path.key(&name), &from)?;
            Some(SessionSetting { name, from })
        });
        each.collect()
    }

    /// A parameter that who calls decides; `path` is that of all parameters.
    pub(super) fn of_caller(&mut self, path: &KeyPath, name: String, raw: RawParameter) -> Option<CallerParameter> {
        let path = path.key(&name);
        let superfluous = [
            ("description", raw.description.is_some()),
            ("enum", raw.r#enum.is_some()),
            ("minimum", raw.minimum.is_some()),
            ("maximum", raw.maximum.is_some()),
            ("pattern", raw.pattern.is_some()),
            ("format", raw.format.is_some()),
            ("default", raw.default.is_some()),
            ("examples", raw.examples.is_some()),
            ("required", raw.required.is_some()),
        ];
        for (key, _) in superfluous.into_iter().filter(|(_, is_there)| *is_there) {
            self.findings.fault_at_key(
                &path.key(key),
                "is for parameters that an agent gives, and `from` takes this one from who calls",
                "remove it; beside `from` stand `type` and `items` alone",
            );
        }
        let from = self.caller_value(&path.key("from"), &raw.from?)?;
        let kind = raw.r#type.unwrap_or(RawParameterType::String);
        if from == CallerValue::Subject && kind != RawParameterType::String {
            self.findings.fault(
                &path.key("type"),
                "the caller's subject is a string",
                "write \"string\", or leave it out",
            );
        }
        let mut schema = Map::new();
        schema.insert("type".into(), type_name(kind).into());
        match raw.items {
            Some(items) => drop(schema.insert("items".into(), Value::Object(items))),
            None if kind == RawParameterType::Array => drop(schema.insert("items".into(), json!({"type": "string"}))),
            None => {}
        }
        Some(CallerParameter { name, from, schema })
    }

    fn caller_value(&mut self, path: &KeyPath, text: &str) -> Option<CallerValue> {
        text.parse()
            .map_err(|error| {
                let shown = self.findings.places.quote(path, text);
                self.findings.fault(
                    path,
                    format!("{shown} {error}"),
                    "write \"caller.subject\", or a claim: \"caller.claims.team\", \"caller.claims.realm_access.roles\"; \
                     \"caller.claims/NAME\" for a name with dots in it, and ~1 for each / of the name",
                );
            })
            .ok()
    }

    /// Statements ask only for what the modes say of callers: where nobody signs in, nothing, and claims
    /// come from the identity provider, or the other authorization server, at which people sign in.
    pub(super) fn callers_are_known(&mut self, auth: &AuthSettings, sources: &[SourceSettings]) {
        let nobody = matches!(auth, AuthSettings::Open);
        let no_claims = auth.login().is_none() && auth.foreign_oauth().is_none();
        for source in sources {
            let SourceKind::Sql(sql) = &source.kind else { continue };
            for (path, from) in questions(&KeyPath::of(["sources", &source.name]), sql) {
                if nobody {
                    self.findings.fault(
                        &path,
                        "asks who calls, and with `auth.mode = \"open\"` nobody is asked: all callers are the same",
                        "let callers sign in (`auth.mode = \"api_key\"` or \"oauth\"), or write a fixed value into the statement",
                    );
                } else if no_claims && *from != CallerValue::Subject {
                    self.findings.fault(
                        &path,
                        "asks for a claim, and no mode of this server brings any: keys and passwords say a name and no more",
                        "use \"caller.subject\", or let people sign in at an identity provider (`auth.oauth.login`) or at an \
                         authorization server that the company has (`auth.oauth.issuer`)",
                    );
                }
            }
        }
    }
}

/// Every place at which a source asks who calls, and what it asks for.
fn questions<'s>(source: &KeyPath, sql: &'s SqlSettings) -> Vec<(KeyPath, &'s CallerValue)> {
    let session = match &sql.database {
        Database::Postgres { session, .. } => session.as_slice(),
        Database::Sqlite { .. } => &[],
    };
    let of_session = session.iter().map(|setting| (source.key("session").key(&setting.name), &setting.from));
    let of_tools = sql.tools.iter().flat_map(|tool| {
        let parameters = source.key("tools").key(&tool.name).key("parameters");
        tool.of_caller.iter().map(move |one| (parameters.key(&one.name).key("from"), &one.from))
    });
    of_session.chain(of_tools).collect()
}
