//! Prepares the statements of all tools, and reads from SQLite what their columns are.

use std::collections::BTreeSet;

use sqlx::{
    Column as _, ColumnOrigin, Either, Executor as _, SqliteConnection, Statement as _, TypeInfo as _,
    sqlite::SqliteColumn,
};

use super::{
    super::{
        check::Plan,
        datum::Shape,
        settings::SqlFault,
        tool::{self, Answer, Run, Tool},
    },
    Sqlite,
    command::Command,
    connect::File,
    failure, page, value,
};

/// Prepares the statements on a connection that cannot write.
///
/// # Errors
/// The database cannot be read.
pub(super) async fn all(file: &File, plans: Vec<Plan>) -> Result<(Vec<Tool<Sqlite>>, Vec<SqlFault>), String> {
    let words = |error: sqlx::Error| {
        let said = failure::words(&error);
        format!("The database cannot be read: {said}. Name a SQLite file that this server may read.")
    };
    let pools = file.pools().await.map_err(|failure| failure.message)?;
    let (mut connection, _running) = pools.reader().await.map_err(words)?;
    let encoding: String = sqlx::query_scalar("PRAGMA encoding").fetch_one(&mut *connection).await.map_err(words)?;
    if encoding != "UTF-8" {
        return Err(format!(
            "The database keeps its texts as {encoding}, which cannot be read here. \
             Make a copy in UTF-8: sqlite3 OLD .dump | sqlite3 NEW."
        ));
    }
    let strict = strict_tables(&mut connection).await.map_err(words)?;
    let (mut tools, mut faults) = (Vec::new(), Vec::new());
    for plan in plans {
        match prepare(&mut connection, plan, &strict).await {
            Ok(tool) => tools.push(tool),
            Err(found) => faults.extend(found),
        }
    }
    Ok((tools, faults))
}

/// Names of the tables whose columns hold nothing but their declared type.
async fn strict_tables(connection: &mut SqliteConnection) -> Result<BTreeSet<String>, sqlx::Error> {
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
async fn prepare(
    connection: &mut SqliteConnection,
    plan: Plan,
    strict: &BTreeSet<String>,
) -> Result<Tool<Sqlite>, Vec<SqlFault>> {
    let sql = plan.statement.sql(|parameter, _| format!("?{}", parameter + 1));
    let command = Command::new(sql.as_str(), plan.statement.has_star);
    let statement = match connection.prepare(command.sql()).await {
        Ok(statement) => statement,
        Err(error) => return Err(vec![tool::not_taken(&plan, &failure::words(&error))]),
    };
    let parameters = plan.statement.parameters.len();
    let mut faults = Vec::new();
    if statement.parameters().and_then(Either::right) != Some(parameters) {
        faults.push(tool::fault(
            &plan,
            &["sql"],
            "The database finds other parameters in this statement than we do. Write each as :name, with a space before it.",
        ));
    }
    let found = statement.columns().iter().map(|column| (column.name().to_owned(), shape(column, strict))).collect();
    let columns = match tool::columns(&plan, found) {
        Ok(columns) if faults.is_empty() => columns,
        Ok(_) => return Err(faults),
        Err(more) => {
            faults.extend(more);
            return Err(faults);
        }
    };
    let run = match &plan.page {
        Some(page) => {
            let names = columns.iter().map(|column| column.name.as_str());
            Run::Page { paged: page::paged(&sql, parameters, names, &page.key), key: page.key.clone(), size: page.size }
        }
        None if plan.statement.effect.is_read() => Run::Read { command, row_limit: plan.row_limit },
        None => Run::Write { command, row_limit: plan.row_limit, answer: Answer::Affected },
    };
    Ok(tool::tool(plan, vec![(); parameters], columns, run))
}

fn shape(column: &SqliteColumn, strict: &BTreeSet<String>) -> Shape {
    let strict = match column.origin() {
        ColumnOrigin::Table(origin) => strict.contains(origin.table.as_ref()),
        _ => false,
    };
    value::shape(column.type_info().name(), strict)
}
