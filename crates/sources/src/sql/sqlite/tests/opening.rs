//! Opening: faults of settings, statements, seed and file, each with its place and its mend.

use super::*;

async fn faults(place: &Place, tools: Vec<SqlToolSettings>) -> Vec<String> {
    match place.open(tools).await {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

const TABLE: &str = "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)";

#[tokio::test]
async fn every_fault_is_found_at_once() {
    let place = Place::with(TABLE).await;
    let mut bad_effect = tool("bad_effect", "DELETE FROM t", &[]);
    bad_effect.effect = Some(bridgehead_core::Effect::Read);
    let mut bad_column = tool("bad_column", "SELECT a FROM t", &[]);
    bad_column.columns = vec![column("units", None)];
    let mut bad_type = tool("bad_type", "SELECT a FROM t", &[]);
    bad_type.columns = vec![column("a", Some("decimal"))];
    let mut bad_scope = tool("bad_scope", "SELECT a FROM t", &[]);
    bad_scope.scope = Some("two words".into());
    let mut bad_limit = tool("bad_limit", "SELECT a FROM t", &[]);
    bad_limit.row_limit = 0;
    let found = faults(
        &place,
        vec![
            tool("misspelt", "SELECT uints FROM t", &[]),
            tool("syntax", "SELECT FROM WHERE", &[]),
            tool("several", "SELECT 1; DELETE FROM t", &[]),
            tool("ddl", "DROP TABLE t", &[]),
            tool("positional", "SELECT a FROM t WHERE a = ?", &[]),
            tool("undeclared", "SELECT a FROM t WHERE a = :a", &[]),
            tool("unused", "SELECT a FROM t", &[("a", integer())]),
            tool("cast", "SELECT a::text FROM t", &[]),
            tool("twice", "SELECT a, b AS A FROM t", &[]),
            tool("twice", "SELECT a FROM t", &[]),
            tool("bad_default", "SELECT :a AS a", &[("a", json!({"type": "integer", "default": "x"}))]),
            tool("bad_schema", "SELECT :a AS a", &[("a", json!({"type": "text"}))]),
            paged(tool("bad_key", "SELECT a FROM t", &[]), &["id"], 5),
            paged(tool("no_key", "SELECT a FROM t", &[]), &[], 0),
            paged(tool("page_of_write", "DELETE FROM t RETURNING a", &[]), &["a"], 5),
            paged(tool("taken", "SELECT a FROM t WHERE a = :cursor", &[("cursor", integer())]), &["a", "A"], 5),
            bad_effect,
            bad_column,
            bad_type,
            bad_scope,
            bad_limit,
        ],
    )
    .await;
    let text = found.join("\n");
    for expected in [
        "tools.misspelt.sql: The database does not take this statement: no such column: uints",
        "tools.syntax.sql: The database does not take this statement: near \"FROM\"",
        "tools.several.sql: A tool is exactly one statement",
        "tools.ddl.sql: DROP cannot be a tool",
        "tools.positional.sql: `?` is a parameter without a name",
        "tools.undeclared.sql: The statement uses :a, and there is no parameters.a",
        "tools.unused.parameters.a: The statement does not use :a",
        "tools.cast.sql: The database does not take this statement: unrecognized token",
        "tools.twice: Two tools have this name",
        "tools.twice.sql: Two result columns are called `A`. Give one an alias",
        "tools.bad_default.parameters.a.default: The default \"x\" does not fit",
        "tools.bad_schema.parameters.a: This is not a JSON Schema",
        "tools.bad_key.page.key: The statement returns no column `id`. It returns a.",
        "tools.no_key.page.key: Name at least one",
        "tools.no_key.page.size: A page of 0 rows",
        "tools.page_of_write.page: Only a read has pages",
        "tools.taken.parameters.cursor: A tool with pages has a parameter `cursor`",
        "tools.taken.page.key: `A` is named twice",
        "tools.bad_effect.effect: The statement is `destructive`",
        "tools.bad_column.columns.units: The statement returns no column `units`. It returns a.",
        "tools.bad_type.columns.a.type: `decimal` is not a type",
        "tools.bad_scope.scope: ",
        "tools.bad_limit.row_limit: ",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}\n---\n{text}");
    }
    assert_eq!(found.len(), 23, "{text}");
}

#[tokio::test]
async fn check_needs_no_database() {
    let place = Place::empty();
    let settings = place
        .settings(vec![tool("several", "SELECT 1; SELECT 2", &[]), tool("misspelt", "SELECT x FROM nowhere", &[])]);
    let faults = crate::sql::check(&settings);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].path, ["tools", "several", "sql"]);
    let memory = Database::Sqlite { path: ":memory:".into(), seed: None };
    assert!(crate::sql::check(&SqlSettings { database: memory, ..settings }).iter().any(|fault| fault.path == ["url"]));
}

#[tokio::test]
async fn an_effect_can_be_raised() {
    let place = Place::with(TABLE).await;
    let mut careful = tool("careful", "INSERT INTO t (b) VALUES (:b)", &[("b", string())]);
    careful.effect = Some(bridgehead_core::Effect::Destructive);
    careful.idempotent = Some(true);
    careful.scope = Some("stock:write".into());
    let served = place.serve(vec![careful]).await;
    let spec = served.spec("careful");
    assert_eq!((spec.effect, spec.idempotent), (bridgehead_core::Effect::Destructive, true));
    assert_eq!(spec.scope.as_deref(), Some("stock:write"));
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_a_fault_that_says_how_to_mend_it() {
    let place = Place::empty();
    let found = faults(&place, vec![]).await;
    assert!(found[0].starts_with("url: There is no database") && found[0].contains("seed"), "{found:?}");
    assert!(!place.database().exists(), "opening makes no file");
    std::fs::write(place.database(), "this is a text and no database, and it is long enough").unwrap();
    let found = faults(&place, vec![tool("one", "SELECT 1 AS one", &[])]).await;
    assert!(found[0].starts_with("url: The database cannot be read: file is not a database"), "{found:?}");
    std::fs::remove_file(place.database()).unwrap();
    std::fs::create_dir(place.database()).unwrap();
    let found = faults(&place, vec![]).await;
    assert!(found[0].contains("cannot be used as a database"), "{found:?}");
    let place = Place::with("PRAGMA encoding = 'UTF-16'; CREATE TABLE t (a)").await;
    let found = faults(&place, vec![]).await;
    assert!(found[0].contains("UTF-16"), "{found:?}");
}

fn seeded(place: &Place, seed: &str) -> SqlSettings {
    std::fs::write(place.file("seed.sql"), seed).unwrap();
    let one = tool("all", "SELECT a, b FROM t ORDER BY a", &[]);
    let database = Database::Sqlite { path: place.database(), seed: Some(place.file("seed.sql")) };
    SqlSettings { database, ..place.settings(vec![one]) }
}

async fn open(settings: &SqlSettings) -> Result<Served, Vec<SqlFault>> {
    let source = SqlSource::open(settings.clone(), Arc::new(SystemClock)).await?;
    Ok(Served::new(source, PolicyPatch::default()))
}

fn files(place: &Place) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(place.directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_seed_makes_the_database_once() {
    let place = Place::empty();
    let settings = seeded(
        &place,
        "-- a dump has a transaction of its own\nPRAGMA foreign_keys = OFF; BEGIN TRANSACTION;\n\
         CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'x;y');\n\
         CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET b = b || '!' WHERE a = NEW.a; END;\n\
         INSERT INTO t VALUES (2, 'z'); COMMIT; PRAGMA journal_mode = WAL;",
    );
    let served = open(&settings).await.ok().unwrap();
    let rows = json!([{"a": 1, "b": "x;y"}, {"a": 2, "b": "z!"}]);
    assert_eq!(served.call("all", json!({})).await.unwrap()["rows"], rows);
    served.source.close().await;
    place.run("DELETE FROM t WHERE a = 1").await;
    let served = open(&settings).await.ok().unwrap();
    assert_eq!(served.call("all", json!({})).await.unwrap()["row_count"], 1, "a second start does not seed");
}

#[tokio::test]
async fn a_seed_that_fails_leaves_nothing_behind() {
    let place = Place::empty();
    for (sql, words) in [
        (
            "CREATE TABLE t (a, b); INSERT INTO t VALUES (1); CREATE TABLE u (a);",
            "statement 2 failed: table t has 2 columns",
        ),
        ("CREATE TABLE t (a, b); .import x t", "statement 2 failed: near \".\""),
        ("BEGIN; CREATE TABLE t (a, b);", "begun and not committed"),
        ("PRAGMA journal_mode = WAL; CREATE TABLE t (a, b); SELECT nonsense;", "statement 3 failed"),
    ] {
        let found = open(&seeded(&place, sql)).await.err().unwrap();
        assert_eq!(found[0].path, ["seed"]);
        assert!(found[0].message.contains(words), "{found:?}");
        assert_eq!(files(&place), ["seed.sql"], "{sql}");
    }
    let mut settings = seeded(&place, "");
    settings.database = Database::Sqlite { path: place.database(), seed: Some(place.file("missing.sql")) };
    assert!(open(&settings).await.err().unwrap()[0].message.contains("missing.sql cannot be read"));
    let mut settings = seeded(&place, "CREATE TABLE t (a, b)");
    settings.database = Database::Sqlite { path: place.file("nowhere/stock.db"), seed: Some(place.file("seed.sql")) };
    assert_eq!(open(&settings).await.err().unwrap()[0].path, ["url"]);
    // Nor is a database made while the settings have faults.
    let mut settings = seeded(&place, "CREATE TABLE t (a, b)");
    settings.tools.push(tool("several", "SELECT 1; SELECT 2", &[]));
    assert_eq!(open(&settings).await.err().unwrap()[0].path, ["tools", "several", "sql"]);
    assert_eq!(files(&place), ["seed.sql"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_starts_at_once_seed_once() {
    let place = Place::empty();
    let settings = seeded(&place, "CREATE TABLE t (a, b); INSERT INTO t VALUES (hex(randomblob(8)), 1);");
    let opened = future::join_all((0..8).map(|_| open(&settings))).await;
    let mut answers = Vec::new();
    for served in opened {
        answers.push(served.ok().unwrap().call("all", json!({})).await.unwrap()["rows"][0]["a"].clone());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "all see the same database");
    assert_eq!(files(&place), ["seed.sql", "stock.db"]);
}
