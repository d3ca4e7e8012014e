//! A clock that is moved, names that are bent, and an upstream that answers what it is told.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bridgehead_core::{Clock, SystemClock};
use futures_util::future::{self, BoxFuture};
use jiff::Timestamp;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::{mpsc, watch},
};

use crate::{Client, Configured, Limits, Net, Resolve};

pub(super) struct TestClock(watch::Sender<Timestamp>);

pub(super) fn clock() -> Arc<TestClock> {
    Arc::new(TestClock(watch::Sender::new("2026-11-20T08:00:00Z".parse().unwrap())))
}

impl TestClock {
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

pub(super) fn configured() -> Client<Configured> {
    Client::configured(Net::system(Arc::new(SystemClock)), Limits::CONFIGURED)
}

/// The n-th look-up of a name has the n-th answer, and the last one for ever.
pub(super) struct Names {
    names: HashMap<String, Vec<Vec<IpAddr>>>,
    pub(super) asked: AtomicUsize,
}

impl Resolve for Names {
    fn resolve(&self, name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        let turn = self.asked.fetch_add(1, Ordering::SeqCst);
        let found = self.names.get(name).map(|answers| answers.get(turn).or(answers.last()).cloned());
        Box::pin(future::ready(match found {
            Some(addresses) => Ok(addresses.unwrap_or_default()),
            None => Err(io::Error::other("no such name")),
        }))
    }
}

/// Names with the addresses that each look-up finds, in turn.
pub(super) fn net(names: &[(&str, &[&[&str]])]) -> (Net, Arc<Names>) {
    let names = names.iter().map(|(name, answers)| {
        let answers = answers.iter().map(|answer| answer.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        ((*name).to_owned(), answers)
    });
    let names = Arc::new(Names { names: names.collect(), asked: AtomicUsize::new(0) });
    (Net::system(Arc::new(SystemClock)).with_resolver(names.clone()), names)
}

pub(super) struct NeverAnswers(mpsc::UnboundedSender<()>);

impl NeverAnswers {
    pub(super) fn new(asked: mpsc::UnboundedSender<()>) -> Arc<Self> {
        Arc::new(Self(asked))
    }
}

impl Resolve for NeverAnswers {
    fn resolve(&self, _: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.0.send(()).unwrap();
        Box::pin(future::pending())
    }
}

/// What an upstream does with its connections, each of which has one request.
#[derive(Clone)]
pub(super) struct Answers {
    raw: Vec<Vec<u8>>,
    end: End,
}

#[derive(Clone, Copy, PartialEq)]
enum End {
    Close,
    /// Stays open, silent.
    Wait,
    /// Goes before the request was read.
    Reset,
}

impl Answers {
    pub(super) fn bytes(status: &str, header: &str, body: &[u8]) -> Self {
        Self { raw: vec![answer(status, header, body)], end: End::Close }
    }

    pub(super) fn each(status: &str, header: &str, body: &str) -> Self {
        Self::bytes(status, header, body.as_bytes())
    }

    pub(super) fn in_turn(answers: &[(&str, &str, &str)]) -> Self {
        let raw = answers.iter().map(|(status, header, body)| answer(status, header, body.as_bytes()));
        Self { raw: raw.collect(), end: End::Close }
    }

    pub(super) fn raw(text: &str) -> Self {
        Self { raw: vec![text.into()], end: End::Close }
    }

    pub(super) fn then_nothing(text: &str) -> Self {
        Self { raw: vec![text.into()], end: End::Wait }
    }

    pub(super) fn never() -> Self {
        Self::then_nothing("")
    }

    pub(super) fn reset() -> Self {
        Self { raw: vec![Vec::new()], end: End::Reset }
    }
}

fn answer(status: &str, header: &str, body: &[u8]) -> Vec<u8> {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    let head = format!("HTTP/1.1 {status}\r\n{header}connection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(super) struct Upstream {
    pub(super) port: u16,
    seen: mpsc::UnboundedReceiver<String>,
}

impl Upstream {
    pub(super) fn start(answers: Answers) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let listener = TcpListener::from_std(listener).unwrap();
        let (tell, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut kept = Vec::new();
            for turn in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                if answers.end == End::Reset {
                    // What was not read when the socket goes makes a reset of the end.
                    let _ = stream.read(&mut [0; 1]).await;
                    continue;
                }
                let request = read_request(&mut stream).await;
                let _ = tell.send(request);
                let raw = answers.raw.get(turn).or(answers.raw.last()).unwrap();
                let _ = stream.write_all(raw).await;
                if answers.end == End::Wait {
                    kept.push(stream);
                }
            }
        });
        Self { port, seen }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host())
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
pub(super) async fn read_request(stream: &mut (impl AsyncReadExt + Unpin)) -> String {
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
