//! How a key gets into a call, and what an agent is told of it.

use bridgehead_core::{Call, PolicyPatch, policy::Idempotency};
use serde_json::{Value, json};

use crate::rig::{Replica, Rig, call, code, is_replayed};

fn with_meta(tool: &str, arguments: Value, key: &str) -> Call {
    let mut call = call(tool, "alice", arguments);
    call.idempotency_key = Some(key.to_owned());
    call
}

async fn faults(replica: &Replica, call: Call) -> Value {
    let error = replica.run(call).await.unwrap_err();
    assert_eq!(error.code(), "invalid_arguments");
    error.to_object("r")["details"]["faults"].clone()
}

#[tokio::test]
async fn tools_with_effects_publish_the_parameter_and_others_do_not() {
    let rig = Rig::new();
    let published = |policy: Option<Idempotency>| {
        let catalog = rig.replica_with(PolicyPatch { idempotency: policy, ..PolicyPatch::default() }).catalog;
        let names = ["order", "cancel", "replace", "look", "own"];
        names.map(|name| {
            let tool = &catalog.find(name).unwrap().tool;
            let schema = Value::Object((*tool.input_schema).clone());
            let names = ["idempotency_key", "bridgehead_idempotency_key"];
            let shown =
                names.into_iter().rfind(|name| schema["properties"].get(name).is_some_and(|p| p["maxLength"] == 255));
            assert_eq!(tool.key.map(|key| key.name), shown);
            (shown, schema["required"].as_array().unwrap().iter().any(|name| Some(name.as_str().unwrap()) == shown))
        })
    };
    let (key, own) = (Some("idempotency_key"), Some("bridgehead_idempotency_key"));
    assert_eq!(published(None), [(key, false), (key, false), (None, false), (None, false), (own, false)]);
    assert_eq!(published(Some(Idempotency::Off)), [(None, false); 5]);
    let optional = [(key, false), (key, false), (key, false), (None, false), (own, false)];
    assert_eq!(published(Some(Idempotency::Optional)), optional);
    let required = [(key, true), (key, true), (key, true), (None, false), (own, true)];
    assert_eq!(published(Some(Idempotency::Required)), required);
}

#[tokio::test]
async fn the_key_never_reaches_the_source() {
    let rig = Rig::new();
    let replica = rig.replica();
    replica.order("k").await.unwrap();
    replica.run(with_meta("order", json!({"sku": "A-1"}), "m")).await.unwrap();
    let own = json!({"sku": "A-1", "idempotency_key": "mine", "bridgehead_idempotency_key": "k"});
    replica.run(call("own", "alice", own)).await.unwrap();
    let seen = rig.upstream.arguments();
    assert_eq!(seen, [json!({"sku": "A-1"}), json!({"sku": "A-1"}), json!({"sku": "A-1", "idempotency_key": "mine"})]);
}

#[tokio::test]
async fn a_key_may_stand_within_the_arguments_or_beside_them() {
    let rig = Rig::new();
    let replica = rig.replica();
    replica.order("k").await.unwrap();
    assert!(is_replayed(&replica.run(with_meta("order", json!({"sku": "A-1"}), "k")).await.unwrap()));
    let both = json!({"sku": "A-1", "idempotency_key": "k"});
    assert!(is_replayed(&replica.run(with_meta("order", both.clone(), "k")).await.unwrap()));
    let apart = faults(&replica, with_meta("order", both, "other")).await;
    assert_eq!(apart[0]["path"], "/idempotency_key");
    assert_eq!(rig.upstream.calls(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_named_with_the_other_faults() {
    let rig = Rig::new();
    let replica = rig.replica();
    for bad in [json!(""), json!("two words"), json!("é"), json!("x".repeat(256)), json!(7)] {
        let found = faults(&replica, call("order", "alice", json!({"idempotency_key": bad}))).await;
        let paths: Vec<_> = found.as_array().unwrap().iter().map(|fault| fault["path"].as_str().unwrap()).collect();
        assert_eq!(paths, ["", "/idempotency_key"], "the missing `sku`, and {bad}");
    }
    assert_eq!(faults(&replica, with_meta("order", json!({"sku": "A-1"}), "")).await[0]["path"], "/idempotency_key");
    let policy = PolicyPatch { idempotency: Some(Idempotency::Required), ..PolicyPatch::default() };
    let strict = rig.replica_with(policy);
    let missing = faults(&strict, call("order", "alice", json!({"sku": "A-1"}))).await;
    assert!(missing[0]["message"].as_str().unwrap().contains("idempotency_key is required"), "{missing}");
    strict.run(with_meta("order", json!({"sku": "A-1"}), "k")).await.unwrap();
    assert_eq!(rig.upstream.calls(), 1);
}

/// Where a repeat does no harm a key in `_meta` is let pass, since a client may send one with every
/// call; where it does, nobody is left to believe that it was heeded.
#[tokio::test]
async fn a_key_that_is_not_heeded_is_refused_where_a_repeat_does_harm() {
    let rig = Rig::new();
    let replica = rig.replica_with(PolicyPatch { idempotency: Some(Idempotency::Off), ..PolicyPatch::default() });
    for harmless in ["look", "replace"] {
        replica.run(with_meta(harmless, json!({"sku": "A-1"}), "k")).await.unwrap();
    }
    assert_eq!(code(&replica.run(with_meta("order", json!({"sku": "A-1"}), "k")).await), "invalid_arguments");
    assert_eq!(code(&replica.order("k").await), "invalid_arguments", "and the schema knows no such parameter");
}
