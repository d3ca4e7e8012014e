//! From a sound plan and a database to a tool that can be called: the statement is prepared, its
//! columns get their types, and the schemas are written.

use std::collections::BTreeSet;

use bridgehead_core::ToolSpec;
use serde_json::{Map, Value, json};
use sqlx::{
    Column as _, ColumnOrigin, Either, Executor as _, SqliteConnection, Statement as _, TypeInfo as _,
    sqlite::SqliteColumn,
};

use super::{
    arguments::Bound,
    check::{CURSOR, PAGE_SIZE, Plan},
    command::Command,
    datum::Shape,
    failure,
    page::Paged,
    settings::SqlFault,
};

/// A tool, ready for calls.
pub(super) struct Tool {
    pub(super) spec: ToolSpec,
    pub(super) parameters: Vec<Bound>,
    /// Names of the statement's numbered parameters.
    pub(super) order: Vec<String>,
    pub(super) columns: Vec<OutputColumn>,
    pub(super) run: Run,
}

/// What a call does.
pub(super) enum Run {
    /// Up to this many rows.
    Read { command: Command, row_limit: usize },
    /// A page of up to `size` rows; `key` are the names of result columns.
    Page { paged: Paged, key: Vec<String>, size: usize },
    /// A transaction with one statement; up to this many rows of a RETURNING clause.
    Write { command: Command, row_limit: usize },
}

/// One column of the rows that go out.
#[derive(Debug, Clone)]
pub(super) struct OutputColumn {
    pub(super) name: String,
    pub(super) shape: Shape,
    description: Option<String>,
}

/// Names of the tables whose columns hold nothing but their declared type.
pub(super) async fn strict_tables(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, sqlx::Error> {
    let names: Vec<(String,)> =
        sqlx::query_as("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 1")
            .fetch_all(connection)
            .await?;
    Ok(names.into_iter().map(|(name,)| name).collect())
}

/// Prepares the statement of one tool.
///
/// # Errors
/// Everything that the database finds wrong with it.
pub(super) async fn prepare(
    connection: &mut SqliteConnection,
    plan: Plan,
    strict: &BTreeSet<String>,
) -> Result<Tool, Vec<SqlFault>> {
    let fault = |below: &[&str], message: String| {
        let path: Vec<&str> = ["tools", plan.name.as_str()].into_iter().chain(below.iter().copied()).collect();
        SqlFault::new(&path, message)
    };
    let command = Command::new(plan.statement.sql.as_str(), plan.statement.has_star);
    let statement = match connection.prepare(command.sql()).await {
        Ok(statement) => statement,
        Err(error) => {
            let said = failure::words(&error);
            return Err(vec![fault(
                &["sql"],
                format!("The database does not take this statement: {said}. Mend the statement, or the database."),
            )]);
        }
    };
    let mut faults = Vec::new();
    let found = statement.parameters().and_then(Either::right);
    if found != Some(plan.statement.parameters.len()) {
        faults.push(fault(
            &["sql"],
            "The database finds other parameters in this statement than we do. Write each as :name, with a space before it.".into(),
        ));
    }
    let columns = statement.columns();
    let mut names = BTreeSet::new();
    for column in columns {
        if !names.insert(column.name().to_lowercase()) {
            faults.push(fault(
                &["sql"],
                format!("Two result columns are called `{0}`. Give one an alias: … AS other_{0}.", column.name()),
            ));
        }
    }
    let listed = || columns.iter().map(|column| column.name()).collect::<Vec<_>>().join(", ");
    let absent = |name: &str| {
        if columns.is_empty() {
            format!("The statement returns no columns, so there is no `{name}`. Add RETURNING, or remove this.")
        } else {
            format!("The statement returns no column `{name}`. It returns {}.", listed())
        }
    };
    let is_column = |name: &String| columns.iter().any(|column| column.name() == name);
    faults.extend(
        plan.columns.keys().filter(|name| !is_column(name)).map(|name| fault(&["columns", name], absent(name))),
    );
    let keys = plan.page.iter().flat_map(|page| &page.key);
    faults.extend(keys.filter(|name| !is_column(name)).map(|name| fault(&["page", "key"], absent(name))));
    let columns: Vec<OutputColumn> = columns.iter().map(|column| output_column(column, &plan, strict)).collect();
    if !faults.is_empty() {
        return Err(faults);
    }
    Ok(tool(plan, command, columns))
}

fn output_column(column: &SqliteColumn, plan: &Plan, strict: &BTreeSet<String>) -> OutputColumn {
    let noted = plan.columns.get(column.name());
    let strict = match column.origin() {
        ColumnOrigin::Table(origin) => strict.contains(origin.table.as_ref()),
        _ => false,
    };
    let declared = || Shape::from_declared(column.type_info().name(), strict);
    OutputColumn {
        name: column.name().to_owned(),
        shape: noted.and_then(|noted| noted.shape).unwrap_or_else(declared),
        description: noted.and_then(|noted| noted.description.clone()),
    }
}

fn tool(plan: Plan, command: Command, columns: Vec<OutputColumn>) -> Tool {
    let mut spec = ToolSpec::new(plan.name, plan.description);
    spec.title = plan.title;
    spec.effect = plan.effect;
    spec.idempotent = plan.idempotent;
    spec.scope = plan.scope;
    let size = plan.page.as_ref().map(|page| page.size);
    spec.input_schema = input_schema(&plan.parameters, size);
    let is_read = plan.statement.effect.is_read();
    spec.output_schema = Some(output_schema(&columns, is_read, size.is_some()));
    let run = match plan.page {
        Some(page) => Run::Page {
            paged: Paged::new(
                &plan.statement.sql,
                plan.statement.parameters.len(),
                columns.iter().map(|column| column.name.as_str()),
                &page.key,
            ),
            key: page.key,
            size: page.size,
        },
        None if is_read => Run::Read { command, row_limit: plan.row_limit },
        None => Run::Write { command, row_limit: plan.row_limit },
    };
    Tool { spec, parameters: plan.parameters, order: plan.statement.parameters, columns, run }
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

fn output_schema(columns: &[OutputColumn], is_read: bool, is_paged: bool) -> Map<String, Value> {
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
    if is_read {
        properties.insert("rows".into(), rows);
        properties.insert(
            "row_count".into(),
            json!({"type": "integer", "minimum": 0, "description": "How many rows are here."}),
        );
    } else {
        properties.insert(
            "affected".into(),
            json!({"type": "integer", "minimum": 0, "description": "How many rows were added, changed or removed."}),
        );
        if !columns.is_empty() {
            properties.insert("rows".into(), rows);
        }
    }
    if is_paged {
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
