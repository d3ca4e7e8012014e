//! The system behind: takes orders over HTTP, counts what it really does, and fails as [`Fate`] has it. HTTP is written
//! by hand, so that a connection can also be reset or go silent. Each connection carries one request.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    fate::{self, Fate},
    replicas::Replicas,
};

/// The header in which the shop takes a key of its own.
pub(crate) const KEY: &str = "Idempotency-Key";
/// The header in which each replica says its number.
pub(crate) const REPLICA: &str = "x-replica";

/// What became of each intent: the numbers of the orders that were made for it.
pub(crate) type Orders = HashMap<u64, Vec<i64>>;

struct State {
    seed: u64,
    honours_keys: bool,
    replicas: Replicas,
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    orders: Orders,
    made: i64,
    /// How often each intent has come.
    arrivals: HashMap<u64, u64>,
    /// What was done under each key.
    keys: HashMap<String, i64>,
    /// How many requests a key kept from doing it again.
    known_again: u64,
}

/// A shop that is open as long as this lives.
pub(crate) struct Shop {
    /// For example `http://127.0.0.1:40123`.
    pub(crate) origin: String,
    state: Arc<State>,
    serving: tokio::task::JoinHandle<()>,
}

/// What a request comes to.
enum Answer {
    Reset,
    Silence,
    Whole(String),
    Half,
}

impl Shop {
    /// Opens it. `honours_keys`: whether it knows a repeat by its key.
    pub(crate) async fn open(seed: u64, honours_keys: bool, replicas: Replicas) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(State { seed, honours_keys, replicas, book: Mutex::default() });
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // Clients that are killed in the middle are what this is about.
                tokio::spawn(async move { state.serve(stream).await.ok() });
            }
        });
        Self { origin, state, serving }
    }

    /// The orders that were made for an intent.
    pub(crate) fn orders_of(&self, intent: u64) -> Vec<i64> {
        self.state.book().orders.get(&intent).cloned().unwrap_or_default()
    }

    /// All of them.
    pub(crate) fn orders(&self) -> Orders {
        self.state.book().orders.clone()
    }

    /// How many requests a key kept from doing it again.
    pub(crate) fn known_again(&self) -> u64 {
        self.state.book().known_again
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().expect("no panic while it is held")
    }

    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some((head, body)) = read(&mut stream).await? else { return Ok(()) };
        let Some(intent) = body["intent"].as_u64() else {
            return stream.write_all(whole("400 Bad Request", "", &json!({"message": "no intent"})).as_bytes()).await;
        };
        match self.answer(intent, &head).await {
            Answer::Reset => stream.set_zero_linger(),
            Answer::Silence => {
                // Until the client goes away.
                while stream.read(&mut [0; 1024]).await? > 0 {}
                Ok(())
            }
            Answer::Half => {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 90\r\n\r\n{")
                    .await
            }
            Answer::Whole(text) => {
                stream.write_all(text.as_bytes()).await?;
                stream.shutdown().await
            }
        }
    }

    async fn answer(&self, intent: u64, head: &str) -> Answer {
        let nth = self.book().arrive(intent);
        let bad_gateway = || Answer::Whole(whole("502 Bad Gateway", "", &json!({})));
        let later = "retry-after: 0\r\n";
        match Fate::of(self.seed, intent, nth) {
            Fate::TooMany => return Answer::Whole(whole("429 Too Many Requests", later, &json!({}))),
            Fate::Busy => return Answer::Whole(whole("503 Service Unavailable", later, &json!({}))),
            Fate::Reset(false) => return Answer::Reset,
            Fate::BadGateway(false) => return bad_gateway(),
            Fate::Kill(false) => {
                self.kill_sender(head).await;
                return Answer::Reset;
            }
            _ => {}
        }
        let done = self.order(intent, header(head, KEY));
        match Fate::of(self.seed, intent, nth) {
            Fate::Reset(_) => Answer::Reset,
            Fate::BadGateway(_) => bad_gateway(),
            Fate::HalfAnswer => Answer::Half,
            Fate::Silence => Answer::Silence,
            Fate::Late(is_too_late) => {
                tokio::time::sleep(if is_too_late { fate::TOO_LATE } else { fate::LATE }).await;
                done
            }
            Fate::Kill(_) => {
                self.kill_sender(head).await;
                done
            }
            Fate::Good | Fate::TooMany | Fate::Busy => done,
        }
    }

    /// Does it, unless it is refused or its key says that it was done.
    fn order(&self, intent: u64, key: Option<&str>) -> Answer {
        if fate::is_refused(self.seed, intent) {
            return Answer::Whole(whole("422 Unprocessable Content", "", &json!({"message": "Not in the range."})));
        }
        let mut book = self.book();
        let key = key.filter(|_| self.honours_keys);
        let known = key.and_then(|key| book.keys.get(key).copied());
        let order = match known {
            Some(order) => {
                book.known_again += 1;
                order
            }
            None => {
                book.made += 1;
                let order = book.made;
                book.orders.entry(intent).or_default().push(order);
                order
            }
        };
        if let Some(key) = key {
            book.keys.insert(key.to_owned(), order);
        }
        Answer::Whole(whole("201 Created", "", &json!({"order": order})))
    }

    async fn kill_sender(&self, head: &str) {
        if let Some(replica) = header(head, REPLICA).and_then(|number| number.parse().ok()) {
            self.replicas.kill(replica).await;
        }
    }
}

impl Book {
    fn arrive(&mut self, intent: u64) -> u64 {
        let arrivals = self.arrivals.entry(intent).or_default();
        *arrivals += 1;
        *arrivals - 1
    }
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
}

fn whole(status: &str, headers: &str, body: &Value) -> String {
    let body = body.to_string();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Head and body of a whole request; `None` where the client went away before.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<(String, Value)>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = header(head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok(Some((head.to_owned(), serde_json::from_str(body).unwrap_or_default())));
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
