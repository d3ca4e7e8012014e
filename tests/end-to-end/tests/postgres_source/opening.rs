//! Opening: faults of URL, statements and database, each with its place and its mend.

use super::*;

fn texts(faults: Vec<SqlFault>) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn every_fault_is_found_at_once() {
    let database = Database::with("CREATE TABLE t (a int PRIMARY KEY, b text, r int4range, j json)").await;
    let mut bad_column = tool("bad_column", "SELECT a FROM t", &[]);
    bad_column.columns = vec![column("units", None)];
    let both = "WITH x AS (DELETE FROM t RETURNING *) SELECT a, r FROM x";
    let found = texts(
        open(
            &database,
            vec![
                tool("misspelt", "SELECT uints FROM t", &[]),
                tool("syntax", "SELECT FROM WHERE", &[]),
                tool("several", "SELECT 1; DELETE FROM t", &[]),
                tool("ddl", "TRUNCATE t", &[]),
                tool("numbered", "SELECT a FROM t WHERE a = $1", &[]),
                tool("undeclared", "SELECT a FROM t WHERE a = :a", &[]),
                tool("unlike", "SELECT a FROM t WHERE a = :b AND b = :b", &[("b", string())]),
                tool("no_such", "SELECT a - :b::daterange FROM t", &[("b", string())]),
                tool("twice", "SELECT a, b AS \"A\" FROM t", &[]),
                paged(tool("bad_key", "SELECT a FROM t", &[]), &["id"], 5),
                paged(tool("no_order", "SELECT a, j FROM t", &[]), &["j"], 5),
                paged(tool("foreign_key", "SELECT a, r FROM t", &[]), &["r"], 5),
                tool("foreign", both, &[]),
                bad_column,
                tool("good", "SELECT a FROM t WHERE b = :b", &[("b", string())]),
            ],
        )
        .await
        .err()
        .unwrap(),
    );
    let text = found.join("\n");
    for expected in [
        "tools.misspelt.sql: The database does not take this statement: column \"uints\" does not exist",
        "tools.syntax.sql: The database does not take this statement: syntax error at",
        "tools.several.sql: A tool is exactly one statement",
        "tools.ddl.sql: TRUNCATE cannot be a tool",
        "tools.numbered.sql: `$1` is a parameter without a name",
        "tools.undeclared.sql: The statement uses :a, and there is no parameters.a",
        "tools.unlike.sql: The database does not take this statement: operator does not exist: text = integer",
        "tools.no_such.sql: The database does not take this statement: operator does not exist: integer - daterange",
        "tools.twice.sql: Two result columns are called `A`",
        "tools.bad_key.page.key: The statement returns no column `id`. It returns a.",
        "tools.no_order.page.key: The database does not order the rows by this: could not identify an ordering operator for type json",
        "tools.foreign_key.page.key: `r` is of a type that is not read. Select it as text: … r::text AS r.",
        "tools.foreign.sql: The column `r` is of a type that is not read from a statement like this",
        "tools.bad_column.columns.units: The statement returns no column `units`. It returns a.",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}\n---\n{text}");
    }
    assert_eq!(found.len(), 14, "{text}");
}

#[tokio::test]
async fn a_database_that_cannot_be_reached_is_a_fault_that_says_how_to_mend_it() {
    let database = Database::empty().await;
    let gone = database.url().replace(&database.name, "nowhere");
    for (url, words) in [
        (database.url_as("postgres", "hunter2-wrong"), "password authentication failed"),
        (gone, "database \"nowhere\" does not exist"),
        ("postgres://u:hunter2@127.0.0.1:1/b".to_owned(), "Connection refused"),
        (format!("{}?sslmode=require", database.url()), "server does not support TLS"),
        ("postgres://u:hunter2/@h/b".to_owned(), "cannot be read"),
        (format!("{}?pasword=hunter2", database.url()), "the option `pasword`"),
    ] {
        let found = texts(open_url(&url, vec![tool("one", "SELECT 1 AS one", &[])]).await.err().unwrap());
        assert!(found.len() == 1 && found[0].starts_with("url: ") && found[0].contains(words), "{words}: {found:?}");
        assert!(!found[0].contains("hunter2"), "{found:?}");
    }
}
