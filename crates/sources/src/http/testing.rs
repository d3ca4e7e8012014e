//! For tests: an upstream that answers what it is told, a clock that is moved, calls and answers
//! made by hand.

use std::{sync::Arc, time::Duration};

use bridgehead_core::{Call, Caller, Clock, Effect, Presented, Secret, SignIn};
use bridgehead_outbound::Received;
use bytes::Bytes;
use futures_util::future::{self, BoxFuture};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use jiff::Timestamp;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, watch},
};

use super::{credential::Redactor, failure::Context};

pub(super) struct TestClock(watch::Sender<Timestamp>);

impl TestClock {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new("2026-11-20T08:00:00Z".parse().unwrap())))
    }

    pub(super) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| *now += by);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + duration;
        let mut time = self.0.subscribe();
        Box::pin(async move {
            if time.wait_for(|now| *now >= until).await.is_err() {
                future::pending::<()>().await;
            }
        })
    }
}

/// An answer that was read, made by hand.
pub(super) fn received(status: u16, headers: &[(&'static str, &str)], body: impl AsRef<[u8]>) -> Received {
    let headers = headers
        .iter()
        .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
    Received {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.collect::<HeaderMap>(),
        url: "https://erp.internal/orders?key=s3cret".parse().unwrap(),
        body: Bytes::copy_from_slice(body.as_ref()),
        cut: false,
    }
}

/// Runs with what is known around a call of a tool of the source `erp`.
pub(super) fn with_context<T>(effect: Effect, caller_owns: bool, run: impl FnOnce(&Context<'_>) -> T) -> T {
    let mut redactor = Redactor::default();
    redactor.learn(&Secret::new("Bearer s3cr3t-token".into()));
    let clock = TestClock::new();
    run(&Context {
        source: "erp",
        effect,
        redactor: &redactor,
        caller_owns_credential: caller_owns,
        clock: clock.as_ref(),
    })
}

/// A caller who signed in with a key of the system behind.
pub(super) fn caller(presented: &[(&str, &str)]) -> Caller {
    let presented =
        presented.iter().fold(Presented::default(), |all, (name, value)| all.with(name, Secret::new((*value).into())));
    Caller { sign_in: SignIn::UpstreamKey, presented, ..Caller::anonymous() }
}

pub(super) fn call(caller: Caller, arguments: &Value) -> Call {
    struct Zero;
    impl bridgehead_core::Randomness for Zero {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0);
        }
    }
    let id = bridgehead_core::RequestId::generate(&Zero);
    Call::new(id, Arc::new(caller), "tool", arguments.as_object().unwrap().clone())
}

/// One answer for all requests, each on a connection of its own.
pub(super) struct Upstream {
    port: u16,
    seen: mpsc::UnboundedReceiver<String>,
}

/// What becomes of the connection after the answer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum End {
    Close,
    Wait,
}

impl Upstream {
    pub(super) fn answers(status: &str, header: &str, body: &str) -> Self {
        let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
        let length = body.len();
        let raw = format!("HTTP/1.1 {status}\r\n{header}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        Self::raw(raw, End::Close)
    }

    pub(super) fn raw(raw: String, end: End) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = TcpListener::from_std(listener).unwrap();
        let (tell, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = tell.send(request(&mut stream).await);
                let _ = stream.write_all(raw.as_bytes()).await;
                if end == End::Wait {
                    kept.push(stream);
                }
            }
        });
        Self { port, seen }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The next request, as text.
    pub(super) async fn seen(&mut self) -> String {
        self.seen.recv().await.unwrap()
    }

    pub(super) fn saw_more(&mut self) -> bool {
        self.seen.try_recv().is_ok()
    }
}

/// Head and body of one request.
async fn request(stream: &mut tokio::net::TcpStream) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let whole = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return whole;
            }
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return whole,
            Ok(read) => text.extend_from_slice(&buffer[..read]),
        }
    }
}
