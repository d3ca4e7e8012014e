//! D5: `effects_table` on PostgreSQL. One effect for each id, told apart from none after the fact, also while the
//! transaction of a server that died is still under way.

use std::sync::Arc;

use bridgehead_core::{
    Call, CallError, Caller, ClaimedEffect, EffectId, Randomness, Recovery, RequestId, Resolution, Secret, SystemClock,
    Verdict, effects::arguments_digest,
};
use bridgehead_sources::sql::{self, SqlSettings, SqlSource};
use sqlx::Connection as _;

use super::*;

fn tools() -> Vec<SqlToolSettings> {
    vec![
        tool("count", "SELECT sum(units) AS units FROM stock", &[]),
        tool("raise", "UPDATE stock SET units = units + :by WHERE id = 1 RETURNING units", &[("by", integer())]),
    ]
}

async fn open_as(url: &str) -> Result<SqlSource, Vec<SqlFault>> {
    let database = sql::Database::Postgres { url: Secret::new(url.to_owned()), session: Vec::new() };
    let settings = SqlSettings { name: "stock".into(), database, effects_table: true, tools: tools() };
    SqlSource::open(settings, Arc::new(SystemClock)).await
}

async fn source(database: &Database) -> SqlSource {
    open_as(&database.url()).await.map_err(|faults| format!("{faults:?}")).unwrap()
}

struct Zeros;
impl Randomness for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn effect(digit: char, arguments: &Value) -> ClaimedEffect {
    ClaimedEffect {
        id: EffectId::parse(&digit.to_string().repeat(64)).unwrap(),
        digest: arguments_digest(arguments.as_object().unwrap()),
        upstream_header: None,
        retention: Duration::from_secs(3600),
    }
}

async fn raise(source: &SqlSource, by: i64, digit: char) -> Result<i64, CallError> {
    let arguments = json!({"by": by});
    let map = arguments.as_object().unwrap().clone();
    let mut call = Call::new(RequestId::generate(&Zeros), Arc::new(Caller::anonymous()), "raise", map);
    call.effect = Some(effect(digit, &arguments));
    let outcome = source.call("raise", &call).await?;
    Ok(outcome.structured.unwrap()["rows"][0]["units"].as_i64().unwrap())
}

async fn scalar(database: &Database, sql: &'static str) -> i64 {
    let mut connection = database.connect().await;
    sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
}

/// Units of the first row, which begins with 5.
const UNITS: &str = "SELECT units::bigint FROM stock WHERE id = 1";

#[tokio::test]
async fn a_repeat_changes_nothing_and_gets_the_same_answer() {
    let database = Database::with(STOCK).await;
    // Two that open at once make one table.
    let (one, other) = futures_util::future::join(source(&database), source(&database)).await;
    assert_eq!(raise(&one, 2, 'a').await.unwrap(), 7);
    assert_eq!(raise(&other, 2, 'b').await.unwrap(), 9);
    for source in [&one, &other] {
        assert_eq!(raise(source, 2, 'a').await.unwrap(), 7);
    }
    assert_eq!(raise(&one, 3, 'a').await.unwrap_err().code(), "idempotency_conflict");
    let sources = [&one, &other];
    let repeats = join_all((0..40).map(|index| raise(sources[index % 2], 1, 'c'))).await;
    assert!(repeats.into_iter().all(|result| result.unwrap() == 10));
    assert_eq!(scalar(&database, UNITS).await, 10);
    assert_eq!(one.recovery("raise"), Recovery { sends_key: false, resolves: true });
    assert_eq!(one.recovery("count"), Recovery::default());
}

/// Where transactions see the database as it was at their beginning, a repeat at the same moment may fail, and never
/// changes anything.
#[tokio::test]
async fn repeats_at_once_change_it_once_in_every_isolation() {
    for isolation in ["read committed", "repeatable read", "serializable"] {
        let database = Database::with(STOCK).await;
        let sql = format!("ALTER DATABASE {} SET default_transaction_isolation = '{isolation}'", database.name);
        database.run(&sql).await;
        let sources = [source(&database).await, source(&database).await];
        for result in join_all((0..20).map(|index| raise(&sources[index % 2], 1, 'a'))).await {
            match result {
                Ok(units) => assert_eq!(units, 6, "{isolation}"),
                Err(CallError::Upstream(failure)) => {
                    assert_eq!((failure.retryable, failure.verdict), (true, Verdict::Undone), "{isolation}: {failure}");
                }
                Err(other) => panic!("{isolation}: {other:?}"),
            }
        }
        assert_eq!((scalar(&database, UNITS).await, raise(&sources[0], 1, 'a').await.unwrap()), (6, 6), "{isolation}");
        assert!(matches!(sources[1].resolve("raise", &effect('a', &json!({"by": 1}))).await, Resolution::Done(_)));
    }
}

#[tokio::test]
async fn a_change_that_is_taken_back_takes_its_row_with_it() {
    let database = Database::with(STOCK).await;
    let source = source(&database).await;
    assert_eq!(raise(&source, -9, 'a').await.unwrap_err().code(), "upstream_rejected");
    assert_eq!(source.resolve("raise", &effect('a', &json!({"by": -9}))).await, Resolution::NotDone);
    database.run("ALTER TABLE bridgehead_effects ADD CHECK (outcome = '')").await;
    let CallError::Upstream(failure) = raise(&source, 1, 'a').await.unwrap_err() else { panic!("an upstream failure") };
    assert_eq!((failure.code.as_str(), failure.verdict), ("upstream_unavailable", Verdict::Undone));
    assert_eq!(scalar(&database, UNITS).await, 5);
}

/// A server that died has left its transaction at the COMMIT: nobody says that it was not done before it has ended.
#[tokio::test]
async fn a_transaction_under_way_is_waited_for() {
    for (end, done) in [("COMMIT", true), ("ROLLBACK", false)] {
        let database = Database::with(STOCK).await;
        let source = source(&database).await;
        let of_a = effect('a', &json!({"by": 1}));
        let mut dead = database.connect().await;
        // What the source itself does, up to the end.
        let lock = "BEGIN; SELECT pg_advisory_xact_lock(('x' || repeat('a', 16))::bit(64)::bigint)";
        sqlx::raw_sql(lock).execute(&mut dead).await.unwrap();
        let insert = "INSERT INTO bridgehead_effects VALUES (repeat('a', 64), $1, '{}', now(), now() + '1 day')";
        sqlx::query(insert).bind(of_a.digest.to_vec()).execute(&mut dead).await.unwrap();
        let (resolution, ended) =
            futures_util::future::join(source.resolve("raise", &of_a), sqlx::raw_sql(end).execute(&mut dead)).await;
        ended.unwrap();
        assert_eq!(matches!(resolution, Resolution::Done(_)), done, "{end}: {resolution:?}");
        assert_eq!(resolution == Resolution::NotDone, !done, "{end}: {resolution:?}");
        dead.close().await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_are_not_kept_any_longer_are_cleared_away() {
    let database = Database::with(STOCK).await;
    let source = source(&database).await;
    let old = "INSERT INTO bridgehead_effects VALUES ('old', '', '{}', now(), now() - '1 s'::interval), \
               ('young', '', '{}', now(), now() + '1 hour'::interval)";
    database.run(old).await;
    raise(&source, 1, 'a').await.unwrap();
    assert_eq!(scalar(&database, "SELECT count(*) FROM bridgehead_effects WHERE effect_id = 'old'").await, 0);
    assert_eq!(scalar(&database, "SELECT count(*) FROM bridgehead_effects").await, 2);
    let kept =
        "SELECT extract(epoch FROM keep_until - done_at)::bigint FROM bridgehead_effects WHERE effect_id LIKE 'aa%'";
    assert_eq!(scalar(&database, kept).await, 3600 + 24 * 3600);
}

/// The operator is told at the start which right is missing, and what to run.
#[tokio::test]
async fn missing_rights_are_faults_at_the_start() {
    let user = "CREATE ROLE clerk_of_effects LOGIN PASSWORD 'pw'; GRANT SELECT, UPDATE ON stock TO clerk_of_effects;
                REVOKE CREATE ON SCHEMA public FROM PUBLIC;";
    let database = Database::with(&format!("{STOCK}{user}")).await;
    let url = database.url_as("clerk_of_effects", "pw");
    let fault = async || {
        let faults = open_as(&url).await.err().unwrap();
        assert_eq!((faults.len(), faults[0].path.join(".")), (1, "effects_table".to_owned()), "{faults:?}");
        faults[0].message.clone()
    };
    let told = fault().await;
    assert!(told.contains("permission denied") && told.contains("run: CREATE TABLE bridgehead_effects"), "{told}");
    // As they are told to, but for one right.
    drop(source(&database).await);
    database.run("GRANT SELECT, INSERT ON bridgehead_effects TO clerk_of_effects").await;
    let told = fault().await;
    assert!(told.contains("cannot be used: permission denied"), "{told}");
    database.run("GRANT DELETE ON bridgehead_effects TO clerk_of_effects").await;
    assert_eq!(raise(&open_as(&url).await.ok().unwrap(), 1, 'a').await.unwrap(), 6);
    database.run("ALTER ROLE clerk_of_effects SET default_transaction_read_only = on").await;
    let told = fault().await;
    assert!(told.contains("can only be read"), "{told}");
    database.run("DROP OWNED BY clerk_of_effects; DROP ROLE clerk_of_effects").await;
    // A table of that name that keeps no two rows apart.
    let another = Database::with(&format!(
        "{STOCK} CREATE TABLE bridgehead_effects (effect_id text, digest bytea, outcome text, done_at timestamptz, \
         keep_until timestamptz)"
    ))
    .await;
    let faults = open_as(&another.url()).await.err().unwrap();
    assert!(faults[0].message.contains("ON CONFLICT"), "{faults:?}");
}
