use proptest::prelude::*;

use super::*;

use crate::sql::{postgres, sqlite};

/// As SQLite reads it.
fn parse(sql: &str) -> Result<Statement, String> {
    super::parse(sqlite::DIALECT, sql)
}

fn marked(statement: &Statement, mark: char) -> String {
    statement.sql(|parameter, _| format!("{mark}{}", parameter + 1))
}

fn parsed(sql: &str) -> (String, Vec<String>) {
    let statement = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    (marked(&statement, '?'), statement.parameters)
}

#[test]
fn names_become_numbers_and_nothing_else_changes() {
    for (sql, expected, names) in [
        ("SELECT :a", "SELECT ?1", vec!["a"]),
        ("SELECT :a, @b, $c, :a", "SELECT ?1, ?2, ?3, ?1", vec!["a", "b", "c"]),
        ("SELECT :a, @a, $a", "SELECT ?1, ?1, ?1", vec!["a"]),
        ("SELECT ':a', \":b\", `:c`, [:d] FROM t", "SELECT ':a', \":b\", `:c`, [:d] FROM t", vec![]),
        ("SELECT 'it''s :a', :b", "SELECT 'it''s :a', ?1", vec!["b"]),
        ("SELECT 'a\\', :b, '\\'", "SELECT 'a\\', ?1, '\\'", vec!["b"]),
        ("SELECT 1 -- :a\n, :b", "SELECT 1 -- :a\n, ?1", vec!["b"]),
        ("SELECT 1 /* :a ' */, :b", "SELECT 1 /* :a ' */, ?1", vec!["b"]),
        ("SELECT 1 /* /* */, :b", "SELECT 1 /* /* */, ?1", vec!["b"]),
        ("SELECT j->>'$.a', j -> :p FROM t", "SELECT j->>'$.a', j -> ?1 FROM t", vec!["p"]),
        ("SELECT a::text, :b", "SELECT a::text, ?1", vec!["b"]),
        ("SELECT x'3a61', X'3A', :x, :n, :N", "SELECT x'3a61', X'3A', ?1, ?2, ?3", vec!["x", "n", "N"]),
        (
            "SELECT 1 WHERE 1=:a AND 2>=:b AND 3<:c AND 4<>:d",
            "SELECT 1 WHERE 1=?1 AND 2>=?2 AND 3<?3 AND 4<>?4",
            vec!["a", "b", "c", "d"],
        ),
        ("SELECT (:a),(:b+:c)||:d", "SELECT (?1),(?2+?3)||?4", vec!["a", "b", "c", "d"]),
        ("SELECT 'ä€😀', :größe,\n\t:b", "SELECT 'ä€😀', ?1,\n\t?2", vec!["größe", "b"]),
        ("\r\n  SELECT :from\r\n FROM t ; -- end", "\r\n  SELECT ?1\r\n FROM t", vec!["from"]),
        ("SELECT 1;;", "SELECT 1", vec![]),
        ("SELECT :a -- last", "SELECT ?1", vec!["a"]),
        ("SELECT 1 WHERE a LIKE:a", "SELECT 1 WHERE a LIKE?1", vec!["a"]),
    ] {
        let names = names.into_iter().map(str::to_owned).collect();
        assert_eq!(parsed(sql), (expected.to_owned(), names), "{sql}");
    }
}

#[test]
fn what_is_no_named_parameter_is_refused_with_a_hint() {
    for sql in [
        "SELECT ?",
        "SELECT ?1",
        "SELECT $1",
        "SELECT $",
        "SELECT :1",
        "SELECT : a",
        "SELECT @ a",
        "SELECT :\"a\"",
        "SELECT 1 WHERE 1<@a",
        "SELECT $a$b",
        "SELECT 'open",
        "SELECT /* open",
    ] {
        let error = parse(sql).unwrap_err();
        assert!(error.ends_with('.') || error.contains("This is not SQL"), "{sql}: {error}");
    }
    assert!(parse("SELECT ?").unwrap_err().contains("Write it as :name"));
}

#[test]
fn a_tool_is_one_statement() {
    for sql in ["SELECT 1; SELECT 2", "SELECT 1; DROP TABLE t", "SELECT 1;/* */;DELETE FROM t", "SELECT 1; x"] {
        assert_eq!(parse(sql).unwrap_err(), ONE_STATEMENT, "{sql}");
    }
    for sql in ["", "  ", ";", "-- only a comment", "/* */ ;"] {
        assert!(parse(sql).unwrap_err().contains("no statement"), "{sql}");
    }
    assert!(parse("SELECT ';' AS \";\" -- ;\n;").is_ok());
}

#[test]
fn the_effect_is_read_from_the_statement() {
    use Effect::{Destructive, Read, Write};
    for (sql, expected) in [
        ("SELECT * FROM t", Read),
        ("select 1 union all select 2", Read),
        ("VALUES (1), (2)", Read),
        ("WITH a AS (SELECT 1) SELECT * FROM a", Read),
        ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n LIMIT 9", Read),
        ("SELECT 'DELETE FROM t'", Read),
        ("INSERT INTO t VALUES (1)", Write),
        ("INSERT INTO t (a) SELECT a FROM u RETURNING *", Write),
        ("INSERT OR IGNORE INTO t VALUES (1)", Write),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", Write),
        ("INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a", Destructive),
        ("INSERT OR REPLACE INTO t VALUES (1)", Destructive),
        ("REPLACE INTO t VALUES (1)", Destructive),
        ("UPDATE t SET a = 1", Destructive),
        ("UPDATE OR IGNORE t SET a = 1 FROM u WHERE u.b = t.b RETURNING a", Destructive),
        ("DELETE FROM t WHERE a = :a RETURNING a", Destructive),
        ("WITH a AS (SELECT 1) INSERT INTO t SELECT * FROM a", Write),
        ("WITH a AS (SELECT 1), b(x) AS (SELECT 2) DELETE FROM t WHERE a IN b", Destructive),
        ("WITH a AS (SELECT 1) REPLACE INTO t SELECT * FROM a", Destructive),
        ("WITH a AS (DELETE FROM t RETURNING *) SELECT * FROM a", Destructive),
        // The parser knows none of these; SQLite does.
        ("SELECT a FROM t INDEXED BY i WHERE a IS NOT DISTINCT FROM 1", Read),
        (
            "SELECT count(*) FILTER (WHERE a) OVER w FROM t WINDOW w AS (ORDER BY b GROUPS 2 PRECEDING EXCLUDE TIES)",
            Read,
        ),
        ("WITH a(x) AS NOT MATERIALIZED (SELECT (1)) SELECT x FROM a NOT INDEXED", Read),
        ("WITH replace AS MATERIALIZED (SELECT 1) SELECT * FROM replace", Read),
        ("DELETE FROM t INDEXED BY i WHERE a = 1", Destructive),
        ("INSERT INTO t DEFAULT VALUES", Write),
    ] {
        assert_eq!(parse(sql).map(|statement| statement.effect), Ok(expected), "{sql}");
    }
}

#[test]
fn the_verb_alone_says_the_same() {
    use Effect::{Destructive, Read, Write};
    for (sql, expected) in [
        ("SELECT 1", Some(Read)),
        ("WITH a AS (SELECT (1)), b(x, y) AS MATERIALIZED (VALUES (1, 2)) SELECT 1", Some(Read)),
        ("WITH RECURSIVE a AS (SELECT 1) INSERT INTO t SELECT 1", Some(Write)),
        ("WITH delete_me AS (SELECT 1) UPDATE t SET a = 1", Some(Destructive)),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1", Some(Destructive)),
        ("WITH a AS (SELECT 1", None),
        ("WITH", None),
        ("PRAGMA journal_mode", None),
    ] {
        assert_eq!(effect_of_verb(&lex(sqlite::DIALECT, sql).unwrap()), expected, "{sql}");
    }
}

#[test]
fn what_is_neither_read_nor_change_of_rows_is_refused() {
    for sql in [
        "CREATE TABLE t (a)",
        "DROP TABLE t",
        "ALTER TABLE t ADD COLUMN b",
        "PRAGMA journal_mode = WAL",
        "PRAGMA user_version",
        "ATTACH DATABASE 'x' AS y",
        "DETACH DATABASE y",
        "VACUUM INTO 'copy.db'",
        "BEGIN",
        "COMMIT",
        "SAVEPOINT a",
        "RELEASE a",
        "ROLLBACK",
        "REINDEX",
        "ANALYZE",
        "EXPLAIN SELECT 1",
        "EXPLAIN QUERY PLAN DELETE FROM t",
        "CREATE TRIGGER x AFTER INSERT ON t BEGIN SELECT 1",
        "nonsense",
        "SELECT 1 INTO t",
    ] {
        let error = parse(sql);
        assert!(error.is_err(), "{sql}: {error:?}");
    }
}

fn of_postgres(sql: &str) -> Result<Statement, String> {
    super::parse(postgres::DIALECT, sql)
}

#[test]
fn in_postgres_a_colon_and_a_name_are_a_parameter_and_nothing_else_is() {
    for (sql, expected, names) in [
        ("SELECT :a, :b, :a", "SELECT $1, $2, $1", vec!["a", "b"]),
        ("SELECT :a::int, b::text, :c :: date", "SELECT $1::int, b::text, $2 :: date", vec!["a", "c"]),
        ("SELECT ':a', E'it\\'s :a', U&'\\0061:a', \":b\"", "SELECT ':a', E'it\\'s :a', U&'\\0061:a', \":b\"", vec![]),
        ("SELECT 'a\\', :b, '\\'", "SELECT 'a\\', $1, '\\'", vec!["b"]),
        ("SELECT $$ :a ' $$, $q$ :b $$ $q$, :c", "SELECT $$ :a ' $$, $q$ :b $$ $q$, $1", vec!["c"]),
        ("SELECT 1 /* a /* :b */ :c */, :d -- :e\n", "SELECT 1 /* a /* :b */ :c */, $1", vec!["d"]),
        ("SELECT a[1:2], a[:n], a[1: n], a[1:], a[:]", "SELECT a[1:2], a[$1], a[1: n], a[1:], a[:]", vec!["n"]),
        ("SELECT (:a)[1], ARRAY[:b, 2], '{1}'::int[]", "SELECT ($1)[1], ARRAY[$2, 2], '{1}'::int[]", vec!["a", "b"]),
        ("SELECT j ? 'k', j ?| :a, j ?& :a, j @? '$.a'", "SELECT j ? 'k', j ?| $1, j ?& $1, j @? '$.a'", vec!["a"]),
        ("SELECT j @> :a, j <@ :a, t @@ :b, @ -5", "SELECT j @> $1, j <@ $1, t @@ $2, @ -5", vec!["a", "b"]),
        ("SELECT j->>:a, j#>>:b, j - :c", "SELECT j->>$1, j#>>$2, j - $3", vec!["a", "b", "c"]),
        ("SELECT 1 WHERE a=:a AND b<>:b AND c>=:c", "SELECT 1 WHERE a=$1 AND b<>$2 AND c>=$3", vec!["a", "b", "c"]),
        (
            "SELECT make_interval(days => :d), f(a := :b)",
            "SELECT make_interval(days => $1), f(a := $2)",
            vec!["d", "b"],
        ),
        ("SELECT v <-> :v, s !~* :p, s ^@ :q", "SELECT v <-> $1, s !~* $2, s ^@ $3", vec!["v", "p", "q"]),
    ] {
        let statement = of_postgres(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(marked(&statement, '$'), expected);
        assert_eq!(statement.parameters, names, "{sql}");
    }
    for sql in ["SELECT $1", "SELECT $name", "SELECT : a", "SELECT a = : a", "SELECT 'open", "SELECT $$ open"] {
        assert!(of_postgres(sql).is_err(), "{sql}");
    }
}

#[test]
fn the_effect_is_read_from_a_statement_of_postgres() {
    use Effect::{Destructive, Read, Write};
    for (sql, expected) in [
        ("SELECT DISTINCT ON (a) a, b FROM t ORDER BY a, b DESC", Read),
        ("SELECT a FROM t TABLESAMPLE SYSTEM (1) WHERE b ILIKE :b AND c && :c", Read),
        ("SELECT * FROM a LEFT JOIN LATERAL (SELECT 1) b ON true, generate_series(1, :n) AS g(i)", Read),
        ("WITH moved AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM moved", Destructive),
        ("WITH new AS (INSERT INTO t VALUES (1) RETURNING id) SELECT id FROM new", Write),
        ("INSERT INTO t (a) VALUES (:a) ON CONFLICT DO NOTHING RETURNING id", Write),
        ("INSERT INTO t (a) VALUES (:a) ON CONFLICT (a) DO UPDATE SET a = excluded.a", Destructive),
        ("UPDATE t SET a = :a::numeric FROM u WHERE u.id = t.id RETURNING t.*", Destructive),
        ("DELETE FROM t USING u WHERE u.id = t.id", Destructive),
        ("MERGE INTO t USING u ON t.id = u.id WHEN MATCHED THEN DELETE", Destructive),
    ] {
        assert_eq!(of_postgres(sql).map(|statement| statement.effect), Ok(expected), "{sql}");
    }
    for sql in [
        "TRUNCATE t",
        "SELECT 1 INTO t",
        "COPY t TO STDOUT",
        "CALL p()",
        "DO $$ BEGIN END $$",
        "SET search_path = x",
        "EXPLAIN ANALYZE DELETE FROM t",
        "SELECT 1; DROP TABLE t",
        "LISTEN a",
        "LOCK TABLE t",
    ] {
        assert!(of_postgres(sql).is_err(), "{sql}");
    }
}

#[test]
fn nulls_that_no_table_has_are_foreseen() {
    for (sql, expected) in [
        ("SELECT a FROM t", false),
        ("SELECT a FROM t JOIN u USING (a)", false),
        ("SELECT a FROM t left join u USING (a)", true),
        ("SELECT a FROM t GROUP BY ROLLUP (a)", true),
    ] {
        assert_eq!(of_postgres(sql).unwrap().may_add_nulls, expected, "{sql}");
    }
}

/// Pieces of SQL, each with what becomes of it; `None` for a parameter.
fn piece() -> impl Strategy<Value = (String, Option<String>)> {
    let kept = prop_oneof![
        "'([^'\\x00]|''){0,8}'",
        "\"[^\"\\x00]{1,8}\"",
        "`[^`\\x00]{1,8}`",
        "\\[[^\\]\\x00]{1,8}\\]",
        "/\\*[a-z :@$?';]{0,8}\\*/",
        "--[^\\n\\x00]{0,8}\\n",
        "[a-z_][a-z0-9_]{0,6}",
        "[0-9]{1,4}(\\.[0-9]{1,2})?",
        prop::sample::select(vec!["->>", "->", "||", "::", "<>", "<=", "(", ")", ",", ".", "=", "\n", "\t", "\r\n"])
            .prop_map(str::to_owned),
    ]
    .prop_map(|text| (text, None));
    let parameter = ("[:@$]", "[a-zA-Z_][a-z0-9_]{0,5}").prop_map(|(mark, name)| (format!("{mark}{name}"), Some(name)));
    prop_oneof![3 => kept, 1 => parameter]
}

proptest! {
    /// Strings, identifiers, comments and operators stay as they are; parameters become numbers,
    /// the same name the same number.
    #[test]
    fn only_parameters_are_rewritten(pieces in prop::collection::vec(piece(), 0..20)) {
        let (mut sql, mut expected, mut names) = (String::from("SELECT"), String::from("SELECT"), Vec::<String>::new());
        for (text, name) in pieces {
            sql.push(' ');
            expected.push(' ');
            sql.push_str(&text);
            match name {
                None => expected.push_str(&text),
                Some(name) => {
                    let index = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                        names.push(name);
                        names.len() - 1
                    });
                    expected.push_str(&format!("?{}", index + 1));
                }
            }
        }
        // What stands behind the last word of the statement is cut off.
        sql.push_str(" z");
        expected.push_str(" z");
        let statement = parse(&sql).unwrap();
        prop_assert_eq!(marked(&statement, '?'), expected);
        prop_assert_eq!(statement.parameters, names);
        prop_assert_eq!(statement.effect, Effect::Read);
    }

    #[test]
    fn no_text_makes_the_reader_panic(sql in "\\PC{0,40}") {
        for dialect in [sqlite::DIALECT, postgres::DIALECT] {
            let _ = super::parse(dialect, &sql);
            let _ = super::parse(dialect, &format!("WITH {sql}"));
        }
    }

    #[test]
    fn no_sql_like_text_makes_the_reader_panic(words in prop::collection::vec(
        prop::sample::select(vec!["SELECT", "WITH", "AS", "(", ")", ",", ";", ":a", "'", "INSERT", "INTO", "t", "--", "\n", "/*", "*/", "\"", "[", "]", "1"]), 0..16)
    ) {
        for dialect in [sqlite::DIALECT, postgres::DIALECT] {
            let _ = super::parse(dialect, &words.join(" "));
        }
    }
}
