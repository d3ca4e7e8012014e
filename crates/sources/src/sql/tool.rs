//! From a sound plan and what the database says of its statement to a tool that can be called: the
//! columns get their types, and the schemas are written.

use std::collections::BTreeSet;

use bridgehead_core::ToolSpec;
use serde_json::{Map, Value, json};

use super::{
    arguments::Bound,
    check::{CURSOR, PAGE_SIZE, Plan},
    datum::Shape,
    driver::Driver,
    of_caller::OfCaller,
    page::Paged,
    settings::SqlFault,
};

/// A tool, ready for calls.
pub(super) struct Tool<D: Driver> {
    pub(super) spec: ToolSpec,
    pub(super) parameters: Vec<Bound>,
    pub(super) of_caller: Vec<OfCaller>,
    /// The statement's numbered parameters: the name of each, and what the database takes for it.
    pub(super) order: Vec<(String, D::Slot)>,
    pub(super) columns: Vec<OutputColumn>,
    pub(super) run: Run<D::Command>,
}

/// What a call does.
pub(super) enum Run<Command> {
    /// Up to this many rows.
    Read { command: Command, row_limit: usize },
    /// A page of up to `size` rows; `key` are the names of result columns.
    Page { paged: Paged<Command>, key: Vec<String>, size: usize },
    /// A transaction with one statement; up to this many of the rows that it returns.
    Write { command: Command, row_limit: usize, answer: Answer },
}

/// What a change answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// How many rows were changed, and the rows of a RETURNING clause.
    Affected,
    /// The rows of a SELECT that changes something by what it calls.
    Rows,
}

/// One column of the rows that go out.
#[derive(Debug, Clone)]
pub(super) struct OutputColumn {
    pub(super) name: String,
    pub(super) shape: Shape,
    description: Option<String>,
}

/// Something wrong with a setting of the plan's tool.
pub(super) fn fault(plan: &Plan, below: &[&str], message: impl Into<String>) -> SqlFault {
    let path: Vec<&str> = ["tools", plan.name.as_str()].into_iter().chain(below.iter().copied()).collect();
    SqlFault::new(&path, message)
}

/// The statement is not what the database takes.
pub(super) fn not_taken(plan: &Plan, said: &str) -> SqlFault {
    fault(
        plan,
        &["sql"],
        format!("The database does not take this statement: {said}. Mend the statement, or the database."),
    )
}

/// The columns of the result, by what the database says of them and what the operator knows.
///
/// # Errors
/// Two have one name, or the plan names one that is not there.
pub(super) fn columns(plan: &Plan, found: Vec<(String, Shape)>) -> Result<Vec<OutputColumn>, Vec<SqlFault>> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    for (name, _) in &found {
        if !names.insert(name.to_lowercase()) {
            faults.push(fault(
                plan,
                &["sql"],
                format!("Two result columns are called `{name}`. Give one an alias: … AS other_{name}."),
            ));
        }
    }
    let absent = |name: &str| {
        if found.is_empty() {
            format!("The statement returns no columns, so there is no `{name}`. Add RETURNING, or remove this.")
        } else {
            let listed = found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
            format!("The statement returns no column `{name}`. It returns {listed}.")
        }
    };
    let is_column = |name: &String| found.iter().any(|(column, _)| column == name);
    let noted = plan.columns.keys().filter(|name| !is_column(name));
    faults.extend(noted.map(|name| fault(plan, &["columns", name], absent(name))));
    let keys = plan.page.iter().flat_map(|page| &page.key).filter(|name| !is_column(name));
    faults.extend(keys.map(|name| fault(plan, &["page", "key"], absent(name))));
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(found
        .into_iter()
        .map(|(name, declared)| {
            let noted = plan.columns.get(&name);
            OutputColumn {
                shape: noted.and_then(|noted| noted.shape.clone()).unwrap_or(declared),
                description: noted.and_then(|noted| noted.description.clone()),
                name,
            }
        })
        .collect())
}

/// The tool, with what it publishes.
pub(super) fn tool<D: Driver>(
    plan: Plan,
    slots: Vec<D::Slot>,
    columns: Vec<OutputColumn>,
    run: Run<D::Command>,
) -> Tool<D> {
    let mut spec = ToolSpec::new(plan.name, plan.description);
    spec.title = plan.title;
    spec.effect = plan.effect;
    spec.idempotent = plan.idempotent;
    spec.scope = plan.scope;
    spec.per_caller = plan.per_caller;
    spec.input_schema = input_schema(&plan.parameters, plan.page.as_ref().map(|page| page.size));
    spec.output_schema = Some(output_schema(&columns, &run));
    let order = plan.statement.parameters.into_iter().zip(slots).collect();
    Tool { spec, parameters: plan.parameters, of_caller: plan.of_caller, order, columns, run }
}

fn input_schema(parameters: &[Bound], page_size: Option<usize>) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for parameter in parameters {
        properties.insert(parameter.name.clone(), Value::Object(parameter.schema.clone()));
        if parameter.required {
            required.push(parameter.name.as_str());
        }
    }
    if let Some(size) = page_size {
        properties.insert(
            CURSOR.into(),
            json!({
                "type": ["string", "null"],
                "description": "Where to go on: next_cursor of the page before, with the same arguments. Leave it out for the first page.",
            }),
        );
        properties.insert(
            PAGE_SIZE.into(),
            json!({
                "type": ["integer", "null"], "minimum": 1, "maximum": size, "default": size,
                "description": "How many rows at most.",
            }),
        );
    }
    object_schema(properties, json!(required))
}

fn output_schema<Command>(columns: &[OutputColumn], run: &Run<Command>) -> Map<String, Value> {
    let row: Map<String, Value> = columns
        .iter()
        .map(|column| {
            let mut schema = column.shape.schema();
            if let Some(description) = &column.description {
                schema.insert("description".into(), description.as_str().into());
            }
            (column.name.clone(), Value::Object(schema))
        })
        .collect();
    let names: Vec<Value> = columns.iter().map(|column| column.name.as_str().into()).collect();
    let rows = json!({"type": "array", "items": object_schema(row, names.into())});
    let mut properties = Map::new();
    if let Run::Write { answer: Answer::Affected, .. } = run {
        properties.insert(
            "affected".into(),
            json!({"type": "integer", "minimum": 0, "description": "How many rows were added, changed or removed."}),
        );
        if !columns.is_empty() {
            properties.insert("rows".into(), rows);
        }
    } else {
        properties.insert("rows".into(), rows);
        properties.insert(
            "row_count".into(),
            json!({"type": "integer", "minimum": 0, "description": "How many rows are here."}),
        );
    }
    if let Run::Page { .. } = run {
        properties.insert(
            "next_cursor".into(),
            json!({"type": ["string", "null"], "description": "Give it as cursor to get the next page; null on the last one."}),
        );
    }
    let required: Vec<Value> = properties.keys().map(|name| name.as_str().into()).collect();
    object_schema(properties, required.into())
}

fn object_schema(properties: Map<String, Value>, required: Value) -> Map<String, Value> {
    let mut schema = Map::new();
    schema.insert("type".into(), "object".into());
    schema.insert("properties".into(), properties.into());
    if required.as_array().is_some_and(|names| !names.is_empty()) {
        schema.insert("required".into(), required);
    }
    schema.insert("additionalProperties".into(), false.into());
    schema
}
