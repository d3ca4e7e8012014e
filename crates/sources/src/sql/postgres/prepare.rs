//! Prepares the statements of all tools.
//!
//! A read becomes `SELECT … FROM (statement) AS "rows" LIMIT N`: its columns are named one by one,
//! so that a `*` means the same for as long as the server runs, columns of foreign types are given as
//! text, and the server sends no more rows than go out. PostgreSQL keeps the order of the inner
//! statement, as nothing outside of it asks for another one. A change stays as it is, unless it
//! returns a column of a foreign type.

use sqlx::{
    Column as _, Executor as _, PgConnection, Statement as _,
    postgres::{PgColumn, PgTypeInfo},
};

use super::{
    super::{
        check::Plan,
        datum::Shape,
        page::quoted,
        settings::SqlFault,
        tool::{self, Answer, OutputColumn, Run, Tool},
    },
    Postgres,
    command::Command,
    failure,
    kind::{Kind, as_text},
    page::Pages,
    parameters::{self, Slot},
};

/// Prepares the statements, one after the other.
pub(super) async fn all(connection: &mut PgConnection, plans: Vec<Plan>) -> (Vec<Tool<Postgres>>, Vec<SqlFault>) {
    let (mut tools, mut faults) = (Vec::new(), Vec::new());
    for plan in plans {
        match prepare(connection, plan).await {
            Ok(tool) => tools.push(tool),
            Err(found) => faults.extend(found),
        }
    }
    (tools, faults)
}

/// A statement with its marks, as the database sees it.
struct Described {
    sql: String,
    types: Vec<PgTypeInfo>,
    columns: Vec<PgColumn>,
}

async fn prepare(connection: &mut PgConnection, plan: Plan) -> Result<Tool<Postgres>, Vec<SqlFault>> {
    let not_taken = |said: &str| vec![tool::not_taken(&plan, said)];
    let slots = parameters::slots(connection, &plan).await.map_err(|said| not_taken(&said))?;
    let mark = |parameter: usize, _| slots.get(parameter).map(|slot| slot.mark(parameter + 1)).unwrap_or_default();
    let sql = plan.statement.sql(mark);
    let types: Vec<PgTypeInfo> = slots.iter().map(|slot| slot.type_info.clone()).collect();
    let prepared = connection
        .prepare_with(parameters::text(&sql), &types)
        .await
        .map_err(|error| not_taken(&failure::words(&error)))?;
    let statement = Described { sql, types, columns: prepared.columns().to_vec() };
    let found = statement.columns.iter().map(|column| (column.name().to_owned(), shape(column))).collect();
    let columns = tool::columns(&plan, found)?;
    let run = match plan.page.is_some() {
        true => pages(connection, &plan, &statement).await,
        false if plan.effect.is_read() => read(connection, &plan, &statement).await,
        false => change(connection, &plan, &statement).await,
    };
    let run = run.map_err(|fault| vec![fault])?;
    Ok(finished(plan, slots, columns, run))
}

fn finished(plan: Plan, slots: Vec<Slot>, columns: Vec<OutputColumn>, run: Run<Command>) -> Tool<Postgres> {
    let kinds = slots.into_iter().map(|slot| slot.kind).collect();
    tool::tool(plan, kinds, columns, run)
}

fn shape(column: &PgColumn) -> Shape {
    Kind::of(column.type_info()).unwrap_or_else(|| as_text(column.type_info()).2).shape()
}

fn is_foreign(column: &PgColumn) -> bool {
    Kind::of(column.type_info()).is_none()
}

impl Described {
    /// The columns, as they are selected from `"rows"`.
    fn selected(&self) -> String {
        let each = self.columns.iter().map(|column| {
            let name = quoted(column.name());
            if is_foreign(column) {
                format!("\"rows\".{name}::{} AS {name}", as_text(column.type_info()).0)
            } else {
                format!("\"rows\".{name}")
            }
        });
        each.collect::<Vec<_>>().join(", ")
    }
}

/// The database looks at a statement that we have put together.
async fn try_out(connection: &mut PgConnection, command: &Command) -> Result<(), sqlx::Error> {
    connection.prepare_with(command.sql(), command.types()).await.map(drop)
}

async fn read(connection: &mut PgConnection, plan: &Plan, statement: &Described) -> Result<Run<Command>, SqlFault> {
    // One more than may go out, by which it is known that there are more. The line break ends a
    // comment that the statement may end with.
    let sql = format!(
        "SELECT {} FROM (\n{}\n) AS \"rows\" LIMIT {}",
        statement.selected(),
        statement.sql,
        plan.row_limit.saturating_add(1).min(i64::MAX as usize),
    );
    let command = Command::new(sql, statement.types.clone(), false);
    match try_out(connection, &command).await {
        Ok(()) => Ok(Run::Read { command, row_limit: plan.row_limit }),
        Err(error) => Err(tool::not_taken(plan, &failure::words(&error))),
    }
}

async fn change(connection: &mut PgConnection, plan: &Plan, statement: &Described) -> Result<Run<Command>, SqlFault> {
    let answer = if plan.statement.effect.is_read() { Answer::Rows } else { Answer::Affected };
    let row_limit = plan.row_limit;
    let Some(foreign) = statement.columns.iter().find(|column| is_foreign(column)) else {
        let command = Command::new(statement.sql.as_str(), statement.types.clone(), plan.statement.has_star);
        return Ok(Run::Write { command, row_limit, answer });
    };
    let sql = format!("WITH \"rows\" AS (\n{}\n) SELECT {} FROM \"rows\"", statement.sql, statement.selected());
    let command = Command::new(sql, statement.types.clone(), false);
    match try_out(connection, &command).await {
        Ok(()) => Ok(Run::Write { command, row_limit, answer }),
        Err(_) => Err(tool::fault(
            plan,
            &["sql"],
            format!(
                "The column `{name}` is of a type that is not read from a statement like this. Return it as text: \
                 … {name}::text AS {name}.",
                name = foreign.name()
            ),
        )),
    }
}

async fn pages(connection: &mut PgConnection, plan: &Plan, statement: &Described) -> Result<Run<Command>, SqlFault> {
    let Some(page) = &plan.page else { return Err(tool::fault(plan, &["page"], "There is no page.")) };
    let columns = || page.key.iter().filter_map(|name| statement.columns.iter().find(|column| column.name() == name));
    if let Some(foreign) = columns().find(|column| is_foreign(column)) {
        return Err(tool::fault(
            plan,
            &["page", "key"],
            format!("`{0}` is of a type that is not read. Select it as text: … {0}::text AS {0}.", foreign.name()),
        ));
    }
    let mut has_nulls = plan.statement.may_add_nulls;
    for column in columns() {
        has_nulls = has_nulls || may_be_null(connection, column).await;
    }
    let pages = Pages {
        statement: &statement.sql,
        types: &statement.types,
        columns: &statement.selected(),
        key: columns().map(|column| (column.name(), column.type_info().clone())).collect(),
        has_nulls,
    };
    let paged = pages.paged();
    for command in [&paged.first, &paged.next, &paged.next_after_null] {
        if let Err(error) = try_out(connection, command).await {
            return Err(tool::fault(
                plan,
                &["page", "key"],
                format!(
                    "The database does not order the rows by this: {}. Name columns that have an order.",
                    failure::words(&error)
                ),
            ));
        }
    }
    Ok(Run::Page { paged, key: page.key.clone(), size: page.size })
}

/// Whether a column may have NULL in it, as far as its table says.
async fn may_be_null(connection: &mut PgConnection, column: &PgColumn) -> bool {
    let (Some(table), Some(number)) = (column.relation_id(), column.relation_attribute_no()) else { return true };
    let not_null: Result<bool, _> =
        sqlx::query_scalar("SELECT attnotnull FROM pg_attribute WHERE attrelid = $1 AND attnum = $2")
            .bind(table)
            .bind(number)
            .fetch_one(&mut *connection)
            .await;
    !not_null.unwrap_or(false)
}
