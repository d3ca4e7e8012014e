//! What the log says of calls whose end nobody waited for. Callers are only ever given a request id, so the log
//! has to have the rest of it, and nothing that stands in a result.

use std::{
    io,
    sync::{Arc, Mutex},
};

use bridgehead_core::{
    Call, RequestId, UpstreamCode,
    effects::{TaskVerb, handle},
};
use serde_json::{Value, json};
use tracing::subscriber::DefaultGuard;

use crate::{
    outlast::{long, spawn},
    rig::{Act, Counted, Replica, Rig, call},
};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Takes down what this thread logs, as long as the guard lives.
    fn begin(&self) -> DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone()).finish();
        tracing::subscriber::set_default(subscriber)
    }

    /// The one line with this in it.
    fn line(&self, words: &str) -> String {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| line.contains(words)).collect();
        assert_eq!(lines.len(), 1, "{words}: {text}");
        lines[0].to_owned()
    }
}

fn look() -> Call {
    call("look", "alice", json!({"sku": "A-1"}))
}

fn order() -> Call {
    call("order", "alice", json!({"sku": "A-1"}))
}

/// The handle of a call under this request id, which then ends without anybody who waits.
async fn ended_late(rig: &Rig, replica: &Replica, (call, request_id): (Call, &RequestId), act: Act) -> String {
    rig.upstream.next(act);
    let running = spawn(replica, Call { request_id: request_id.clone(), ..call });
    rig.upstream.started.notified().await;
    rig.settle().await;
    rig.clock.advance(45);
    let handle = handle::of_answer(&running.await.unwrap().unwrap()).unwrap().to_owned();
    rig.settle().await;
    rig.upstream.go_on.notify_one();
    rig.settle().await;
    handle
}

fn asking(request_id: &RequestId, handle: &str) -> Call {
    handle::ask(request_id.clone(), look().caller, handle)
}

/// D4: whoever fetches it gets the error, and the operator what lies behind it, under the call's own id.
#[tokio::test]
async fn what_lies_behind_a_late_failure_is_logged_and_not_told() {
    let with_key = call("order", "alice", json!({"sku": "A-1", "idempotency_key": "k"}));
    for call in [look(), order(), with_key] {
        for failure in [UpstreamCode::Rejected, UpstreamCode::ConnectionLost] {
            let (rig, log, ids) = (Rig::new(), Log::default(), Counted::default());
            let _taken_down = log.begin();
            let replica = long(&rig);
            let (own, fetching) = (RequestId::generate(&ids), RequestId::generate(&ids));
            let handle = ended_late(&rig, &replica, (call.clone(), &own), Act::FailSlowly(failure)).await;
            assert!(log.line("what lies behind").contains(own.as_str()));
            let told = replica.run(asking(&fetching, &handle)).await.unwrap_err();
            let told = Value::Object(told.to_object(fetching.as_str())).to_string();
            assert!(!told.contains("what lies behind"), "{told}");
        }
    }
}

/// D4: "tell its operator the request id" leads to the cause, from whichever request it was told.
#[tokio::test]
async fn the_request_id_of_a_late_fault_leads_to_its_cause() {
    let (rig, log, ids) = (Rig::new(), Log::default(), Counted::default());
    let _taken_down = log.begin();
    let replica = long(&rig);
    let [own, fetching, looking] = std::array::from_fn(|_| RequestId::generate(&ids));
    let handle = ended_late(&rig, &replica, (look(), &own), Act::PanicSlowly).await;
    assert!(log.line("panicked").contains(&format!("request_id={own}")));
    let told = replica.run(asking(&fetching, &handle)).await.unwrap_err();
    assert_eq!(told.code(), "internal");
    replica.pipeline.task(&replica.catalog, &asking(&looking, &handle), TaskVerb::Get).await.unwrap();
    for told in [fetching, looking] {
        assert!(log.line(told.as_str()).contains(own.as_str()));
    }
}

/// What does not fit its schema is named, and not what stands there.
#[tokio::test]
async fn no_result_is_logged() {
    let (rig, log) = (Rig::new(), Log::default());
    let _taken_down = log.begin();
    rig.upstream.next(Act::Misfit);
    assert_eq!(rig.replica().run(order()).await.unwrap_err().code(), "internal");
    assert!(log.line("failed by our own fault").contains("/number"));
    assert!(!String::from_utf8(log.0.lock().unwrap().clone()).unwrap().contains("seven"));
}
