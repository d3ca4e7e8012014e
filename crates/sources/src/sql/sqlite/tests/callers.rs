//! P2: what a statement knows of who calls comes from their sign-in, and from nowhere else.

use bridgehead_core::{Claims, Effect, SignIn};

use super::*;
use crate::sql::CallerParameter;

const NOTES: &str = "
    CREATE TABLE note (id INTEGER PRIMARY KEY, owner TEXT NOT NULL, team TEXT NOT NULL, words TEXT NOT NULL) STRICT;
    INSERT INTO note (owner, team, words) VALUES
      ('alice', 'north', 'a1'), ('bob', 'south', 'b1'), ('alice', 'north', 'a2'), ('bob', 'south', 'b2');
";

fn of_caller(mut settings: SqlToolSettings, name: &str, from: &str, schema: Value) -> SqlToolSettings {
    let schema = schema.as_object().unwrap().clone();
    settings.of_caller.push(CallerParameter { name: name.into(), from: from.parse().unwrap(), schema });
    settings
}

fn tools() -> Vec<SqlToolSettings> {
    let text = json!({"type": "string"});
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mine = tool("mine", "SELECT id, words FROM note WHERE owner = :owner", &[]);
    let list =
        tool("list", "SELECT id, words FROM note WHERE owner = :owner AND words >= :from", &[("from", string())]);
    let add =
        tool("add", "INSERT INTO note (owner, team, words) VALUES (:owner, :team, :words)", &[("words", string())]);
    let of_teams = "SELECT words FROM note WHERE team IN (SELECT value FROM json_each(:teams)) ORDER BY id";
    vec![
        of_caller(mine, "owner", "caller.subject", text.clone()),
        of_caller(paged(list, &["id"], 1), "owner", "caller.subject", text.clone()),
        of_caller(of_caller(add, "owner", "caller.subject", text.clone()), "team", "caller.claims.team", text),
        of_caller(tool("of_teams", of_teams, &[]), "teams", "caller.claims.realm.teams", texts),
        tool("count", "SELECT count(*) AS n FROM note", &[]),
    ]
}

fn caller(subject: &str, claims: Value) -> Caller {
    let claims = Claims::new(claims.as_object().unwrap().clone());
    Caller { subject: subject.into(), sign_in: SignIn::Local, claims, ..Caller::anonymous() }
}

async fn call(served: &Served, caller: &Caller, tool: &str, arguments: Value) -> Result<Value, CallError> {
    let arguments = arguments.as_object().unwrap().clone();
    let call = Call::new(RequestId::generate(&Zeros), Arc::new(caller.clone()), tool, arguments);
    let outcome = served.pipeline.run(&served.catalog, call).await?;
    Ok(Value::Object(outcome.structured.unwrap()))
}

fn words(result: &Value) -> Vec<&str> {
    result["rows"].as_array().unwrap().iter().map(|row| row["words"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_caller_has_their_own_rows() {
    let place = Place::with(NOTES).await;
    let served = place.serve(tools()).await;
    let alice = caller("alice", json!({"team": "north", "realm": {"teams": ["north", "south"]}}));
    let bob = caller("bob", json!({"team": "south", "realm": {"teams": []}}));
    assert_eq!(words(&call(&served, &alice, "mine", json!({})).await.unwrap()), ["a1", "a2"]);
    assert_eq!(words(&call(&served, &bob, "mine", json!({})).await.unwrap()), ["b1", "b2"]);
    assert_eq!(words(&call(&served, &alice, "of_teams", json!({})).await.unwrap()), ["a1", "b1", "a2", "b2"]);
    assert_eq!(words(&call(&served, &bob, "of_teams", json!({})).await.unwrap()), [""; 0]);
    assert_eq!(call(&served, &bob, "add", json!({"words": "b3"})).await.unwrap(), json!({"affected": 1}));
    assert_eq!(words(&call(&served, &bob, "mine", json!({})).await.unwrap()), ["b1", "b2", "b3"]);
}

/// It is not published, and an argument of its name is one that nobody knows.
#[tokio::test]
async fn no_argument_says_who_calls() {
    let place = Place::with(NOTES).await;
    let served = place.serve(tools()).await;
    let spec = served.spec("mine");
    assert!(spec.per_caller && !served.spec("count").per_caller);
    assert_eq!((spec.effect, &spec.input_schema["properties"]), (Effect::Read, &json!({})));
    let bob = caller("bob", json!({"team": "south"}));
    for (tool, arguments) in [
        ("mine", json!({"owner": "alice"})),
        ("mine", json!({"OWNER": "alice"})),
        ("mine", json!({"owner": null})),
        ("add", json!({"words": "x", "owner": "alice"})),
        ("add", json!({"words": "x", "team": "north"})),
        ("list", json!({"from": "a", "owner": "alice"})),
    ] {
        let error = call(&served, &bob, tool, arguments.clone()).await.unwrap_err();
        assert_eq!(error.code(), "invalid_arguments", "{tool} {arguments}");
        assert!(error.to_string().contains("unknown:"), "{error}");
    }
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["n"], 4);
}

/// A cursor goes on where its own caller was, and opens nothing to another one.
#[tokio::test]
async fn a_cursor_is_of_its_caller() {
    let place = Place::with(NOTES).await;
    let served = place.serve(tools()).await;
    let (alice, bob) = (caller("alice", json!({})), caller("bob", json!({})));
    let first = call(&served, &alice, "list", json!({"from": "a"})).await.unwrap();
    assert_eq!(words(&first), ["a1"]);
    let next = json!({"from": "a", "cursor": first["next_cursor"]});
    assert_eq!(words(&call(&served, &alice, "list", next.clone()).await.unwrap()), ["a2"]);
    assert_eq!(call(&served, &bob, "list", next).await.unwrap_err().code(), "invalid_arguments");
}

/// Nothing runs for a caller of whom too little is known, or something else than is needed.
#[tokio::test]
async fn without_the_claim_nothing_runs() {
    let place = Place::with(NOTES).await;
    let served = place.serve(tools()).await;
    for (tool, caller, claim) in [
        ("mine", Caller::anonymous(), "sub"),
        ("add", caller("bob", json!({})), "team"),
        ("add", caller("bob", json!({"team": null})), "team"),
        ("add", caller("bob", json!({"team": ["south"]})), "team"),
        ("add", caller("bob", json!({"team": 7})), "team"),
        ("of_teams", caller("bob", json!({"realm": {"teams": "north"}})), "realm.teams"),
        ("of_teams", caller("bob", json!({"realm": {"teams": [1]}})), "realm.teams"),
        ("of_teams", caller("bob", json!({"realm.teams": ["north"]})), "realm.teams"),
    ] {
        let arguments = if tool == "add" { json!({"words": "x"}) } else { json!({}) };
        let error = call(&served, &caller, tool, arguments).await.unwrap_err();
        assert_eq!((error.code(), error.retryable()), ("caller_lacks_claim", false), "{tool} {caller:?}");
        assert_eq!(error.details(), Some(json!({ "claim": claim })));
    }
    assert_eq!(served.call("count", json!({})).await.unwrap()["rows"][0]["n"], 4);
}

#[tokio::test]
async fn a_parameter_has_one_origin_and_is_used() {
    let place = Place::with(NOTES).await;
    let text = || json!({"type": "string"});
    let twice = tool("twice", "SELECT id FROM note WHERE owner = :owner", &[("owner", string())]);
    let idle = tool("idle", "SELECT id FROM note", &[]);
    let cursor = paged(tool("cursor", "SELECT id FROM note WHERE owner = :cursor", &[]), &["id"], 5);
    let tools = vec![
        of_caller(twice, "owner", "caller.subject", text()),
        of_caller(idle, "owner", "caller.subject", text()),
        of_caller(cursor, "cursor", "caller.subject", text()),
        of_caller(
            tool("odd", "SELECT id FROM note WHERE owner = :o", &[]),
            "o",
            "caller.subject",
            json!({"type": "x"}),
        ),
    ];
    let faults = place.open(tools).await.map(|_| ()).unwrap_err();
    let paths: Vec<String> = faults.iter().map(|fault| fault.path.join(".")).collect();
    let expected = ["twice.parameters.owner", "idle.parameters.owner", "cursor.parameters.cursor", "odd.parameters.o"];
    assert_eq!(paths, expected.map(|path| format!("tools.{path}")), "{faults:?}");
}
