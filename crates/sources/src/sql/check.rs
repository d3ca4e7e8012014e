//! Everything about the settings that can be checked without the database: the statement, its
//! parameters declared and used, pages, columns, effects. Every fault is found in one go.

use std::collections::{BTreeMap, BTreeSet};

use bridgehead_core::{Effect, ScopeSet};

use super::{
    arguments::{self, Bound},
    datum::Shape,
    of_caller::{self, OfCaller},
    postgres,
    settings::{Column, Database, Page, Parameter, SqlFault, SqlSettings, SqlToolSettings},
    sqlite,
    statement::{self, Dialect, Statement},
};
use crate::parameter;
pub(super) use crate::parameter::type_words;

/// Names of the parameters that pages add.
pub(super) const CURSOR: &str = "cursor";
pub(super) const PAGE_SIZE: &str = "page_size";

/// A tool whose settings are sound; the database has not seen its statement yet.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) name: String,
    pub(super) title: Option<String>,
    pub(super) description: String,
    pub(super) statement: Statement,
    /// What the caller gives, in the order in which the operator declared it.
    pub(super) parameters: Vec<Bound>,
    /// What who calls decides.
    pub(super) of_caller: Vec<OfCaller>,
    /// Whether what comes of a call depends on who makes it.
    pub(super) per_caller: bool,
    pub(super) columns: BTreeMap<String, Noted>,
    pub(super) page: Option<Page>,
    pub(super) row_limit: usize,
    /// What is published: at least the statement's own effect.
    pub(super) effect: Effect,
    pub(super) scope: Option<String>,
    pub(super) idempotent: bool,
}

impl Plan {
    /// The parameter of that name, whoever decides on its value.
    pub(super) fn parameter(&self, name: &str) -> Option<&Bound> {
        self.parameters.iter().chain(self.of_caller.iter().map(|one| &one.bound)).find(|bound| bound.name == name)
    }
}

/// The operator's word on a column.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    pub(super) shape: Option<Shape>,
    pub(super) description: Option<String>,
}

/// Checks all that can be checked without the database: that each tool is one statement, that
/// parameters are declared and used, that pages, columns, scopes and effects make sense.
#[must_use]
pub fn check(settings: &SqlSettings) -> Vec<SqlFault> {
    plans(settings).1
}

/// The tools that are sound, and everything that is wrong with the others.
pub(super) fn plans(settings: &SqlSettings) -> (Vec<Plan>, Vec<SqlFault>) {
    let mut faults = Vec::new();
    let (dialect, refused) = match &settings.database {
        Database::Sqlite { path, .. } => (sqlite::DIALECT, sqlite::check(path).err()),
        Database::Postgres { url, .. } => (postgres::DIALECT, postgres::check(url).err()),
    };
    faults.extend(refused.map(|message| SqlFault::new(&["url"], message)));
    let session = match &settings.database {
        Database::Sqlite { .. } => &[][..],
        Database::Postgres { session, .. } => session,
    };
    faults.extend(postgres::check_session(session));
    let mut plans = Vec::new();
    let mut names = BTreeSet::new();
    for tool in &settings.tools {
        let before = faults.len();
        if !names.insert(&tool.name) {
            faults.push(SqlFault::new(&["tools", &tool.name], "Two tools have this name. Rename one of them."));
        }
        let mut judge = Judge { dialect, tool: &tool.name, faults: &mut faults };
        let plan = judge.plan(tool).map(|plan| Plan { per_caller: plan.per_caller || !session.is_empty(), ..plan });
        if before == faults.len() {
            plans.extend(plan);
        }
    }
    if settings.effects_table && faults.is_empty() && plans.iter().all(|plan| plan.effect.is_read()) {
        let message = "No tool of this source changes anything, so there is no effect to remember. Leave it out.";
        faults.push(SqlFault::new(&["effects_table"], message));
    }
    (plans, faults)
}

/// Collects the faults of one tool.
struct Judge<'a> {
    dialect: Dialect,
    tool: &'a str,
    faults: &'a mut Vec<SqlFault>,
}

impl Judge<'_> {
    fn fault(&mut self, below: &[&str], message: impl Into<String>) {
        let path: Vec<&str> = ["tools", self.tool].into_iter().chain(below.iter().copied()).collect();
        self.faults.push(SqlFault::new(&path, message));
    }

    fn plan(&mut self, tool: &SqlToolSettings) -> Option<Plan> {
        let statement = statement::parse(self.dialect, &tool.sql).map_err(|message| self.fault(&["sql"], message)).ok();
        let of_caller = tool.of_caller.iter().map(of_caller::declared);
        let declared: Vec<Parameter> = tool.parameters.iter().cloned().chain(of_caller).collect();
        self.faults.extend(parameter::faults(&declared, &["tools", self.tool]));
        if let Some(statement) = &statement {
            self.uses(statement, &declared);
        }
        let columns = self.columns(&tool.columns);
        if tool.row_limit == 0 {
            self.fault(
                &["row_limit"],
                "A limit of 0 rows would never return anything. Set 1 or more, or leave it out.",
            );
        }
        if let Some(scope) = &tool.scope
            && let Err(error) = ScopeSet::default().insert(scope)
        {
            self.fault(&["scope"], error.to_string());
        }
        let statement = statement?;
        if let Some(page) = &tool.page {
            self.page(page, &statement, &declared);
        }
        let effect = self.effect(tool.effect, statement.effect);
        Some(Plan {
            name: tool.name.clone(),
            title: tool.title.clone(),
            description: tool.description.clone(),
            parameters: tool.parameters.iter().map(arguments::bound).collect(),
            of_caller: tool.of_caller.iter().filter_map(OfCaller::new).collect(),
            per_caller: !tool.of_caller.is_empty(),
            columns,
            page: tool.page.clone(),
            row_limit: tool.row_limit,
            effect,
            scope: tool.scope.clone(),
            idempotent: tool.idempotent.unwrap_or(statement.effect.is_read()),
            statement,
        })
    }

    /// The operator may know of more than the statement shows (a trigger), never of less.
    fn effect(&mut self, configured: Option<Effect>, read: Effect) -> Effect {
        let Some(configured) = configured else { return read };
        if configured < read {
            self.fault(
                &["effect"],
                format!(
                    "The statement is `{read}`, and `effect` can only make a tool more careful than its statement \
                     (read < write < destructive). Leave `effect` out, or set it to `{}`.",
                    Effect::Destructive
                ),
            );
        }
        configured.max(read)
    }

    /// Declared against used, both ways.
    fn uses(&mut self, statement: &Statement, declared: &[Parameter]) {
        for name in &statement.parameters {
            if !declared.iter().any(|parameter| &parameter.name == name) {
                self.fault(
                    &["sql"],
                    format!(
                        "The statement uses :{name}, and there is no parameters.{name}. Declare it, for example \
                         parameters.{name} = {{ type = \"string\", description = \"…\" }}."
                    ),
                );
            }
        }
        for parameter in declared {
            if !statement.parameters.contains(&parameter.name) {
                self.fault(
                    &["parameters", &parameter.name],
                    format!("The statement does not use :{}. Use it, or remove the parameter.", parameter.name),
                );
            }
        }
    }

    fn columns(&mut self, noted: &[Column]) -> BTreeMap<String, Noted> {
        let mut columns = BTreeMap::new();
        for column in noted {
            let shape = column.type_.as_deref().map(|word| (word, Shape::from_word(word)));
            if let Some((word, None)) = shape {
                self.fault(
                    &["columns", &column.name, "type"],
                    format!("`{word}` is not a type. Use string, integer, number, boolean, object or array."),
                );
            }
            let noted = Noted { shape: shape.and_then(|(_, shape)| shape), description: column.description.clone() };
            if columns.insert(column.name.clone(), noted).is_some() {
                self.fault(&["columns", &column.name], "This column is described twice. Remove one of the two.");
            }
        }
        columns
    }

    fn page(&mut self, page: &Page, statement: &Statement, parameters: &[Parameter]) {
        if !statement.effect.is_read() {
            self.fault(&["page"], "Only a read has pages, and this statement changes rows. Remove `page`.");
        }
        if page.key.is_empty() {
            self.fault(
                &["page", "key"],
                "Name at least one result column that no two rows share, e.g. key = [\"id\"].",
            );
        }
        let mut names = BTreeSet::new();
        for key in &page.key {
            if !names.insert(key.to_lowercase()) {
                self.fault(&["page", "key"], format!("`{key}` is named twice. Name it once."));
            }
        }
        if page.size == 0 {
            self.fault(&["page", "size"], "A page of 0 rows would never end. Set 1 or more.");
        }
        for parameter in parameters.iter().filter(|parameter| [CURSOR, PAGE_SIZE].contains(&parameter.name.as_str())) {
            self.fault(
                &["parameters", &parameter.name],
                format!("A tool with pages has a parameter `{}` of its own. Rename this one.", parameter.name),
            );
        }
    }
}
