//! The SQL of pages, as PostgreSQL takes it. `$N+1` is the number of rows, the key of the row before
//! follows on it.

use sqlx::postgres::PgTypeInfo;

use super::{
    super::page::{Paged, quoted},
    command::Command,
    kind::{INT8, type_info},
};

/// What a page is made of.
pub(super) struct Pages<'a> {
    /// The statement itself.
    pub(super) statement: &'a str,
    /// The types of its numbered parameters.
    pub(super) types: &'a [PgTypeInfo],
    /// Its columns as they are to be selected from `"rows"`.
    pub(super) columns: &'a str,
    /// Names of the key's columns, and the type of each.
    pub(super) key: Vec<(&'a str, PgTypeInfo)>,
    /// Whether the key may have NULL in it.
    pub(super) has_nulls: bool,
}

impl Pages<'_> {
    /// The statements.
    pub(super) fn paged(&self) -> Paged<Command> {
        let columns: Vec<String> = self.key.iter().map(|(name, _)| format!("\"rows\".{}", quoted(name))).collect();
        let order = columns.join(", ");
        let limit = self.types.len() + 1;
        let marks: Vec<String> = (1..=columns.len()).map(|index| format!("${}", limit + index)).collect();
        // NULL stands behind everything in PostgreSQL's order, and compares with nothing.
        let with_nulls = columns.iter().zip(&marks).rev().fold(String::from("FALSE"), |rest, (column, mark)| {
            format!(
                "({column} > {mark} OR ({column} IS NULL AND {mark} IS NOT NULL) OR \
                 ({column} IS NOT DISTINCT FROM {mark} AND {rest}))"
            )
        });
        // This one can go by an index.
        let without_nulls = format!("ROW({order}) > ROW({})", marks.join(", "));
        let next = if self.has_nulls { &with_nulls } else { &without_nulls };
        let keys = self.key.iter().map(|(_, type_info)| type_info.clone());
        let command = |condition: &str, keys: Vec<PgTypeInfo>| {
            let types = self.types.iter().cloned().chain([type_info(INT8)]).chain(keys).collect();
            // The line break ends a comment that the statement may end with.
            let sql = format!(
                "SELECT {} FROM (\n{}\n) AS \"rows\"{condition} ORDER BY {order} LIMIT ${limit}",
                self.columns, self.statement
            );
            Command::new(sql, types, false)
        };
        Paged {
            first: command("", Vec::new()),
            next: command(&format!(" WHERE {next}"), keys.clone().collect()),
            next_after_null: command(&format!(" WHERE {with_nulls}"), keys.collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_quoted() {
        let types = [type_info(INT8)];
        let key = vec![("a\"b", type_info(INT8)), ("c", type_info(INT8))];
        let pages =
            Pages { statement: "SELECT 1 -- one", types: &types, columns: "\"rows\".\"c\"", key, has_nulls: false };
        let paged = pages.paged();
        assert_eq!(
            paged.next.sql().as_str(),
            "SELECT \"rows\".\"c\" FROM (\nSELECT 1 -- one\n) AS \"rows\" WHERE ROW(\"rows\".\"a\"\"b\", \"rows\".\"c\") > ROW($3, $4) \
             ORDER BY \"rows\".\"a\"\"b\", \"rows\".\"c\" LIMIT $2"
        );
        assert_eq!((paged.first.types().len(), paged.next.types().len()), (2, 4));
    }
}
