//! D5: `effects_table`. One effect for each id, told apart from none after the fact.

use bridgehead_core::{ClaimedEffect, EffectId, Recovery, Resolution, Verdict, effects::arguments_digest};
use sqlx::Row as _;

use super::*;

const STOCK: &str = "
    CREATE TABLE stock (id INTEGER PRIMARY KEY, units INTEGER CHECK (units < 100)) STRICT;
    INSERT INTO stock VALUES (1, 5);
";
const RETENTION: Duration = Duration::from_secs(3600);

fn tools() -> Vec<SqlToolSettings> {
    vec![
        tool("units", "SELECT units FROM stock", &[]),
        tool("add", "UPDATE stock SET units = units + :by RETURNING units", &[("by", integer())]),
    ]
}

async fn open(place: &Place) -> Result<SqlSource, Vec<SqlFault>> {
    open_with(place, tools()).await
}

async fn open_with(place: &Place, tools: Vec<SqlToolSettings>) -> Result<SqlSource, Vec<SqlFault>> {
    let settings = SqlSettings { effects_table: true, ..place.settings(tools) };
    SqlSource::open(settings, Arc::new(SystemClock)).await
}

async fn source(place: &Place) -> SqlSource {
    open(place).await.map_err(|faults| format!("{faults:?}")).unwrap()
}

/// The effect that a call of these arguments has under the key of this digit.
fn effect(digit: char, arguments: &Value) -> ClaimedEffect {
    ClaimedEffect {
        id: EffectId::parse(&digit.to_string().repeat(64)).unwrap(),
        digest: arguments_digest(arguments.as_object().unwrap()),
        upstream_header: None,
        retention: RETENTION,
    }
}

async fn add(source: &SqlSource, by: i64, effect: Option<ClaimedEffect>) -> Result<Value, CallError> {
    let arguments = json!({"by": by}).as_object().unwrap().clone();
    let mut call = Call::new(RequestId::generate(&Zeros), Arc::new(Caller::anonymous()), "add", arguments);
    call.effect = effect;
    Ok(Value::Object(source.call("add", &call).await?.structured.unwrap()))
}

async fn add_once(source: &SqlSource, by: i64, digit: char) -> Result<Value, CallError> {
    add(source, by, Some(effect(digit, &json!({"by": by})))).await
}

async fn units(place: &Place) -> i64 {
    scalar(place, "SELECT units FROM stock").await
}

async fn scalar(place: &Place, sql: &'static str) -> i64 {
    let mut connection = SqliteConnectOptions::new().filename(place.database()).connect().await.unwrap();
    sqlx::query(sql).fetch_one(&mut connection).await.unwrap().get(0)
}

#[tokio::test]
async fn a_repeat_changes_nothing_and_gets_the_same_answer() {
    let place = Place::with(STOCK).await;
    let one = source(&place).await;
    let first = add_once(&one, 2, 'a').await.unwrap();
    assert_eq!(first, json!({"affected": 1, "rows": [{"units": 7}]}));
    assert_eq!(add_once(&one, 2, 'b').await.unwrap()["rows"][0]["units"], 9);
    // After a restart as well.
    let another = source(&place).await;
    for source in [&one, &another] {
        assert_eq!(add_once(source, 2, 'a').await.unwrap(), first);
    }
    assert_eq!(units(&place).await, 9);
}

/// Many at once, from two processes as it were: one of them does it.
#[tokio::test]
async fn repeats_at_once_change_it_once() {
    let place = Place::with(STOCK).await;
    let sources = [source(&place).await, source(&place).await];
    let repeats = (0..40).map(|index| add_once(&sources[index % 2], 1, 'a'));
    for result in future::join_all(repeats).await {
        assert_eq!(result.unwrap(), json!({"affected": 1, "rows": [{"units": 6}]}));
    }
    assert_eq!(units(&place).await, 6);
}

#[tokio::test]
async fn a_call_without_a_key_leaves_no_row() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    for expected in [6, 7] {
        assert_eq!(add(&source, 1, None).await.unwrap()["rows"][0]["units"], expected);
    }
    assert_eq!(scalar(&place, "SELECT count(*) FROM bridgehead_effects").await, 0);
}

#[tokio::test]
async fn other_arguments_under_the_same_id_are_refused() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    add_once(&source, 2, 'a').await.unwrap();
    let error = add_once(&source, 3, 'a').await.unwrap_err();
    assert_eq!(error.code(), "idempotency_conflict");
    assert_eq!(source.resolve("add", &effect('a', &json!({"by": 3}))).await, Resolution::Unknown);
    assert_eq!(units(&place).await, 7);
}

/// What the database refuses is no effect: no row says that there was one.
#[tokio::test]
async fn a_change_that_is_taken_back_takes_its_row_with_it() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    let error = add_once(&source, 99, 'a').await.unwrap_err();
    assert_eq!(error.code(), "upstream_rejected");
    assert_eq!(source.resolve("add", &effect('a', &json!({"by": 99}))).await, Resolution::NotDone);
    place.run("UPDATE stock SET units = 0").await;
    assert_eq!(add_once(&source, 99, 'a').await.unwrap()["rows"][0]["units"], 99);
}

/// And where the row cannot be written, the change is taken back.
#[tokio::test]
async fn a_row_that_cannot_be_written_takes_the_change_with_it() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    place.run("CREATE TRIGGER no BEFORE INSERT ON bridgehead_effects BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    let error = add_once(&source, 2, 'a').await.unwrap_err();
    assert_eq!((error.code(), error.retryable()), ("upstream_unavailable", true));
    let CallError::Upstream(failure) = error else { panic!("{error:?}") };
    assert_eq!(failure.verdict, Verdict::Undone);
    assert_eq!(units(&place).await, 5);
    place.run("DROP TRIGGER no").await;
    assert_eq!(add_once(&source, 2, 'a').await.unwrap()["rows"][0]["units"], 7);
}

#[tokio::test]
async fn what_became_of_an_effect_is_found_out() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    let of_a = effect('a', &json!({"by": 2}));
    assert_eq!(source.resolve("add", &of_a).await, Resolution::NotDone);
    let answer = add_once(&source, 2, 'a').await.unwrap();
    let Resolution::Done(outcome) = source.resolve("add", &of_a).await else { panic!("it was done") };
    assert_eq!(Value::Object(outcome.structured.unwrap()), answer);
    assert_eq!(source.recovery("add"), Recovery { sends_key: false, resolves: true });
    assert_eq!(source.recovery("units"), Recovery::default());
    // Without the setting, nothing is known and nothing is promised.
    let plain = place.open(tools()).await.ok().unwrap();
    assert_eq!(plain.recovery("add"), Recovery::default());
    assert_eq!(plain.resolve("add", &of_a).await, Resolution::Unknown);
}

/// A transaction that is under way is waited for: before it has ended, nobody says that it was not done.
#[tokio::test]
async fn a_transaction_under_way_is_waited_for() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    let mut other = SqliteConnectOptions::new().filename(place.database()).connect().await.unwrap();
    let of_a = effect('a', &json!({"by": 2}));
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let insert = "INSERT INTO bridgehead_effects VALUES (?, ?, '{\"structured\": {\"affected\": 7}}', 0, 9e9)";
    sqlx::query(insert).bind("a".repeat(64)).bind(of_a.digest.to_vec()).execute(&mut other).await.unwrap();
    let commit = sqlx::raw_sql("COMMIT").execute(&mut other);
    // Whichever comes first: the row cannot be missed.
    let (resolution, committed) = future::join(source.resolve("add", &of_a), commit).await;
    committed.unwrap();
    let Resolution::Done(outcome) = resolution else { panic!("{resolution:?}") };
    assert_eq!(outcome.structured.unwrap()["affected"], 7);
}

#[tokio::test]
async fn rows_are_kept_longer_than_the_key_and_then_cleared_away() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    place.run("INSERT INTO bridgehead_effects VALUES ('old', x'', '{}', 0, 1), ('young', x'', '{}', 0, 9e9)").await;
    add_once(&source, 1, 'a').await.unwrap();
    assert_eq!(scalar(&place, "SELECT count(*) FROM bridgehead_effects WHERE effect_id = 'old'").await, 0);
    assert_eq!(scalar(&place, "SELECT count(*) FROM bridgehead_effects").await, 2);
    let kept = "SELECT keep_until - done_at FROM bridgehead_effects WHERE effect_id LIKE 'aaa%'";
    assert_eq!(scalar(&place, kept).await, 3600 + 24 * 3600);
}

/// A restored copy has no table yet.
#[tokio::test]
async fn a_file_that_is_put_in_its_place_gets_the_table_too() {
    let place = Place::with(STOCK).await;
    let source = source(&place).await;
    add_once(&source, 1, 'a').await.unwrap();
    make(&place.file("new.db"), STOCK).await;
    std::fs::rename(place.file("new.db"), place.database()).unwrap();
    // In this database it was never done.
    assert_eq!(source.resolve("add", &effect('a', &json!({"by": 1}))).await, Resolution::NotDone);
    for _ in 0..2 {
        assert_eq!(add_once(&source, 1, 'a').await.unwrap()["rows"][0]["units"], 6);
    }
}

#[tokio::test]
async fn a_table_that_is_another_one_and_one_without_use_are_faults() {
    let tools_that_read = vec![tools().remove(0)];
    for (sql, tools, words) in [
        ("CREATE TABLE bridgehead_effects (x)", tools(), "cannot be made or used"),
        (
            "CREATE TABLE bridgehead_effects (effect_id, digest, outcome, done_at, keep_until)",
            tools(),
            "ON CONFLICT clause does not match",
        ),
        ("", tools_that_read, "No tool of this source changes anything"),
    ] {
        let place = Place::with(&format!("{STOCK}{sql}")).await;
        let faults = open_with(&place, tools).await.err().unwrap();
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].path, ["effects_table"]);
        assert!(faults[0].message.contains(words), "{}", faults[0]);
    }
    // Nothing is made while something else is wrong.
    let place = Place::with(STOCK).await;
    let mut wrong = tools();
    wrong.push(tool("wrong", "DELETE FROM nowhere", &[]));
    assert!(open_with(&place, wrong).await.is_err());
    assert_eq!(scalar(&place, "SELECT count(*) FROM sqlite_schema WHERE name LIKE 'bridgehead%'").await, 0);
}
