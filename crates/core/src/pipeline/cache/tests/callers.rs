//! Never an answer of one caller to another (H2).

use proptest::prelude::*;

use super::*;

fn any_caller() -> impl Strategy<Value = Caller> {
    let word = || prop::sample::select(vec!["alice", "bob", "a", "lice"]);
    let claims = prop::option::of(word()).prop_map(|team| match team {
        Some(team) => Claims::new(json!({"team": team}).as_object().unwrap().clone()),
        None => Claims::default(),
    });
    let presented = prop::collection::btree_map(prop::sample::select(vec!["x-api-key", "x-tenant"]), word(), 0..2)
        .prop_map(|headers| {
            headers
                .into_iter()
                .fold(Presented::default(), |all, (name, value)| all.with(name, Secret::new(value.into())))
        });
    let scopes = prop::sample::select(vec!["tools:read", "tools:read tools:write"]);
    let sign_in = prop::sample::select(vec![SignIn::Local, SignIn::UpstreamKey, SignIn::Headers]);
    (word(), scopes, sign_in, presented, claims).prop_map(|(subject, scopes, sign_in, presented, claims)| Caller {
        subject: subject.into(),
        scopes: ScopeSet::parse(scopes).unwrap(),
        sign_in,
        presented,
        claims,
    })
}

fn any_arguments() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!({"n": 1}),
        json!({"n": "1"}),
        json!({"n": 9_007_199_254_740_993_i64}),
        json!({"n": 9_007_199_254_740_992_i64}),
        json!({"a": {"b": 1, "c": [1, 2]}}),
        json!({"a": {"c": [1, 2], "b": 1}}),
        json!({"a": {"c": [2, 1], "b": 1}}),
    ])
}

#[derive(Debug, Clone)]
enum Step {
    Read(Caller, &'static str, Value),
    /// Several at once, which may join each other.
    ReadAtOnce(Vec<(Caller, &'static str, Value)>),
    Write,
    Wait(u64),
    /// A credential that is kept for callers becomes another one.
    Enter(String),
}

fn any_step() -> impl Strategy<Value = Step> {
    let read =
        || (any_caller(), prop::sample::select(vec!["read", "other", "mine", "common", "plain"]), any_arguments());
    prop_oneof![
        8 => read().prop_map(|(caller, tool, arguments)| Step::Read(caller, tool, arguments)),
        2 => prop::collection::vec(read(), 2..6).prop_map(Step::ReadAtOnce),
        1 => Just(Step::Write),
        1 => (0_u64..70).prop_map(Step::Wait),
        1 => "[a-z]{0,2}".prop_map(Step::Enter),
    ]
}

/// What was asked for must be what came: the tags of this caller, and of a state that is not older than
/// the last write, where the tool is touched by it.
fn check(bench: &Bench, (caller, tool, arguments): &(Caller, &str, Value), outcome: &Outcome, written: u64) {
    let answer = outcome.structured.as_ref().unwrap();
    assert_eq!((&answer["tool"], &answer["arguments"]), (&json!(tool), arguments));
    let call = Call::new(RequestId::generate(&Zeros), Arc::new(caller.clone()), *tool, serde_json::Map::new());
    let kept = bench.behind.kept.lock().unwrap().clone();
    if *tool != "common" {
        assert_eq!(answer["caller"], tag(tool, &call, 0, kept.as_deref())["caller"], "{tool}");
    }
    let touched = matches!(*tool, "read" | "common" | "plain");
    let state = answer["state"].as_u64().unwrap();
    assert!(state <= written && (!touched || state == written), "{tool}: {state} of {written}");
}

async fn play(steps: Vec<Step>) {
    let bench = bench();
    let mut written = 0;
    for step in steps {
        match step {
            Step::Read(caller, tool, arguments) => {
                let outcome = bench.call_as(&caller, tool, arguments.clone()).await.unwrap();
                check(&bench, &(caller, tool, arguments), &outcome, written);
            }
            Step::ReadAtOnce(reads) => {
                bench.script(reads.iter().map(|_| Does::Waits));
                let answers = futures_util::future::join_all(
                    reads.iter().map(|(caller, tool, arguments)| bench.call_as(caller, tool, arguments.clone())),
                );
                let opened = async {
                    loop {
                        bench.behind.go_on.notify_waiters();
                        tokio::task::yield_now().await;
                    }
                };
                let answers = tokio::select! { answers = answers => answers, () = opened => unreachable!() };
                bench.behind.script.lock().unwrap().clear();
                for (read, outcome) in reads.iter().zip(answers) {
                    check(&bench, read, &outcome.unwrap(), written);
                }
            }
            Step::Write => {
                bench.call("write").await.unwrap();
                written += 1;
            }
            Step::Wait(seconds) => later(Duration::from_secs(seconds)).await,
            Step::Enter(version) => *bench.behind.kept.lock().unwrap() = Some(version),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_caller_gets_an_answer_of_another(steps in prop::collection::vec(any_step(), 1..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(steps));
    }
}

/// The property would hold without a cache as well: here it is seen to remember, for each by themselves.
#[tokio::test(start_paused = true)]
async fn each_caller_has_answers_of_their_own() {
    let bench = bench();
    for subject in ["alice", "bob", "alice", "bob"] {
        let outcome = bench.call_as(&caller(subject), "read", json!({})).await.unwrap();
        assert_eq!(outcome.structured.unwrap()["caller"][0], subject);
    }
    assert_eq!(bench.asked(), 2);
    for subject in ["alice", "bob"] {
        let outcome = bench.call_as(&caller(subject), "common", json!({})).await.unwrap();
        assert_eq!(outcome.structured.unwrap()["caller"][0], "alice", "declared shared");
    }
    assert_eq!(bench.asked(), 3);
}

/// H2: what a source says it shows is told apart from its saying nothing, also where it is an empty text.
#[tokio::test(start_paused = true)]
async fn nothing_shown_is_no_empty_text() {
    let bench = bench();
    let alice = caller("alice");
    for kept in [None, Some(String::new()), Some("a".to_owned())] {
        *bench.behind.kept.lock().unwrap() = kept.clone();
        let outcome = bench.call_as(&alice, "mine", json!({})).await.unwrap();
        assert_eq!(mark(&outcome), None, "{kept:?}");
    }
}

/// What the client can is shown to code as well, and the answer may be made for it.
#[tokio::test(start_paused = true)]
async fn another_client_of_the_same_caller_asks_for_itself() {
    let bench = bench();
    let ask = async |capabilities: Value| {
        let mut call = Call::new(RequestId::generate(&Zeros), Arc::new(caller("alice")), "read", Default::default());
        call.client_capabilities = Arc::new(capabilities.as_object().unwrap().clone());
        mark(&bench.pipeline.run(&bench.catalog, call).await.unwrap()).is_some()
    };
    for is_kept in [false, true] {
        assert_eq!(ask(json!({})).await, is_kept);
        assert_eq!(ask(json!({"elicitation": {}})).await, is_kept);
    }
}

/// A key that the system behind has revoked is nobody's business here until it is refused; from then on
/// nothing is given that was asked for with it, whichever tool found out, whether the key was handed on or
/// is kept for its caller.
#[tokio::test(start_paused = true)]
async fn a_credential_that_is_not_accepted_takes_its_answers_along() {
    let fails = |code| Does::Fails(code);
    for (refusal, is_kept) in [
        (fails(UpstreamCode::Forbidden), true),
        (Does::LacksCredential(CredentialLack::NotEntered), true),
        (fails(UpstreamCode::Unauthorized), false),
        (Does::LacksCredential(CredentialLack::NotAccepted), false),
    ] {
        let bench = bench();
        let (alice, bob) = (caller("alice"), caller("bob"));
        for caller in [&alice, &bob] {
            bench.call_as(caller, "mine", json!({})).await.unwrap();
        }
        bench.script([refusal]);
        let refused = bench.call_as(&alice, "mine", json!({"n": 1})).await.unwrap_err();
        let outcome = bench.call_as(&alice, "mine", json!({})).await.unwrap();
        assert_eq!(mark(&outcome).is_some(), is_kept, "{refused:?}");
        assert!(mark(&bench.call_as(&bob, "mine", json!({})).await.unwrap()).is_some(), "nobody else's");
        assert!(mark(&bench.call_as(&alice, "mine", json!({})).await.unwrap()).is_some(), "it is accepted again");
    }
}

/// A tool whose answers depend on who calls cannot be declared shared.
#[test]
fn what_depends_on_the_caller_is_not_shared() {
    struct Own(bool);

    #[async_trait]
    impl Source for Own {
        fn kind(&self) -> &'static str {
            "test"
        }
        fn tools(&self) -> Vec<ToolSpec> {
            vec![ToolSpec { per_caller: self.0, ..ToolSpec::new("mine", "Reads what is the caller's.") }]
        }
        async fn call(&self, _: &str, _: &Call) -> Result<Outcome, CallError> {
            Ok(Outcome::default())
        }
    }
    for (per_caller, shared) in [(false, true), (true, false), (true, true)] {
        let source = NamedSource { name: "t".into(), prefix: String::new(), source: Arc::new(Own(per_caller)) };
        let cache = CachePatch { ttl: Some(SECOND), shared: Some(shared), ..CachePatch::default() };
        let policies = Policies::new(vec![("t.*".into(), PolicyPatch { cache, ..PolicyPatch::default() })]);
        let faults = Catalog::build(vec![source], &policies).err().unwrap_or_default();
        assert_eq!(faults.iter().any(|fault| fault.message.contains("cache.shared")), per_caller && shared);
    }
}
