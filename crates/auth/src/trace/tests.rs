//! A4: what an operator reads of a connection that did not come about.

use std::{
    net::IpAddr,
    sync::{Mutex, atomic::AtomicBool},
    time::Duration,
};

use tokio::sync::Semaphore;

use super::*;
use crate::testing::MovedClock;

#[derive(Default)]
struct FakeTrace {
    events: Mutex<Vec<TraceEvent>>,
    appends: AtomicU64,
    down: AtomicBool,
    gate: Option<Semaphore>,
}

#[async_trait]
impl TraceStore for FakeTrace {
    async fn append_trace(&self, events: Vec<TraceEvent>, kept: Kept) -> Result<(), StoreError> {
        if let Some(gate) = &self.gate {
            gate.acquire().await.unwrap().forget();
        }
        self.appends.fetch_add(1, Ordering::Relaxed);
        if self.down.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable { store: "fake:".into(), what: "it is down".into(), cause: None });
        }
        let mut stored = self.events.lock().unwrap();
        stored.extend(events);
        stored.retain(|event| event.at >= kept.since);
        Ok(())
    }

    async fn trace_since(&self, since: Timestamp) -> Result<Vec<TraceEvent>, StoreError> {
        Ok(self.events.lock().unwrap().iter().filter(|event| event.at >= since).cloned().collect())
    }
}

fn desk(store: FakeTrace) -> (Trace, Arc<FakeTrace>, Arc<MovedClock>) {
    let (store, clock) = (Arc::new(store), Arc::new(MovedClock::at_noon()));
    (Trace::new(store.clone(), clock.clone()), store, clock)
}

const PLATFORM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));
const BROWSER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 23));

fn by_platform(step: Step) -> TraceEvent {
    TraceEvent::done(step).came_from(PLATFORM, Some("platform/2.1"))
}

fn by_browser(step: Step) -> TraceEvent {
    TraceEvent::done(step).came_from(BROWSER, Some("Mozilla/5.0")).with(Fact::ClientId, "bhi_abc")
}

/// From the first challenge to the first call.
fn whole() -> Vec<TraceEvent> {
    vec![
        by_platform(Step::Challenge),
        by_platform(Step::Metadata),
        by_platform(Step::Registration)
            .with(Fact::ClientId, "bhi_abc")
            .with(Fact::ClientName, "Duvo")
            .redirect("https://platform.duvo.ai/v1/oauth/mcp/callback?tenant=7"),
        by_browser(Step::Authorize)
            .query("response_type=code&scope=tools%3Aread+tools%3Awrite&state=xyz&code_challenge=abc"),
        TraceEvent::refused(Step::SignIn, "refused", "").came_from(BROWSER, Some("Mozilla/5.0")),
        by_browser(Step::SignIn).with(Fact::Subject, "alice@example.com"),
        by_browser(Step::Consent).with(Fact::Subject, "alice@example.com"),
        by_platform(Step::Token).with(Fact::ClientId, "bhi_abc"),
        by_platform(Step::FirstCall).with(Fact::ClientId, "bhi_abc").with(Fact::Subject, "alice@example.com"),
    ]
}

async fn record(trace: &Trace, clock: &MovedClock, events: Vec<TraceEvent>) {
    for event in events {
        trace.record(event);
        clock.advance(Duration::from_secs(1));
    }
    trace.settle().await;
}

#[tokio::test]
async fn an_attempt_reads_as_a_story() {
    let (trace, _, clock) = desk(FakeTrace::default());
    record(&trace, &clock, whole()).await;
    clock.advance(Duration::from_secs(60));
    let refused = TraceEvent::refused(Step::Registration, "invalid_redirect_uri", "`http` is for loopback alone");
    record(&trace, &clock, vec![refused.came_from([192, 0, 2, 9].into(), None)]).await;
    record(&trace, &clock, vec![by_platform(Step::Challenge), by_platform(Step::Metadata)]).await;
    let text = render(&trace.attempts().await.unwrap());
    assert_eq!(
        text,
        r#"2026-03-01 12:00 UTC  "Duvo" (bhi_abc) for alice@example.com: connected
  12:00:00  challenge     done     from 203.0.113.7, platform/2.1
  12:00:01  metadata      done
  12:00:02  registration  done     "Duvo", client bhi_abc, back to platform.duvo.ai
  12:00:03  authorize     done     from 198.51.100.23, Mozilla/5.0, with response_type=code scope=tools:read tools:write state=… code_challenge=…
  12:00:04  sign-in       refused  refused
  12:00:05  sign-in       done     alice@example.com
  12:00:06  consent       done
  12:00:07  token         done     from 203.0.113.7, platform/2.1
  12:00:08  first call    done

2026-03-01 12:01 UTC  a client without a name: refused at registration
  12:01:09  registration  refused  invalid_redirect_uri, `http` is for loopback alone, from 192.0.2.9

2026-03-01 12:01 UTC  a client without a name: stopped after metadata
  12:01:10  challenge     done     from 203.0.113.7, platform/2.1
  12:01:11  metadata      done
  The client read how to sign in and went no further. It may want a client id and secret that somebody enters: make them with `bridgehead clients add`.
"#
    );
    assert_eq!(render(&[]), "");
}

/// Wherever an attempt stops, the operator is told what to look at.
#[tokio::test]
async fn each_stop_has_its_advice() {
    let mut advice = std::collections::BTreeSet::new();
    for length in 1..=whole().len() {
        let (trace, _, clock) = desk(FakeTrace::default());
        record(&trace, &clock, whole().into_iter().take(length).collect()).await;
        let attempts = trace.attempts().await.unwrap();
        assert_eq!(attempts.len(), 1, "one attempt after {length} steps: {attempts:?}");
        let text = render(&attempts);
        advice.insert(text.lines().last().unwrap().trim().to_owned());
    }
    assert_eq!(advice.len(), 9, "{advice:#?}");
}

/// A server that was restarted sees every client call for the first time.
#[tokio::test]
async fn a_first_call_by_itself_is_no_attempt() {
    let (trace, _, clock) = desk(FakeTrace::default());
    record(&trace, &clock, vec![by_platform(Step::FirstCall).with(Fact::ClientId, "bhi_abc")]).await;
    assert_eq!(trace.attempts().await.unwrap(), []);
}

#[tokio::test]
async fn attempts_of_others_are_kept_apart() {
    let (trace, _, clock) = desk(FakeTrace::default());
    let of = |event: TraceEvent, client: &str| event.with(Fact::ClientId, client);
    // A client that an operator entered by hand is known from the authorization on, and its servers
    // came before that without a name.
    let events = vec![
        by_platform(Step::Challenge),
        TraceEvent::done(Step::Challenge).came_from(PLATFORM, Some("other/1.0")),
        of(TraceEvent::done(Step::Authorize).came_from(BROWSER, None), "bhi_one"),
        of(TraceEvent::done(Step::Authorize).came_from(BROWSER, None), "bhi_two"),
        of(by_platform(Step::Token), "bhi_one"),
        of(by_platform(Step::FirstCall), "bhi_one"),
        // Another teammate by the same client.
        by_platform(Step::Challenge),
        of(TraceEvent::done(Step::Authorize).came_from(BROWSER, None), "bhi_one"),
    ];
    record(&trace, &clock, events).await;
    clock.advance(Duration::from_secs(3 * 60 * 60));
    record(&trace, &clock, vec![of(by_platform(Step::Token), "bhi_two")]).await;
    let attempts = trace.attempts().await.unwrap();
    let mut stories: Vec<_> = attempts
        .iter()
        .map(|attempt| {
            let steps: Vec<_> = attempt.steps.iter().map(|event| event.step.as_str()).collect();
            (attempt.fact(Fact::ClientId).unwrap_or("-"), steps.join(" "))
        })
        .collect();
    stories.sort();
    assert_eq!(
        stories,
        [
            ("-", "challenge".to_owned()),
            ("-", "challenge".to_owned()),
            ("bhi_one", "authorize".to_owned()),
            ("bhi_one", "challenge authorize token first call".to_owned()),
            ("bhi_two", "authorize".to_owned()),
            ("bhi_two", "token".to_owned()),
        ]
    );
}

#[tokio::test]
async fn it_is_forgotten_after_a_day() {
    let (trace, store, clock) = desk(FakeTrace::default());
    record(&trace, &clock, whole()).await;
    clock.advance(Duration::from_secs(24 * 60 * 60));
    assert!(trace.attempts().await.unwrap().is_empty());
    record(&trace, &clock, vec![by_platform(Step::Challenge)]).await;
    assert_eq!(store.events.lock().unwrap().len(), 1);
}

/// Who knocks again and again without a credential does not push everybody else out.
#[tokio::test]
async fn what_any_stranger_can_repeat_is_recorded_some_times_a_minute() {
    let (trace, store, clock) = desk(FakeTrace::default());
    let stored = || store.events.lock().unwrap().len();
    record(&trace, &clock, vec![by_platform(Step::Challenge); 50]).await;
    assert_eq!(stored(), 10);
    clock.advance(Duration::from_secs(10));
    record(&trace, &clock, vec![by_platform(Step::Challenge)]).await;
    assert_eq!(stored(), 11);
    record(&trace, &clock, vec![by_browser(Step::Consent); 50]).await;
    assert_eq!(stored(), 61);
    assert_eq!(trace.dropped(), 0);
}

/// A store that is slow or down delays nobody, and takes no memory without end.
#[tokio::test]
async fn recording_never_waits_and_counts_what_it_drops() {
    let (trace, store, _) = desk(FakeTrace { gate: Some(Semaphore::new(0)), ..FakeTrace::default() });
    for _ in 0..WAITING + 5 {
        trace.record(by_browser(Step::Consent));
    }
    assert_eq!(trace.dropped(), 5);
    store.gate.as_ref().unwrap().add_permits(100);
    trace.settle().await;
    assert_eq!(store.events.lock().unwrap().len(), WAITING);
    assert_eq!(store.appends.load(Ordering::Relaxed), 4, "many at once");
    store.down.store(true, Ordering::Relaxed);
    trace.record(by_browser(Step::Consent));
    trace.settle().await;
    assert_eq!(trace.dropped(), 6);
    store.down.store(false, Ordering::Relaxed);
    trace.record(by_browser(Step::Consent));
    trace.settle().await;
    assert_eq!(store.events.lock().unwrap().len(), WAITING + 1);
}

#[test]
fn outside_of_a_runtime_a_step_is_dropped() {
    let (trace, _, _) = desk(FakeTrace::default());
    trace.record(by_browser(Step::Consent));
    assert_eq!(trace.dropped(), 1);
}

/// No secret comes into the trace, wherever a handler might put one.
#[test]
fn secrets_stay_out() {
    let token = crate::SecretText::derived(crate::SecretKind::AccessToken, "0123456789AB", &[7; 32]).unwrap();
    let token = token.secret().expose();
    let query = format!(
        "code=SECRET1&state=SECRET2&code_verifier=SECRET3&client_secret=SECRET4&password=SECRET5&refresh_token=SECRET6\
         &client_assertion=SECRET7&Unknown-Name=SECRET8&x=SECRET9&scope={token}&resource=https://u:SECRET0@example.com/\
         &grant_type=authorization_code&=SECRET1&SECRET2&login_hint=SECRET3&id_token_hint=SECRET4"
    );
    let event = TraceEvent::refused(Step::Token, "invalid_grant", &format!("the code {token} is unknown"))
        .with(Fact::ClientName, token)
        .with(Fact::UserAgent, &format!("Bearer {token}"))
        .redirect(&format!("https://u:SECRET1@app.example.com/cb?code={token}#SECRET2"))
        .query(&query);
    let shown = format!("{event:?} {}", event.facts.to_text());
    assert!(!shown.contains("SECRET") && !shown.contains("bha_"), "{shown}");
    assert_eq!(event.facts.get(Fact::RedirectHost), Some("app.example.com"));
    let query = event.facts.get(Fact::Query).unwrap();
    assert!(query.contains("state=…") && query.contains("grant_type=authorization_code"), "{query}");
    assert!(query.contains("resource=…") && !query.contains("Unknown"), "{query}");
    let resource = TraceEvent::done(Step::Token).query("resource=https%3A%2F%2Fmcp.example.com%2Fmcp%3Ftoken%3DSECRET");
    assert_eq!(resource.facts.get(Fact::Query), Some("resource=https://mcp.example.com/mcp"));
}

#[test]
fn facts_are_short_and_harmless_and_read_back() {
    let hostile = "Clau\u{202e}de\u{1b}[2J\n\tclient_id\tforged";
    let event = TraceEvent::done(Step::Registration)
        .with(Fact::ClientName, hostile)
        .with(Fact::UserAgent, &"ä".repeat(300))
        .with(Fact::Subject, "  ")
        .redirect("cursor://anysphere.cursor-retrieval/oauth/callback?x=y");
    let text = event.facts.to_text();
    assert_eq!(text.lines().count(), 3, "{text}");
    assert_eq!(Facts::parse(&text), event.facts);
    assert_eq!(event.facts.get(Fact::ClientId), None);
    assert_eq!(event.facts.get(Fact::RedirectHost), Some("cursor://anysphere.cursor-retrieval"));
    assert_eq!(event.facts.get(Fact::UserAgent).map(|text| text.chars().count()), Some(201));
    assert_eq!(
        Facts::parse("later_fact\tx\nsubject\ta@b"),
        TraceEvent::done(Step::Token).with(Fact::Subject, "a@b").facts
    );
    for uri in ["", "no uri", "/cb", "javascript:alert(1)", "http://"] {
        let event = TraceEvent::done(Step::Authorize).redirect(uri);
        assert_eq!(event.facts.get(Fact::RedirectHost), Some("(not readable)"), "{uri}");
    }
    for step in Step::ALL {
        assert_eq!(Step::parse(step.as_str()), Some(step));
    }
}
