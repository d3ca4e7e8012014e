//! What a PostgreSQL database holds, as its catalog says it. Only what the user of the URL may read.

use bridgehead_core::Secret;
use sqlx::{ConnectOptions, Connection as _, PgConnection};

use super::{
    super::{
        introspect::{Reference, Table, TableColumn},
        settings::SqlFault,
    },
    connect, failure,
};

/// Tables and views that may be read, without those of the system, of extensions, and parts of
/// partitioned tables. Those that are found by name alone come first.
const RELATIONS: &str = "
SELECT c.oid::int8, CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname::text END,
       c.relname::text, c.relkind IN ('v', 'm'), obj_description(c.oid, 'pg_class')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT c.relispartition
  AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
  AND has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
  AND c.relname NOT IN ('_sqlx_migrations', 'schema_migrations', 'bridgehead_effects')
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY pg_table_is_visible(c.oid) DESC, n.nspname, c.relname";

/// A domain is what it is made from.
const COLUMNS: &str = "
SELECT a.attname::text, format_type(a.atttypid, a.atttypmod),
       coalesce(nullif(t.typbasetype, 0), t.oid)::int8, col_description(a.attrelid, a.attnum)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = $1::int8::oid AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum";

const PRIMARY_KEY: &str = "
SELECT a.attname::text FROM pg_constraint c
CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum
WHERE c.conrelid = $1::int8::oid AND c.contype = 'p' ORDER BY k.position";

const REFERENCES: &str = "
SELECT (SELECT array_agg(a.attname::text ORDER BY k.position)
        FROM unnest(c.conkey) WITH ORDINALITY AS k(attnum, position)
        JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum) AS columns,
       t.relname::text AS \"table\"
FROM pg_constraint c JOIN pg_class t ON t.oid = c.confrelid
WHERE c.conrelid = $1::int8::oid AND c.contype = 'f' ORDER BY c.conname";

/// A row of [`RELATIONS`].
type Relation = (i64, Option<String>, String, bool, Option<String>);
/// A row of [`COLUMNS`].
type Column = (String, String, i64, Option<String>);

/// Looks at a database.
///
/// # Errors
/// It cannot be reached or read.
pub(in crate::sql) async fn introspect(url: &Secret) -> Result<Vec<Table>, SqlFault> {
    let fault = |message: String| SqlFault::new(&["url"], message);
    let options = connect::options(url).map_err(fault)?;
    let mut connection = options.connect().await.map_err(|error| {
        fault(format!(
            "The database cannot be reached: {}. See that the server runs, and that host, port, user, password and \
             database in the URL are right.",
            failure::words(&error)
        ))
    })?;
    let tables = tables(&mut connection).await;
    // It has done its work; whether it says goodbye is all the same.
    let _ = connection.close().await;
    tables.map_err(|error| fault(format!("The database cannot be looked at: {}.", failure::words(&error))))
}

async fn tables(connection: &mut PgConnection) -> Result<Vec<Table>, sqlx::Error> {
    let relations: Vec<Relation> = sqlx::query_as(RELATIONS).fetch_all(&mut *connection).await?;
    let mut tables = Vec::new();
    for (oid, schema, name, is_view, comment) in relations {
        let columns: Vec<Column> = sqlx::query_as(COLUMNS).bind(oid).fetch_all(&mut *connection).await?;
        let primary_key = sqlx::query_scalar(PRIMARY_KEY).bind(oid).fetch_all(&mut *connection).await?;
        let references: Vec<(Vec<String>, String)> =
            sqlx::query_as(REFERENCES).bind(oid).fetch_all(&mut *connection).await?;
        tables.push(Table {
            schema,
            name,
            is_view,
            comment: said(comment),
            columns: columns.into_iter().map(column).collect(),
            primary_key,
            references: references.into_iter().map(|(columns, table)| Reference { columns, table }).collect(),
        });
    }
    Ok(tables)
}

fn column((name, declared, base, comment): Column) -> TableColumn {
    let (json_type, format) = types(base);
    TableColumn { name, declared, json_type, format, comment: said(comment) }
}

fn said(comment: Option<String>) -> Option<String> {
    comment.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// By the number of the type
/// (<https://github.com/postgres/postgres/blob/REL_15_STABLE/src/include/catalog/pg_type.dat>).
const fn types(oid: i64) -> (&'static str, Option<&'static str>) {
    match oid {
        16 => ("boolean", None),
        20 | 21 | 23 | 26 => ("integer", None),
        700 | 701 => ("number", None),
        1082 => ("string", Some("date")),
        1184 => ("string", Some("date-time")),
        2950 => ("string", Some("uuid")),
        _ => ("string", None),
    }
}
