//! The SQL of pages, as SQLite takes it. `?N+1` is the number of rows, the key of the row before
//! follows on it.

use super::{
    super::page::{Paged, quoted},
    command::Command,
};

/// Wraps a statement with `parameters` numbered parameters and these result columns. The key is
/// named in the configuration and is among them.
pub(super) fn paged<'a>(
    statement: &str,
    parameters: usize,
    columns: impl Iterator<Item = &'a str>,
    key: &[String],
) -> Paged<Command> {
    let of_page = |name: &str| format!("\"page\".{}", quoted(name));
    // Named one by one, so that there are as many of them for as long as the server runs.
    let all = columns.map(|name| format!("{} AS {}", of_page(name), quoted(name))).collect::<Vec<_>>().join(", ");
    let columns: Vec<String> = key.iter().map(|name| of_page(name)).collect();
    let order = columns.join(", ");
    let limit = parameters + 1;
    let marks: Vec<String> = (0..key.len()).map(|index| format!("?{}", limit + 1 + index)).collect();
    // The line break ends a comment that the statement may end with.
    let wrap = |condition: &str| {
        format!("SELECT {all} FROM (\n{statement}\n) AS \"page\"{condition} ORDER BY {order} LIMIT ?{limit}")
    };
    let after = if let ([column], [mark]) = (columns.as_slice(), marks.as_slice()) {
        format!(" WHERE {column} > {mark}")
    } else {
        format!(" WHERE ({order}) > ({})", marks.join(", "))
    };
    // NULL stands before everything in SQLite's order.
    let after_null = columns.iter().zip(&marks).rev().fold(String::from("0"), |rest, (column, mark)| {
        format!("({column} > {mark} OR ({mark} IS NULL AND {column} IS NOT NULL) OR ({column} IS {mark} AND {rest}))")
    });
    let command = |condition: &str| Command::new(wrap(condition), false);
    Paged { first: command(""), next: command(&after), next_after_null: command(&format!(" WHERE {after_null}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_names_are_quoted() {
        let paged = paged("SELECT 1 -- one", 2, ["c", "a\"b"].into_iter(), &["a\"b".into(), "c".into()]);
        assert_eq!(
            paged.next.sql().as_str(),
            "SELECT \"page\".\"c\" AS \"c\", \"page\".\"a\"\"b\" AS \"a\"\"b\" FROM (\nSELECT 1 -- one\n) AS \"page\" WHERE (\"page\".\"a\"\"b\", \"page\".\"c\") > (?4, ?5) \
             ORDER BY \"page\".\"a\"\"b\", \"page\".\"c\" LIMIT ?3"
        );
    }
}
