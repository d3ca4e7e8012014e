//! Types, in and out: everything that PostgreSQL has goes both ways, and fits what is published.

use proptest::prelude::*;

use super::*;

/// Type, what a caller gives, what comes back, and what the column is published as.
fn types() -> Vec<(&'static str, Value, Value, Value)> {
    let text = json!({"type": ["string", "null"]});
    let list = |item: Value| json!({"type": ["array", "null"], "items": {"type": item}});
    let strings = list(json!(["string", "null", "array"]));
    vec![
        ("bool", json!(true), json!(true), json!({"type": ["boolean", "null"]})),
        ("int2", json!(-32768), json!(-32768), json!({"type": ["integer", "null"]})),
        ("int4", json!(2147483647), json!(2147483647), json!({"type": ["integer", "null"]})),
        ("int8", json!(7), json!(7), json!({"type": ["integer", "string", "null"]})),
        ("int8", json!("9007199254740993"), json!("9007199254740993"), json!({"type": ["integer", "string", "null"]})),
        ("oid", json!(4294967295_u32), json!(4294967295_u32), json!({"type": ["integer", "null"]})),
        ("float4", json!(0.1), json!(0.1), json!({"type": ["number", "null"]})),
        ("float8", json!(-1.5e300), json!(-1.5e300), json!({"type": ["number", "null"]})),
        ("float8", json!("Infinity"), Value::Null, json!({"type": ["number", "null"]})),
        ("numeric", json!("12345678901234567890.12345"), json!("12345678901234567890.12345"), text.clone()),
        ("numeric(10, 2)", json!(9.5), json!("9.5"), text.clone()),
        ("numeric", json!("NaN"), json!("NaN"), text.clone()),
        ("text", json!("it's; DROP TABLE t --"), json!("it's; DROP TABLE t --"), text.clone()),
        ("varchar(5)", json!("Žofie"), json!("Žofie"), text.clone()),
        ("char(3)", json!("a"), json!("a  "), text.clone()),
        ("name", json!("pg_class"), json!("pg_class"), text.clone()),
        ("citext", json!("MiXed"), json!("MiXed"), text.clone()),
        (
            "uuid",
            json!("9B2E1C1E-5D0A-4F0E-9D57-3F6C1B1F0A11"),
            json!("9b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11"),
            text.clone(),
        ),
        ("bytea", json!("AP8="), json!("AP8="), text.clone()),
        ("date", json!("2024-02-29"), json!("2024-02-29"), text.clone()),
        ("date", json!("infinity"), json!("infinity"), text.clone()),
        ("time", json!("08:30:00.5"), json!("08:30:00.5"), text.clone()),
        ("timetz", json!("08:30:00+02"), json!("08:30:00+02"), text.clone()),
        ("timestamp", json!("2026-11-20T08:30:00"), json!("2026-11-20T08:30:00"), text.clone()),
        ("timestamptz", json!("2026-11-20T09:30:00.123456+01:00"), json!("2026-11-20T08:30:00.123456Z"), text.clone()),
        ("interval", json!("1 year 2 mons -3 days 04:05:06.7"), json!("P1Y2M-3DT4H5M6.7S"), text.clone()),
        ("interval", json!("P1DT2H"), json!("P1DT2H"), text.clone()),
        ("inet", json!("10.0.0.1"), json!("10.0.0.1"), text.clone()),
        ("inet", json!("fe80::1/64"), json!("fe80::1/64"), text.clone()),
        ("cidr", json!("10.0.0.0/8"), json!("10.0.0.0/8"), text.clone()),
        ("macaddr", json!("08:00:2b:01:02:03"), json!("08:00:2b:01:02:03"), text.clone()),
        ("json", json!({"b": [1, null, "x"], "a": 1.5}), json!({"b": [1, null, "x"], "a": 1.5}), json!({})),
        ("jsonb", json!("a text"), json!("a text"), json!({})),
        ("jsonb", json!([9007199254740993_i64]), json!(["9007199254740993"]), json!({})),
        ("xml", json!("<a>1</a>"), json!("<a>1</a>"), text.clone()),
        ("colour", json!("dark red"), json!("dark red"), text.clone()),
        ("positive", json!(3), json!(3), json!({"type": ["integer", "null"]})),
        ("money", json!("12.50"), json!("$12.50"), text.clone()),
        ("int4range", json!("[1,5)"), json!("[1,5)"), text.clone()),
        ("point", json!("(1,2)"), json!("(1,2)"), text.clone()),
        ("place", json!("(\"North hall\",7)"), json!("(\"North hall\",7)"), text.clone()),
        ("varbit", json!("101"), json!("101"), text.clone()),
        ("tsvector", json!("'fat' 'rat'"), json!("'fat' 'rat'"), text.clone()),
        ("regclass", json!("pg_class"), json!("pg_class"), text.clone()),
        ("text[]", json!(["a", null, "b,\"c\"", ""]), json!(["a", null, "b,\"c\"", ""]), strings.clone()),
        ("int4[]", json!([]), json!([]), list(json!(["integer", "null", "array"]))),
        (
            "int8[]",
            json!([1, "9007199254740993"]),
            json!([1, "9007199254740993"]),
            list(json!(["integer", "string", "null", "array"])),
        ),
        (
            "uuid[]",
            json!(["9b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11"]),
            json!(["9b2e1c1e-5d0a-4f0e-9d57-3f6c1b1f0a11"]),
            strings.clone(),
        ),
        ("bool[]", json!([true, false]), json!([true, false]), list(json!(["boolean", "null", "array"]))),
        ("numeric[]", json!([1.5, "2.50", null]), json!(["1.5", "2.50", null]), strings.clone()),
        ("jsonb[]", json!([{"a": 1}, [2]]), json!([{"a": 1}, [2]]), json!({"type": ["array", "null"], "items": {}})),
        ("colour[]", json!(["green"]), json!(["green"]), strings.clone()),
        ("int4range[]", json!(["[1,5)", "empty"]), json!(["[1,5)", "empty"]), strings.clone()),
        ("timestamptz[]", json!(["2026-11-20"]), json!(["2026-11-20T00:00:00Z"]), strings),
    ]
}

const NAMES: &str = "
    CREATE EXTENSION citext; CREATE TYPE colour AS ENUM ('green', 'dark red');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE TYPE place AS (hall text, shelf int);
";

/// What a caller gives comes back: through a cast, a column, and a RETURNING clause.
#[tokio::test]
async fn every_type_goes_both_ways() {
    let types = types();
    let columns: Vec<String> = types.iter().enumerate().map(|(n, (type_, ..))| format!("c{n} {type_}")).collect();
    let database = Database::with(&format!("{NAMES} CREATE TABLE t (id int, {})", columns.join(", "))).await;
    let mut tools = Vec::new();
    for (n, (type_, ..)) in types.iter().enumerate() {
        let parameter = [("v", json!({"description": "A value."}))];
        let bare = type_.split('(').next().unwrap();
        tools.push(tool(&format!("cast{n}"), &format!("SELECT :v::{bare} AS v"), &parameter));
        tools.push(tool(
            &format!("add{n}"),
            &format!("INSERT INTO t (id, c{n}) VALUES ({n}, :v) RETURNING c{n} AS v"),
            &parameter,
        ));
        tools.push(tool(&format!("get{n}"), &format!("SELECT c{n} AS v FROM t WHERE id = {n}"), &[]));
    }
    let served = serve(&database, tools).await;
    for (n, (type_, given, expected, schema)) in types.iter().enumerate() {
        assert_eq!(served.column(&format!("get{n}"), "v"), *schema, "{type_}");
        let padded = if type_.contains("(10") { json!("9.50") } else { expected.clone() };
        for (tool, arguments, expected) in [
            (format!("cast{n}"), json!({"v": given}), expected),
            (format!("add{n}"), json!({"v": given}), &padded),
            (format!("get{n}"), json!({}), &padded),
        ] {
            if *type_ == "char(3)" && tool.starts_with("cast") {
                continue;
            }
            assert_eq!(served.rows(&tool, arguments).await, json!([{"v": expected}]), "{type_} {tool}");
        }
        assert_eq!(served.rows(&format!("cast{n}"), json!({"v": null})).await, json!([{"v": null}]), "{type_}");
    }
}

/// D4: a value that is not of the type is told with its place; nothing reaches the statement.
#[tokio::test]
async fn what_is_not_of_the_type_is_told() {
    let database = Database::with(&format!("{NAMES} {STOCK}")).await;
    let any = |sql: &str, name: &str| tool(name, sql, &[("v", json!({"description": "A value."}))]);
    let served = serve(
        &database,
        vec![
            any("SELECT :v::int2 AS v", "small"),
            any("SELECT :v::uuid AS v", "uuid"),
            any("SELECT :v::timestamptz AS v", "time"),
            any("SELECT :v::int[] AS v", "list"),
            any("SELECT :v::numeric AS v", "decimal"),
            any("SELECT :v::colour AS v", "colour"),
            any("SELECT :v::positive AS v", "positive"),
        ],
    )
    .await;
    for (tool, given, code, words) in [
        ("small", json!(40_000), "invalid_arguments", "/v: 40000 is not an integer between -32768 and 32767"),
        ("uuid", json!("x"), "invalid_arguments", "/v: \"x\" is not a UUID"),
        ("time", json!("soon"), "invalid_arguments", "RFC 3339"),
        ("list", json!(3), "invalid_arguments", "/v: 3 is not a list"),
        ("list", json!([1, "x"]), "invalid_arguments", "/v: \"x\" is not an integer"),
        // These PostgreSQL reads itself.
        ("decimal", json!("12,50"), "upstream_rejected", "invalid input syntax for type numeric"),
        ("colour", json!("blue"), "upstream_rejected", "invalid input value for enum colour"),
        ("positive", json!(-1), "upstream_rejected", "positive_check"),
    ] {
        let error = served.call(tool, json!({"v": given})).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), (code, false), "{tool} {error}");
        assert!(error.to_string().contains(words), "{tool}: {error}");
    }
}

/// The type of a parameter is found where PostgreSQL alone would give up.
#[tokio::test]
async fn parameters_get_their_types_from_where_they_stand() {
    let database = Database::with(STOCK).await;
    let optional = |kind: &str| json!({"type": kind, "required": false});
    let served = serve(
        &database,
        vec![
            tool(
                "list",
                "SELECT sku FROM stock WHERE (:least IS NULL OR units >= :least) AND (:sku IS NULL OR sku = :sku) \
                 AND (:skus IS NULL OR sku = ANY(:skus)) AND (:price IS NULL OR price > :price) \
                 AND (NOT :noted OR note IS NOT NULL) ORDER BY sku",
                &[
                    ("least", optional("integer")),
                    ("sku", optional("string")),
                    ("skus", json!({"type": "array", "items": {"type": "string"}, "required": false})),
                    ("price", optional("number")),
                    ("noted", json!({"type": "boolean", "default": false})),
                ],
            ),
            tool(
                "only_null",
                "SELECT 1 AS one WHERE :day IS NULL",
                &[("day", json!({"type": "string", "format": "date", "required": false}))],
            ),
            tool("searched", "SELECT sku FROM article WHERE name ILIKE '%' || :text || '%'", &[("text", string())]),
            tool(
                "shifted",
                "SELECT (:at::timestamptz + :by::interval)::text AS at, (:ids::int[])[2] AS id, (ARRAY[1, 2, 3])[2:3] AS slice",
                &[("at", string()), ("by", string()), ("ids", json!({"type": "array", "items": {"type": "integer"}}))],
            ),
            tool(
                "limited",
                "SELECT sku FROM article ORDER BY sku LIMIT :n OFFSET :skip",
                &[("n", integer()), ("skip", integer())],
            ),
            tool(
                "inside",
                "SELECT '{\"a\": {\"b\": 7}}'::jsonb #> :path AS found, '{\"k\": 1}'::jsonb ? :key AS has",
                &[("path", json!({"type": "array", "items": {"type": "string"}})), ("key", string())],
            ),
        ],
    )
    .await;
    for (arguments, expected) in [
        (json!({}), vec!["A-1", "A-2"]),
        (json!({"least": 1}), vec!["A-1"]),
        (json!({"sku": "A-2"}), vec!["A-2"]),
        (json!({"skus": ["A-2", "Z"]}), vec!["A-2"]),
        (json!({"price": 9.75}), vec!["A-2"]),
        (json!({"noted": true}), vec!["A-2"]),
        (json!({"sku": "' OR true --"}), vec![]),
    ] {
        let expected: Vec<_> = expected.iter().map(|sku| json!({"sku": sku})).collect();
        assert_eq!(served.rows("list", arguments.clone()).await, json!(expected), "{arguments}");
    }
    assert_eq!(served.rows("only_null", json!({})).await, json!([{"one": 1}]));
    assert_eq!(served.rows("only_null", json!({"day": "2026-01-01"})).await, json!([]));
    assert_eq!(served.rows("searched", json!({"text": "OW"})).await, json!([{"sku": "A-2"}]));
    assert_eq!(
        served.rows("shifted", json!({"at": "2026-01-01T00:00:00Z", "by": "P1D", "ids": [4, 5]})).await,
        json!([{"at": "2026-01-02 00:00:00+00", "id": 5, "slice": [2, 3]}])
    );
    assert_eq!(served.rows("limited", json!({"n": 1, "skip": 1})).await, json!([{"sku": "A-2"}]));
    assert_eq!(
        served.rows("inside", json!({"path": ["a", "b"], "key": "k"})).await,
        json!([{"found": 7, "has": true}])
    );
}

#[tokio::test]
async fn the_operators_word_on_a_column_counts() {
    let database = Database::with(
        "CREATE TABLE t (d numeric, i int8, j jsonb, a int[]); INSERT INTO t VALUES (12.50, 9007199254740993, '{\"a\": 1}', '{1,2}')",
    )
    .await;
    let mut noted = tool("noted", "SELECT d, i, j, a FROM t", &[]);
    noted.columns = vec![
        column("d", Some("number")),
        column("i", Some("string")),
        column("j", Some("object")),
        column("a", Some("array")),
    ];
    let served = serve(&database, vec![noted]).await;
    assert_eq!(
        served.rows("noted", json!({})).await,
        json!([{"d": 12.5, "i": "9007199254740993", "j": {"a": 1}, "a": [1, 2]}])
    );
    assert_eq!(served.column("noted", "d"), json!({"type": ["number", "string", "null"], "description": "The d."}));
}

/// D3, with whatever a caller may give, and lists of any number of dimensions.
#[test]
fn whatever_is_written_is_read_again() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let served = runtime.block_on(async {
        let database = Database::empty().await;
        let parameters = [
            ("t", json!({"type": "string"})),
            ("i", json!({"type": "integer"})),
            ("r", json!({"type": "number"})),
            ("n", json!({"type": "string"})),
            ("j", json!({})),
            ("l", json!({"type": "array"})),
            ("at", json!({"type": "string"})),
        ];
        let sql = "SELECT :t::text AS t, :i::int8 AS i, :r::float8 AS r, :n::numeric AS n, :j::jsonb AS j, :l::text[] AS l, \
                   :at::timestamptz AS at, :at::timestamptz::text AS written, ARRAY[[:i::int8], [NULL::int8]] AS nested, \
                   :n::numeric::text AS digits";
        serve(&database, vec![tool("echo", sql, &parameters)]).await
    });
    let document = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..9_007_199_254_740_991).prop_map(Value::from),
        "[^\\x00]{0,12}".prop_map(Value::from),
        prop::collection::vec("[a-zäß\"\\\\,{}]{0,6}", 0..4).prop_map(Value::from),
        prop::collection::btree_map("[a-z ]{0,4}", any::<bool>(), 0..4).prop_map(|members| json!(members)),
    ];
    let decimal = ("-?", "0|[1-9][0-9]{0,30}", prop::option::of("[0-9]{1,20}"));
    let given = (
        "[^\\x00]{0,40}",
        any::<i64>(),
        prop::num::f64::NORMAL,
        decimal,
        document,
        prop::collection::vec(prop::option::of("[^\\x00]{0,6}"), 0..5),
        -62_100_000_000_000_000_i64..253_000_000_000_000_000,
    );
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(150));
    let outcome = runner.run(&given, |(t, i, r, (sign, whole, fraction), j, l, micros)| {
        let at = jiff::Timestamp::from_microsecond(micros).unwrap().to_string();
        let n = format!("{sign}{whole}{}", fraction.map(|digits| format!(".{digits}")).unwrap_or_default());
        let arguments = json!({"t": t, "i": i, "r": r, "n": n, "j": j, "l": l, "at": at});
        let row = runtime.block_on(served.rows("echo", arguments))[0].take();
        let i = if i.unsigned_abs() <= 1 << 53 { json!(i) } else { json!(i.to_string()) };
        prop_assert_eq!(&row["t"], &json!(t));
        prop_assert_eq!(&row["i"], &i);
        prop_assert_eq!(&row["r"], &json!(r));
        prop_assert_eq!(&row["n"], &row["digits"], "as PostgreSQL itself writes it");
        prop_assert_eq!(&row["j"], &j);
        prop_assert_eq!(&row["l"], &json!(l));
        prop_assert_eq!(&row["nested"], &json!([[i], [null]]));
        let written = row["written"].as_str().unwrap().replace(' ', "T").replace("+00", "Z");
        prop_assert_eq!(&row["at"], &json!(written), "as PostgreSQL itself writes it");
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
