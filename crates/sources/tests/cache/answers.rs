//! Never an answer of one caller to another, nor one for a credential that is no longer theirs.

use std::sync::Arc;

use bridgehead_core::{CallError, Caller, Content, LocalCache, Outcome, Refusal, SystemClock};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::behind::{Behind, COMMON, OWN, caller};

fn any_caller() -> impl Strategy<Value = Caller> {
    let (subject, key) = (prop::sample::select(vec!["alice", "bob"]), prop::sample::select(vec!["key-1", "key-2"]));
    (subject, key, prop::sample::select(vec!["north", "south"]))
        .prop_map(|(subject, key, team)| caller(subject, key, team))
}

#[derive(Debug, Clone)]
enum Step {
    /// At the same time, so that one may wait for the answer of another.
    Read(Vec<(Caller, &'static str, u8)>),
    Enter(&'static str, String),
    Remove(&'static str),
}

fn any_step() -> impl Strategy<Value = Step> {
    let subject = || prop::sample::select(vec!["alice", "bob"]);
    let tool = || prop::sample::select([&OWN[..], &COMMON[..]].concat());
    prop_oneof![
        8 => prop::collection::vec((any_caller(), tool(), 0..2_u8), 1..6).prop_map(Step::Read),
        1 => (subject(), "vault-[ab]").prop_map(|(subject, value)| Step::Enter(subject, value)),
        1 => subject().prop_map(Step::Remove),
    ]
}

/// What a call has to answer, whatever is remembered; `None`: nothing but that a credential is missing.
fn owed(behind: &Behind, caller: &Caller, tool: &str, n: u8) -> Option<Value> {
    let key = match tool {
        "handed" | "described" => caller.presented.iter().map(|(_, value)| value.expose().to_owned()).next(),
        "vaulted" | "described_vault" => Some(behind.entered.value(&caller.subject)?),
        _ => Some("fixed-key".to_owned()),
    };
    let team = &caller.claims.as_map()["team"];
    Some(match tool {
        "mine" => json!({"rows": [{"owner": &*caller.subject, "n": n}]}),
        "of_team" => json!({"rows": [{"team": team, "n": n}]}),
        "all" => json!({"rows": [{"notes": 2, "n": n}]}),
        "code" => json!(&*caller.subject),
        "plain_code" => json!("the same"),
        _ => json!({"target": format!("/{tool}?n={n}"), "key": key}),
    })
}

/// The answer without what varies in form alone.
fn said(answer: &Outcome) -> Value {
    match (&answer.structured, answer.content.as_slice()) {
        (Some(answer), _) => {
            let members = answer.iter().filter(|(name, _)| matches!(name.as_str(), "rows" | "target" | "key"));
            Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
        }
        (None, [Content::Text(text)]) => json!(text),
        (None, other) => panic!("{other:?}"),
    }
}

async fn play(steps: Vec<Step>) {
    let behind = Behind::start().await;
    for step in steps {
        match step {
            Step::Read(calls) => {
                let answers = calls.iter().map(|(caller, tool, n)| behind.call(caller, tool, *n));
                for ((caller, tool, n), answer) in calls.iter().zip(futures_util::future::join_all(answers).await) {
                    match (owed(&behind, caller, tool, *n), answer) {
                        (Some(owed), Ok(answer)) => assert_eq!(said(&answer), owed, "{tool} of {caller:?}"),
                        (None, Err(CallError::Refused(Refusal::CredentialRequired(_)))) => {}
                        (owed, answer) => panic!("{tool} of {caller:?}: {answer:?} in the place of {owed:?}"),
                    }
                }
            }
            Step::Enter(subject, value) => behind.entered.enter(subject, &value),
            Step::Remove(subject) => behind.entered.remove(subject),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn each_caller_is_answered_as_without_a_cache(steps in prop::collection::vec(any_step(), 1..30)) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(play(steps));
    }
}

/// The property would hold without a cache as well: here each source is seen to be asked once.
#[tokio::test]
async fn answers_are_remembered_for_whoever_they_were_for() {
    let behind = Behind::start().await;
    let (alice, bob) = (caller("alice", "key-1", "north"), caller("bob", "key-2", "north"));
    behind.entered.enter("alice", "vault-a");
    behind.entered.enter("bob", "vault-b");
    for (tool, times) in [("handed", 2), ("vaulted", 2), ("described", 2), ("described_vault", 2), ("fixed", 1)] {
        let before = behind.asked();
        for caller in [&alice, &bob, &alice, &bob] {
            behind.call(caller, tool, 1).await.unwrap();
        }
        assert_eq!(behind.asked() - before, times, "{tool}");
    }
}

/// What was remembered is not given once the caller's credential is another one, or gone.
#[tokio::test]
async fn a_credential_that_is_gone_takes_its_answers_along() {
    let behind = Behind::start().await;
    let alice = caller("alice", "key-1", "north");
    behind.entered.enter("alice", "vault-a");
    let key = |answer: Outcome| said(&answer)["key"].clone();
    assert_eq!(key(behind.call(&alice, "vaulted", 1).await.unwrap()), "vault-a");
    behind.entered.remove("alice");
    assert_eq!(behind.call(&alice, "vaulted", 1).await.unwrap_err().code(), "credential_required");
    behind.entered.enter("alice", "vault-b");
    assert_eq!(key(behind.call(&alice, "vaulted", 1).await.unwrap()), "vault-b");
}

/// The API has revoked a key: once it says so of one call, nothing is given any more that was asked for with
/// that key, whether it was handed on or stands in a vault.
#[tokio::test]
async fn a_key_that_the_api_has_revoked_takes_its_answers_along() {
    let behind = Behind::start().await;
    let (alice, bob) = (caller("alice", "key-1", "north"), caller("bob", "key-2", "north"));
    behind.entered.enter("alice", "vault-a");
    behind.entered.enter("bob", "vault-b");
    for (tool, key, code) in [
        ("handed", "key-1", "upstream_unauthorized"),
        ("described", "key-1", "upstream_unauthorized"),
        ("vaulted", "vault-a", "credential_required"),
        ("described_vault", "vault-a", "credential_required"),
    ] {
        for caller in [&alice, &bob] {
            behind.call(caller, tool, 1).await.unwrap();
        }
        behind.revoke(key);
        for n in [2, 1] {
            assert_eq!(behind.call(&alice, tool, n).await.unwrap_err().code(), code, "{tool} {n}");
        }
        let asked = behind.asked();
        behind.call(&bob, tool, 1).await.unwrap();
        assert_eq!(behind.asked(), asked, "nobody else's");
        behind.allow(key);
    }
}

/// A credential is replaced while a call asks whether an answer of the former one is still good: what the API
/// says of that answer is not taken for the new one, which may be another account's.
#[tokio::test]
async fn an_answer_is_not_asked_about_with_another_credential() {
    let behind = Behind::start().await;
    let alice = caller("alice", "key-1", "north");
    behind.is_asked_again();
    for tool in ["vaulted", "described_vault"] {
        behind.entered.enter("alice", "vault-a");
        let key = |answer: Outcome| said(&answer)["key"].clone();
        assert_eq!(key(behind.call(&alice, tool, 1).await.unwrap()), "vault-a");
        assert_eq!(key(behind.call(&alice, tool, 1).await.unwrap()), "vault-a", "it is still good");
        behind.revoke("vault-a");
        behind.entered.enter_meanwhile("vault-b");
        assert_eq!(key(behind.call(&alice, tool, 1).await.unwrap()), "vault-b");
        behind.allow("vault-a");
    }
}

/// A description that leads to another server by now, with the same tools: what the first one answered is
/// not given.
#[tokio::test]
async fn a_description_that_leads_elsewhere_begins_anew() {
    let store = Arc::new(LocalCache::new(Arc::new(SystemClock), 1 << 20));
    let (one, other) = (Behind::start_on(store.clone()).await, Behind::start_on(store).await);
    let alice = caller("alice", "key-1", "north");
    for behind in [&one, &one, &other, &other] {
        behind.call(&alice, "described", 1).await.unwrap();
    }
    assert_eq!((one.asked(), other.asked()), (1, 1));
}
