//! What a SQLite file holds, as its own pragmas say it.

use std::path::Path;

use sqlx::{ConnectOptions, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{
    super::introspect::{Reference, Table, TableColumn},
    failure,
};

/// Tables that programs keep for themselves.
const NOT_DATA: [&str; 3] = ["_sqlx_migrations", "schema_migrations", "bridgehead_effects"];

/// A row of `pragma_table_xinfo`.
struct Column {
    name: String,
    declared: String,
    /// Its place in the primary key, from 1; 0 outside of it.
    in_key: i64,
    /// Not 0 for generated columns, and 1 for those that `*` leaves out.
    hidden: i64,
}

/// Looks at a file through a connection that cannot write.
///
/// # Errors
/// There is no such file, or it is no database.
pub(in crate::sql) async fn introspect(path: &Path) -> Result<Vec<Table>, String> {
    let words = |error: sqlx::Error| {
        let said = failure::words(&error);
        format!("{} cannot be read as a SQLite database: {said}. Name a SQLite file.", path.display())
    };
    if !path.is_file() {
        return Err(format!("There is no file {}. Name a SQLite file that is there.", path.display()));
    }
    let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
    let mut connection = options.connect().await.map_err(words)?;
    let tables = tables(&mut connection).await.map_err(words);
    // It has done its work; whether it says goodbye is all the same.
    let _ = connection.close().await;
    tables
}

async fn tables(connection: &mut SqliteConnection) -> Result<Vec<Table>, sqlx::Error> {
    let names: Vec<(String, String)> = sqlx::query_as(
        "SELECT name, type FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'view', 'virtual') \
         AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut tables = Vec::new();
    for (name, kind) in names.into_iter().filter(|(name, _)| !NOT_DATA.contains(&name.as_str())) {
        let columns = columns(connection, &name).await?;
        let mut key: Vec<_> = columns.iter().filter(|column| column.in_key > 0).collect();
        key.sort_by_key(|column| column.in_key);
        tables.push(Table {
            schema: None,
            is_view: kind == "view",
            comment: None,
            primary_key: key.iter().map(|column| column.name.clone()).collect(),
            columns: columns.iter().filter(|column| column.hidden != 1).map(column).collect(),
            references: references(connection, &name).await?,
            name,
        });
    }
    Ok(tables)
}

async fn columns(connection: &mut SqliteConnection, table: &str) -> Result<Vec<Column>, sqlx::Error> {
    let rows: Vec<(String, String, i64, i64)> =
        sqlx::query_as("SELECT name, type, pk, hidden FROM pragma_table_xinfo(?1) ORDER BY cid")
            .bind(table)
            .fetch_all(connection)
            .await?;
    let column = |(name, declared, in_key, hidden)| Column { name, declared, in_key, hidden };
    Ok(rows.into_iter().map(column).collect())
}

fn column(column: &Column) -> TableColumn {
    let (json_type, format) = types(&column.declared);
    TableColumn { name: column.name.clone(), declared: column.declared.clone(), json_type, format, comment: None }
}

async fn references(connection: &mut SqliteConnection, table: &str) -> Result<Vec<Reference>, sqlx::Error> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT id, \"table\", \"from\" FROM pragma_foreign_key_list(?1) ORDER BY id DESC, seq")
            .bind(table)
            .fetch_all(connection)
            .await?;
    let mut found: Vec<(i64, Reference)> = Vec::new();
    for (id, table, column) in rows {
        match found.last_mut() {
            Some((last, reference)) if *last == id => reference.columns.push(column),
            _ => found.push((id, Reference { columns: vec![column], table })),
        }
    }
    Ok(found.into_iter().map(|(_, reference)| reference).collect())
}

/// By the declared type's affinity (<https://www.sqlite.org/datatype3.html#determination_of_column_affinity>),
/// and what people write who mean more than that.
fn types(declared: &str) -> (&'static str, Option<&'static str>) {
    let declared = declared.to_ascii_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| declared.contains(word));
    if has(&["BOOL"]) {
        ("boolean", None)
    } else if has(&["INT"]) {
        ("integer", None)
    } else if declared == "DATE" {
        ("string", Some("date"))
    } else if has(&["REAL", "FLOA", "DOUB", "DECIMAL", "NUMERIC"]) {
        ("number", None)
    } else {
        ("string", None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tables_views_keys_and_what_they_point_at() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("shop.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let schema = "CREATE TABLE customer (customer_id INTEGER PRIMARY KEY, name TEXT NOT NULL, active BOOLEAN);
            CREATE TABLE line (order_id INT, position INT, sku TEXT, price DECIMAL(8,2), customer INTEGER REFERENCES customer,
                double INTEGER AS (position * 2), PRIMARY KEY (order_id, position));
            CREATE VIEW active AS SELECT name FROM customer WHERE active;
            CREATE TABLE _sqlx_migrations (version INTEGER)";
        sqlx::raw_sql(schema).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();

        let tables = introspect(&path).await.unwrap();
        let names: Vec<_> = tables.iter().map(|table| (table.name.as_str(), table.is_view)).collect();
        assert_eq!(names, [("active", true), ("customer", false), ("line", false)]);
        let line = &tables[2];
        assert_eq!(line.primary_key, ["order_id", "position"]);
        assert_eq!(line.references, [Reference { columns: vec!["customer".into()], table: "customer".into() }]);
        let types: Vec<_> = line.columns.iter().map(|column| (column.name.as_str(), column.json_type)).collect();
        assert_eq!(
            types,
            [
                ("order_id", "integer"),
                ("position", "integer"),
                ("sku", "string"),
                ("price", "number"),
                ("customer", "integer"),
                ("double", "integer")
            ]
        );
        assert_eq!(tables[1].columns[2].json_type, "boolean");
    }

    #[tokio::test]
    async fn what_is_no_database_is_said_so_and_none_is_made() {
        let place = tempfile::tempdir().unwrap();
        let missing = place.path().join("missing.db");
        assert!(introspect(&missing).await.unwrap_err().contains("There is no file"));
        assert!(!missing.exists());
        let text = place.path().join("notes.txt");
        std::fs::write(&text, "x".repeat(4096)).unwrap();
        assert!(introspect(&text).await.unwrap_err().contains("Name a SQLite file"));
    }
}
