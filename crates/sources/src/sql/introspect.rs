//! What a database holds: its tables and views, with columns and keys. For proposing tools; rows are
//! not looked at, and nothing is changed.

use super::{
    postgres,
    settings::{Database, SqlFault},
    sqlite,
};

/// A table or a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its schema, where its name alone does not find it (PostgreSQL's `search_path`).
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Whether it is a view.
    pub is_view: bool,
    /// What the database's own comment says of it.
    pub comment: Option<String>,
    /// Its columns, in the table's order.
    pub columns: Vec<TableColumn>,
    /// The columns of its primary key, in the key's order; empty where it has none.
    pub primary_key: Vec<String>,
    /// What its foreign keys point at.
    pub references: Vec<Reference>,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// Its type, as the database writes it; empty where SQLite was told none.
    pub declared: String,
    /// JSON type of its values, as a parameter has it: `string`, `integer`, `number` or `boolean`.
    pub json_type: &'static str,
    /// JSON Schema format of its values, where there is one.
    pub format: Option<&'static str>,
    /// What the database's own comment says of it.
    pub comment: Option<String>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The columns here.
    pub columns: Vec<String>,
    /// The table there.
    pub table: String,
}

/// Looks at a database: tables and views that may be read, system tables left out, by name.
///
/// # Errors
/// It cannot be reached or read; in words for the operator, with how to mend it.
pub async fn introspect(database: &Database) -> Result<Vec<Table>, String> {
    match database {
        Database::Sqlite { path, .. } => sqlite::introspect(path).await,
        Database::Postgres { url, .. } => postgres::introspect(url).await.map_err(|fault: SqlFault| fault.message),
    }
}

/// A name as it stands in a statement: quoted where it has to be (SQL-92 §5.2: delimited identifiers).
#[must_use]
pub fn identifier(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
    if begins && name.bytes().all(plain) && !RESERVED.contains(&name) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

/// Words that PostgreSQL or SQLite take for something else where a name stands.
#[rustfmt::skip]
const RESERVED: [&str; 118] = [
    "abort", "add", "all", "alter", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric",
    "authorization", "autoincrement", "between", "binary", "both", "by", "case", "cast", "check", "collate",
    "collation", "column", "commit", "concurrently", "constraint", "create", "cross", "current_catalog",
    "current_date", "current_role", "current_schema", "current_time", "current_timestamp", "current_user", "default",
    "deferrable", "delete", "desc", "distinct", "do", "drop", "else", "end", "escape", "except", "exists", "false",
    "fetch", "for", "foreign", "freeze", "from", "full", "grant", "group", "having", "if", "ilike", "in", "index",
    "initially", "inner", "insert", "intersect", "into", "is", "isnull", "join", "lateral", "leading", "left", "like",
    "limit", "localtime", "localtimestamp", "natural", "not", "nothing", "notnull", "null", "offset", "on", "only",
    "or", "order", "outer", "overlaps", "placing", "primary", "references", "returning", "right", "select",
    "session_user", "set", "similar", "some", "symmetric", "table", "tablesample", "then", "to", "transaction",
    "true", "union", "unique", "update", "user", "using", "values", "variadic", "verbose", "when", "where", "window",
    "with",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_have_to_be() {
        for (name, written) in [
            ("customer", "customer"),
            ("order", "\"order\""),
            ("AlbumId", "\"AlbumId\""),
            ("unit price", "\"unit price\""),
            ("a\"b", "\"a\"\"b\""),
            ("2nd", "\"2nd\""),
            ("größe", "\"größe\""),
            ("", "\"\""),
        ] {
            assert_eq!(identifier(name), written);
        }
    }
}
