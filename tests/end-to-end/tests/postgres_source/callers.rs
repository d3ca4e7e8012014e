//! P2: statements that know who calls, by parameters and by row level security. Calls that follow on
//! each other share a connection, and nothing of one caller is left on it for the next.

use std::collections::{BTreeMap, BTreeSet};

use bridgehead_core::{Caller, Claims, SignIn};
use bridgehead_harness::{TestServer, process::binary};
use bridgehead_sources::sql::{CallerParameter, SessionSetting};

use super::{served::open_settings, *};

/// The policies know the owner from a setting; one of them only where `app.groups` is set as well.
const NOTES: &str = "
    CREATE TABLE note (
      id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      owner text NOT NULL DEFAULT current_setting('app.subject'), words text NOT NULL, \"group\" text);
    INSERT INTO note (owner, words, \"group\") VALUES
      ('alice', 'a1', 'north'), ('bob', 'b1', 'south'), ('alice', 'a2', 'east'), ('bob', 'b2', 'south');
    ALTER TABLE note ENABLE ROW LEVEL SECURITY;
    ALTER TABLE note FORCE ROW LEVEL SECURITY;
    CREATE POLICY own ON note USING (owner = current_setting('app.subject', true));
";

/// A user of the test's own, to whom the policies apply. Users are of the whole server.
async fn notes() -> (Database, String) {
    let database = Database::with(NOTES).await;
    let user = format!("clerk_{}", database.name);
    let sql = format!("CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'; GRANT ALL ON note TO {user}");
    database.run(&sql).await;
    let url = database.url_as(&user, PASSWORD);
    (database, url)
}

fn caller(subject: &str, claims: Value) -> Caller {
    let claims = Claims::new(claims.as_object().unwrap().clone());
    Caller { subject: subject.into(), sign_in: SignIn::Local, claims, ..Caller::anonymous() }
}

fn of_caller(mut settings: SqlToolSettings, name: &str, from: &str, schema: Value) -> SqlToolSettings {
    let schema = schema.as_object().unwrap().clone();
    settings.of_caller.push(CallerParameter { name: name.into(), from: from.parse().unwrap(), schema });
    settings
}

fn session(settings: &[(&str, &str)]) -> Vec<SessionSetting> {
    settings.iter().map(|(name, from)| SessionSetting { name: (*name).into(), from: from.parse().unwrap() }).collect()
}

fn words(result: Result<Value, bridgehead_core::CallError>) -> Vec<String> {
    let result = result.unwrap_or_else(|error| panic!("{error:?}"));
    result["rows"].as_array().unwrap().iter().map(|row| row["words"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn parameters_are_filled_with_what_is_known_of_the_caller() {
    let database = Database::with(NOTES).await;
    let (text, texts) = (json!({"type": "string"}), json!({"type": "array", "items": {"type": "string"}}));
    let mine = paged(tool("mine", "SELECT id, words FROM note WHERE owner = :owner", &[]), &["id"], 1);
    let groups = "SELECT words FROM note WHERE \"group\" = ANY(:groups) ORDER BY id";
    let add = "INSERT INTO note (owner, words) VALUES (:owner, :words) RETURNING owner, words";
    let at_level = "SELECT words FROM note WHERE id <= :level ORDER BY id";
    let served = serve(
        &database,
        vec![
            of_caller(mine, "owner", "caller.subject", text.clone()),
            of_caller(tool("of_groups", groups, &[]), "groups", "caller.claims.groups", texts),
            of_caller(tool("add", add, &[("words", string())]), "owner", "caller.subject", text),
            of_caller(tool("at_level", at_level, &[]), "level", "caller.claims.level", json!({"type": "integer"})),
        ],
    )
    .await;
    let alice = caller("alice", json!({"groups": ["north", "south"], "level": 1}));
    let bob = caller("bob", json!({"groups": "south", "level": 5_000_000_000_i64}));
    let first = served.call_as(&alice, "mine", json!({})).await.unwrap();
    assert_eq!(words(Ok(first.clone())), ["a1"]);
    let next = json!({"cursor": first["next_cursor"]});
    assert_eq!(words(served.call_as(&alice, "mine", next.clone()).await), ["a2"]);
    assert_eq!(served.call_as(&bob, "mine", next).await.unwrap_err().code(), "invalid_arguments", "another's cursor");
    assert_eq!(words(served.call_as(&alice, "of_groups", json!({})).await), ["a1", "b1", "b2"]);
    let added = served.call_as(&bob, "add", json!({"words": "b3"})).await.unwrap();
    assert_eq!(added["rows"], json!([{"owner": "bob", "words": "b3"}]));
    assert_eq!(words(served.call_as(&alice, "at_level", json!({})).await), ["a1"]);
    for (caller, tool, claim) in [
        (&bob, "of_groups", "groups"),
        // An integer, as the claim is to be, and more than the column can be compared with.
        (&bob, "at_level", "level"),
        (&Caller::anonymous(), "mine", "sub"),
        (&Caller::anonymous(), "of_groups", "groups"),
    ] {
        let error = served.call_as(caller, tool, json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.details()), ("caller_lacks_claim", Some(json!({"claim": claim}))), "{tool}");
    }
    for arguments in [json!({"owner": "alice"}), json!({"owner": null})] {
        assert_eq!(served.call_as(&bob, "mine", arguments).await.unwrap_err().code(), "invalid_arguments");
    }
}

/// Two callers on the same connections, with failures in between: each sees their own rows, whatever came
/// before, and who is not known sees none.
#[tokio::test]
async fn row_level_security_knows_who_calls() {
    let (_database, url) = notes().await;
    let process = "SELECT words, pg_backend_pid() AS process FROM note ORDER BY id";
    let add = "INSERT INTO note (words) VALUES (:words) RETURNING owner, words";
    let forge = "INSERT INTO note (owner, words) VALUES ('alice', 'forged')";
    let tools = vec![
        tool("list", process, &[]),
        paged(tool("page", "SELECT id, words FROM note", &[]), &["id"], 1),
        tool("broken", "SELECT 1 / (length(words) - 2) AS words FROM note", &[]),
        tool("add", add, &[("words", string())]),
        tool("forge", forge, &[]),
        tool("told", "SELECT current_setting('app.groups') AS words", &[]),
    ];
    let settings = session(&[("app.subject", "caller.subject"), ("app.groups", "caller.claims.groups")]);
    let source = open_settings(&url, settings, tools).await.map_err(|faults| format!("{faults:?}")).unwrap();
    let served = Served::new(source, PolicyPatch::default());
    assert!(served.spec("list").per_caller);
    let alice = caller("alice", json!({"groups": ["x", "y"]}));
    let bob = caller("bob", json!({"groups": "it's"}));
    let nobody = caller("carol", json!({"groups": []}));
    let unknown = caller("alice", json!({}));
    let mut served_by = BTreeMap::<i64, BTreeSet<String>>::new();
    let mut list = async |caller: &Caller| {
        let result = served.call_as(caller, "list", json!({})).await.unwrap();
        for row in result["rows"].as_array().unwrap() {
            served_by.entry(row["process"].as_i64().unwrap()).or_default().insert(caller.subject.to_string());
        }
        words(Ok(result))
    };
    for _ in 0..2 {
        assert_eq!(list(&alice).await, ["a1", "a2"]);
        assert_eq!(served.call_as(&alice, "broken", json!({})).await.unwrap_err().code(), "upstream_rejected");
        assert_eq!(list(&bob).await, ["b1", "b2"]);
        let forged = served.call_as(&bob, "forge", json!({})).await.unwrap_err();
        assert!(matches!(forged.code(), "upstream_rejected" | "upstream_forbidden"), "{forged:?}");
        let refused = served.call_as(&unknown, "list", json!({})).await.unwrap_err();
        assert_eq!((refused.code(), refused.details()), ("caller_lacks_claim", Some(json!({"claim": "groups"}))));
        assert_eq!(list(&nobody).await, [""; 0]);
    }
    let told = async |caller: &Caller| words(served.call_as(caller, "told", json!({})).await);
    assert_eq!((told(&alice).await, told(&bob).await), (vec![r#"["x","y"]"#.to_owned()], vec!["it's".to_owned()]));
    let added = served.call_as(&bob, "add", json!({"words": "b3"})).await.unwrap();
    assert_eq!(added["rows"], json!([{"owner": "bob", "words": "b3"}]));
    let page = served.call_as(&alice, "page", json!({})).await.unwrap();
    let next = served.call_as(&alice, "page", json!({"cursor": page["next_cursor"]})).await.unwrap();
    assert_eq!((words(Ok(page)), words(Ok(next.clone()))), (vec!["a1".to_owned()], vec!["a2".to_owned()]));
    assert_eq!(list(&alice).await, ["a1", "a2"]);
    // A connection goes back a moment after its answer, so that a second one may have been opened.
    assert!(served_by.values().any(|callers| callers.len() == 2), "no connection served two: {served_by:?}");
}

const CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
mode = "api_key"
[store]
url = "memory:"
[sources.notes]
type = "sql"
url = "${NOTES}"
session = { "app.subject" = "caller.subject" }
[sources.notes.tools.list_notes]
description = "Lists the notes of whoever asks."
sql = "SELECT words FROM note ORDER BY id"
[sources.notes.tools.find_notes]
description = "Lists the notes of whoever asks that begin with some letters."
sql = "SELECT id, words FROM note WHERE owner = :owner AND words LIKE :start || '%'"
page = { key = ["id"], size = 1 }
parameters.owner = { from = "caller.subject" }
parameters.start = { type = "string", description = "The first letters.", default = "" }
"#;

/// Over HTTP as well, whatever a client sends: who calls is said by the key alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_client_sends_says_who_calls() {
    let (_database, url) = notes().await;
    let server = TestServer::with(CONFIG).variable("NOTES", &url).start().await;
    let (_, alice) = server.key("alice", "tools:read", None).await;
    let (_, bob) = server.key("bob", "tools:read", None).await;
    let call = async |key: &str, params: Value| {
        let (status, answer) = server.rpc("2025-11-25", key, "tools/call", params).await;
        assert_eq!(status, 200, "{answer}");
        answer["result"].clone()
    };
    let (_, listed) = server.rpc("2025-11-25", &bob, "tools/list", json!({})).await;
    assert!(!listed.to_string().contains("owner"), "{listed}");
    let rows = |result: &Value| words(Ok(result["structuredContent"].clone()));
    let mine = call(&alice, json!({"name": "find_notes", "arguments": {}})).await;
    assert_eq!(rows(&mine), ["a1"], "{mine}");
    let forged = json!({"owner": "alice", "subject": "alice", "bridgehead/caller": {"subject": "alice"}});
    for params in [
        json!({"name": "list_notes", "arguments": {}, "_meta": forged}),
        json!({"name": "find_notes", "arguments": {"page_size": 1}, "_meta": forged}),
    ] {
        let result = call(&bob, params).await;
        assert!(rows(&result).iter().all(|words| words.starts_with('b')) && !rows(&result).is_empty(), "{result}");
    }
    let cursor = &mine["structuredContent"]["next_cursor"];
    for arguments in
        [json!({"owner": "alice"}), json!({"cursor": cursor}), json!({"start": "' OR owner = 'alice", "owner": ""})]
    {
        let result = call(&bob, json!({"name": "find_notes", "arguments": arguments})).await;
        assert_eq!(result["_meta"]["bridgehead/error"]["code"], "invalid_arguments", "{result}");
    }
    server.stop().await;
}

/// H2: what the database answers is remembered for whoever it was for, though the call is the same to the letter
/// and who calls stands in a setting of the connection alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn remembered_rows_are_those_of_whoever_asks() {
    const CACHED: &str = r#"
[sources.notes.tools.add_note]
description = "Adds a note of whoever asks."
sql = "INSERT INTO note (words) VALUES (:words) RETURNING id"
parameters.words = { type = "string", description = "What it says." }
[policy."notes.*_notes"]
cache = { ttl = "10m", invalidated_by = ["notes.add_note"] }
"#;
    let (database, url) = notes().await;
    let server = TestServer::with(&format!("{CONFIG}{CACHED}")).variable("NOTES", &url).start().await;
    let (_, alice) = server.key("alice", "tools:read tools:write", None).await;
    let (_, bob) = server.key("bob", "tools:read tools:write", None).await;
    // The notes of whoever asks, and whether they were remembered.
    let read = async |key: &str, tool: &str| {
        let params = json!({"name": tool, "arguments": {}});
        let (status, answer) = server.rpc("2025-11-25", key, "tools/call", params).await;
        assert_eq!(status, 200, "{answer}");
        let is_kept = answer["result"]["_meta"].get("bridgehead/cache").is_some();
        (words(Ok(answer["result"]["structuredContent"].clone())), is_kept)
    };
    let all = |letter: char| (1..=2).map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
    for is_kept in [false, true, true] {
        for (key, letter) in [(&alice, 'a'), (&bob, 'b')] {
            assert_eq!(read(key, "list_notes").await, (all(letter), is_kept));
            assert_eq!(read(key, "find_notes").await, (vec![format!("{letter}1")], is_kept));
        }
    }
    // Nobody tells the server of this, so that nothing but its memory can answer as before.
    database.run("UPDATE note SET words = 'changed' WHERE words LIKE '_2'").await;
    let reads = (0..40).map(|n| read(if n % 2 == 0 { &alice } else { &bob }, "list_notes"));
    for (n, answer) in join_all(reads).await.into_iter().enumerate() {
        assert_eq!(answer, (all(if n % 2 == 0 { 'a' } else { 'b' }), true));
    }
    // A note of Bob's ends what is remembered of both, and then each asks at the same time as the other.
    let added = json!({"name": "add_note", "arguments": {"words": "b3"}});
    let (_, added) = server.rpc("2025-11-25", &bob, "tools/call", added).await;
    assert_ne!(added["result"]["isError"], true, "{added}");
    let reads = (0..40).map(|n| read(if n % 2 == 0 { &alice } else { &bob }, "list_notes"));
    for (n, (found, _)) in join_all(reads).await.into_iter().enumerate() {
        assert_eq!(found, if n % 2 == 0 { vec!["a1", "changed"] } else { vec!["b1", "changed", "b3"] });
    }
    server.stop().await;

    // That all should get the same is refused at the start, with the tool that it is about.
    let place = tempfile::tempdir().unwrap();
    let shared = format!("{CONFIG}{CACHED}").replace("ttl = \"10m\"", "ttl = \"10m\", shared = true");
    let start = async |config: &str| {
        std::fs::write(place.path().join("bridgehead.toml"), config).unwrap();
        let mut command = tokio::process::Command::new(binary("bridgehead"));
        let command = command.args(["config", "check"]).current_dir(place.path()).env_clear().env("NOTES", &url);
        let output = command.output().await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = start(&shared).await;
    assert_eq!(code, Some(1), "{said}");
    for tool in ["list_notes", "find_notes"] {
        let at = said.lines().find(|line| line.contains(&format!("sources.notes.tools.{tool}: ")));
        assert!(at.is_some_and(|line| line.contains("its answers depend on who calls")), "{tool}: {said}");
    }
    assert!(said.contains("`cache.shared` would give them to others"), "{said}");
    let (code, said) = start(&format!("{CONFIG}{CACHED}")).await;
    assert_eq!(code, Some(0), "but for that it would start: {said}");
}
