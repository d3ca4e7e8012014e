//! What types the parameters of a statement have: PostgreSQL says it, from where they stand.
//!
//! It reads from left to right and gives up at a parameter whose type it cannot tell yet, as in
//! `:least IS NULL OR units >= :least`. Then each place of the parameter is asked about alone, and in
//! the end the type comes from the parameter's own schema.

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Either, Error, Executor as _, PgConnection, SqlSafeStr as _, SqlStr, Statement as _,
    postgres::{PgTypeInfo, types::Oid},
};

use super::{
    super::{
        arguments::{Bound, Format},
        check::{Plan, type_words},
    },
    failure,
    kind::{self, Kind, type_info},
};

/// What the database takes for one parameter.
pub(super) struct Slot {
    /// How a value is written.
    pub(super) kind: Kind,
    /// The type that is declared.
    pub(super) type_info: PgTypeInfo,
    /// The type that is made of it in the statement, where the declared one is text.
    cast: Option<String>,
}

impl Slot {
    /// The parameter with this number, as it stands in the statement.
    pub(super) fn mark(&self, number: usize) -> String {
        match &self.cast {
            Some(cast) => format!("(${number}::{cast})"),
            None => format!("${number}"),
        }
    }
}

/// Finds out what each of the statement's parameters is.
///
/// # Errors
/// What the database says of the statement.
pub(super) async fn slots(connection: &mut PgConnection, plan: &Plan) -> Result<Vec<Slot>, String> {
    let mut slots = Vec::new();
    for type_info in types(connection, plan).await? {
        slots.push(match Kind::of(&type_info).filter(Kind::is_bound) {
            Some(kind) => Slot { kind, type_info, cast: None },
            None => by_text(connection, &type_info).await.map_err(|error| failure::words(&error))?,
        });
    }
    Ok(slots)
}

/// A parameter that PostgreSQL reads from text.
async fn by_text(connection: &mut PgConnection, foreign: &PgTypeInfo) -> Result<Slot, Error> {
    let oid = foreign.oid().unwrap_or(Oid(kind::TEXT));
    // The database's own name of the type, quoted where it has to be.
    let name: String = sqlx::query_scalar("SELECT $1::regtype::text").bind(oid).fetch_one(&mut *connection).await?;
    let (text, oid, kind) = kind::as_text(foreign);
    Ok(Slot { kind, type_info: type_info(oid), cast: Some(format!("{text}::{name}")) })
}

async fn types(connection: &mut PgConnection, plan: &Plan) -> Result<Vec<PgTypeInfo>, String> {
    const UNKNOWN: PgTypeInfo = type_info(0);
    let statement = &plan.statement;
    let mut known: Vec<Option<PgTypeInfo>> = vec![None; statement.parameters.len()];
    let sql = statement.sql(|parameter, _| format!("${}", parameter + 1));
    loop {
        let declared: Vec<PgTypeInfo> = known.iter().map(|known| known.clone().unwrap_or(UNKNOWN)).collect();
        match connection.prepare_with(text(&sql), &declared).await {
            Ok(prepared) => {
                let found = prepared.parameters().and_then(Either::left).unwrap_or_default().to_vec();
                return if found.len() == statement.parameters.len() {
                    Ok(found)
                } else {
                    Err("it finds other parameters than we do; write each as :name, with a space before it".into())
                };
            }
            Err(error) => {
                let said = named(&failure::words(&error), &statement.parameters);
                let Some(unclear) = unclear(&error).filter(|unclear| known.get(*unclear).is_some_and(Option::is_none))
                else {
                    return Err(said);
                };
                let found = by_its_places(connection, plan, unclear).await.or_else(|| by_schema(plan, unclear));
                let Some(place) = known.get_mut(unclear).filter(|_| found.is_some()) else { return Err(said) };
                *place = found;
            }
        }
    }
}

/// The parameter whose type the server cannot tell: it names the number.
fn unclear(error: &Error) -> Option<usize> {
    let said = failure::server_error(error).filter(|said| ["42P18", "42P08"].contains(&said.code()))?;
    let number = said.message().split('$').nth(1)?;
    let digits = number.split(|character: char| !character.is_ascii_digit()).next()?;
    digits.parse::<usize>().ok()?.checked_sub(1)
}

/// With the names that the operator knows in the place of numbers.
fn named(said: &str, names: &[String]) -> String {
    let each = names.iter().enumerate().rev();
    each.fold(said.to_owned(), |said, (index, name)| said.replace(&format!("${}", index + 1), &format!(":{name}")))
}

/// The type that one of the parameter's places gives it, the others being NULL.
async fn by_its_places(connection: &mut PgConnection, plan: &Plan, wanted: usize) -> Option<PgTypeInfo> {
    let mut places = Vec::new();
    let _ = plan.statement.sql(|parameter, place| {
        if parameter == wanted {
            places.push(place);
        }
        String::new()
    });
    for place in places {
        let sql = plan.statement.sql(|_, other| if other == place { "$1".into() } else { "NULL".into() });
        if let Ok(prepared) = connection.prepare_with(text(&sql), &[]).await {
            return prepared.parameters().and_then(Either::left)?.first().cloned();
        }
    }
    None
}

/// The type that fits best to what callers give.
fn by_schema(plan: &Plan, wanted: usize) -> Option<PgTypeInfo> {
    let name = plan.statement.parameters.get(wanted)?;
    Some(type_info(oid_of(plan.parameter(name)?)))
}

fn oid_of(parameter: &Bound) -> u32 {
    let word = |schema| type_words(schema).into_iter().find(|&word| word != "null");
    let items = || parameter.schema.get("items").and_then(Value::as_object).and_then(word);
    match (word(&parameter.schema), parameter.format) {
        (Some("integer"), _) => kind::INT8,
        (Some("number"), _) => 1700,
        (Some("boolean"), _) => 16,
        (Some("object"), _) => 3802,
        (Some("array"), _) => match items() {
            Some("integer") => 1016,
            Some("number") => 1231,
            Some("boolean") => 1000,
            Some("object" | "array") => 3802,
            _ => kind::TEXT_LIST,
        },
        (_, Some(Format::Date)) => 1082,
        (_, Some(Format::DateTime)) => 1184,
        _ => kind::TEXT,
    }
}

/// Text that comes from the configuration.
pub(super) fn text(sql: &str) -> SqlStr {
    AssertSqlSafe(sql.to_owned()).into_sql_str()
}
