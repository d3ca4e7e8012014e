//! Sources of the type `sql`.

use std::path::PathBuf;

use bridgehead_core::{Effect, Secret, WireName};
use bridgehead_sources::sql;
use serde_json::{Map, Value};

use super::{Check, is_postgres, size, sqlite_file};
use crate::config::{
    fault::KeyPath,
    raw::{RawColumn, RawEffect, RawParameter, RawParameterType, RawSqlSource, RawSqlTool, Table},
    settings::{
        Column, DEFAULT_ROW_LIMIT, Database, Page, Parameter, SessionSetting, SqlSettings, SqlToolSettings,
        StoreSettings,
    },
};

/// What is known around a source.
pub(super) struct Around<'a> {
    /// Its path.
    pub(super) path: &'a KeyPath,
    /// Its name.
    pub(super) name: &'a str,
    /// Its checked prefix.
    pub(super) prefix: &'a str,
    /// The names of all sources.
    pub(super) names: &'a [String],
    /// The store, where it is known.
    pub(super) store: Option<&'a StoreSettings>,
}

impl Check<'_> {
    /// The settings of one source; `None` where it cannot even be said which kind of database is meant.
    pub(super) fn sql(&mut self, around: &Around<'_>, raw: RawSqlSource) -> Option<SqlSettings> {
        let path = around.path;
        let tools = raw.tools.unwrap_or_default().0;
        if tools.is_empty() {
            self.findings.missing(
                &path.key("tools"),
                "the source has no tools",
                format!("add a table such as `[{path}.tools.find_stock]` with `description` and `sql`"),
            );
        }
        let tools = tools
            .into_iter()
            .filter_map(|(tool, raw)| {
                let path = path.key("tools").key(&tool);
                self.wire_name(around, &path, &tool);
                self.sql_tool(&path, tool, raw)
            })
            .collect();
        let session = self.session(&path.key("session"), raw.session);
        let database = self.database(around, raw.url?.0, raw.seed, session);
        let effects_table = raw.effects_table.unwrap_or(false);
        let settings = SqlSettings { name: around.name.to_owned(), database, effects_table, tools };
        self.statements(path, &settings);
        Some(settings)
    }

    /// Which database a URL names. Whether that of a server can be read is said with the statements.
    fn database(
        &mut self,
        around: &Around<'_>,
        text: String,
        seed: Option<String>,
        session: Vec<SessionSetting>,
    ) -> Database {
        let url = around.path.key("url");
        if is_postgres(&text) {
            if seed.is_some() {
                self.findings.fault_at_key(
                    &around.path.key("seed"),
                    "is for a SQLite file, which is made when it is not there",
                    "leave it out, and make the tables on the server with psql",
                );
            }
            return Database::Postgres { url: Secret::new(text), session };
        }
        if !session.is_empty() {
            self.findings.fault_at_key(
                &around.path.key("session"),
                "is for PostgreSQL, whose policies can read it",
                "leave it out, and write parameters with `from` into the statements",
            );
        }
        let path = match sqlite_file(&text) {
            Ok(file) => self.absolute(file),
            Err((message, mend)) => {
                self.findings.fault(&url, message, mend);
                PathBuf::new()
            }
        };
        if around.store.and_then(StoreSettings::path) == Some(&path) {
            self.findings.fault(
                &url,
                "is the file of `store.url`, where Bridgehead keeps the keys of all teammates",
                "give one of the two a file of its own",
            );
        }
        Database::Sqlite { path, seed: seed.map(|seed| self.absolute(&seed)) }
    }

    /// What can be said about the statements without the database. Where something was wrong
    /// before, nothing is said again, nor of parameters that are not all known.
    fn statements(&mut self, source: &KeyPath, settings: &SqlSettings) {
        let mut found = Vec::new();
        for fault in sql::check(settings) {
            let path = fault.path.iter().fold(source.clone(), |path, key| path.key(key));
            let tool = fault.path.iter().take(2).fold(source.clone(), |path, key| path.key(key));
            let parameters = tool.key("parameters");
            let about_parameters = parameters.is_around(&path) || tool.key("sql") == path;
            let known = self.findings.is_wrong_inside(&path)
                || (about_parameters && self.findings.is_wrong_inside(&parameters));
            if !known {
                found.push((path, fault.message));
            }
        }
        for (path, message) in found {
            self.findings.fault_in_words(&path, &message);
        }
    }

    pub(super) fn wire_name(&mut self, around: &Around<'_>, path: &KeyPath, tool: &str) {
        let prefix = around.prefix;
        let wire = if prefix.is_empty() { tool.to_owned() } else { format!("{prefix}_{tool}") };
        if let Err(error) = WireName::parse(&wire) {
            self.findings.fault_at_key(path, error.to_string(), "rename the tool, or shorten the source's `prefix`");
            return;
        }
        let of_search = |source: &String| {
            let rest = wire.strip_prefix(source.as_str()).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|rest| matches!(rest, "find" | "describe" | "call"))
        };
        if wire == "bridgehead_result" || around.names.iter().any(of_search) {
            self.findings.fault_at_key(
                path,
                format!("`{wire}` is a name that Bridgehead keeps for a tool of its own"),
                "rename the tool, or change the source's `prefix`",
            );
        }
    }

    fn sql_tool(&mut self, path: &KeyPath, name: String, raw: RawSqlTool) -> Option<SqlToolSettings> {
        let description = self.description(path, raw.description);
        let below = path.key("parameters");
        let (of_caller, given) = raw.parameters.0.into_iter().partition(|(_, raw)| raw.from.is_some());
        let parameters = self.parameters(&below, Table(given));
        let of_caller: Vec<(String, RawParameter)> = of_caller;
        let of_caller = of_caller.into_iter().filter_map(|(name, raw)| self.of_caller(&below, name, raw)).collect();
        let columns = raw.columns.0.into_iter().map(|(name, raw)| column(name, raw)).collect();
        let page = raw.page.and_then(|page| Some(Page { key: page.key?, size: size(page.size?) }));
        Some(SqlToolSettings {
            name,
            title: raw.title,
            description,
            sql: raw.sql?,
            parameters,
            of_caller,
            columns,
            page,
            row_limit: raw.row_limit.map_or(DEFAULT_ROW_LIMIT, size),
            effect: raw.effect.map(effect),
            scope: raw.scope,
            idempotent: raw.idempotent,
        })
    }

    /// A tool's description. Without one, a fault was named before, and the rest is checked all the
    /// same.
    pub(super) fn description(&mut self, tool: &KeyPath, description: Option<String>) -> String {
        if description.as_ref().is_some_and(|text| text.trim().is_empty()) {
            self.findings.fault(
                &tool.key("description"),
                "is empty, and it is all that an agent sees of the tool",
                "say what the tool does, when to use it and what it returns",
            );
        }
        description.unwrap_or_default().trim().to_owned()
    }

    pub(super) fn parameters(&mut self, path: &KeyPath, raw: Table<RawParameter>) -> Vec<Parameter> {
        let mut parameters = Vec::new();
        for (name, raw) in raw.0 {
            if raw.required == Some(true) && raw.default.is_some() {
                self.findings.fault(
                    &path.key(&name).key("required"),
                    "is true, and there is a `default` for callers that leave the parameter out",
                    "remove one of the two",
                );
            }
            let required = raw.required.unwrap_or(raw.default.is_none());
            if raw.r#type.is_none() {
                self.findings.missing(
                    &path.key(&name).key("type"),
                    "is required and missing",
                    "add `type = …`: the JSON type of the value",
                );
            }
            if let Some(schema) = parameter_schema(raw) {
                parameters.push(Parameter { name, schema, required });
            }
        }
        parameters
    }
}

/// The JSON Schema of a parameter; `None` without a type, which was named before.
fn parameter_schema(raw: RawParameter) -> Option<Map<String, Value>> {
    let mut schema = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            schema.insert(key.to_owned(), value);
        }
    };
    put("type", Some(type_name(raw.r#type?).into()));
    put("description", raw.description.map(Value::from));
    put("enum", raw.r#enum.map(Value::Array));
    put("minimum", raw.minimum.map(Value::Number));
    put("maximum", raw.maximum.map(Value::Number));
    put("pattern", raw.pattern.map(Value::from));
    put("format", raw.format.map(Value::from));
    put("items", raw.items.map(Value::Object));
    put("default", raw.default);
    put("examples", raw.examples.map(Value::Array));
    Some(schema)
}

fn column(name: String, raw: RawColumn) -> Column {
    Column { name, type_: raw.r#type.map(|kind| type_name(kind).to_owned()), description: raw.description }
}

pub(super) const fn type_name(kind: RawParameterType) -> &'static str {
    match kind {
        RawParameterType::String => "string",
        RawParameterType::Integer => "integer",
        RawParameterType::Number => "number",
        RawParameterType::Boolean => "boolean",
        RawParameterType::Array => "array",
        RawParameterType::Object => "object",
    }
}

pub(super) const fn effect(raw: RawEffect) -> Effect {
    match raw {
        RawEffect::Read => Effect::Read,
        RawEffect::Write => Effect::Write,
        RawEffect::Destructive => Effect::Destructive,
    }
}
