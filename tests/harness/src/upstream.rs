//! A system behind that fails in every way there is: each path answers in a way of its own, and
//! every request is kept whole. HTTP is written by hand, so that a test also gets what no server
//! would send. Each connection carries one request.
//!
//! | path | answer |
//! |---|---|
//! | `/ok` | 200, a JSON object |
//! | `/slow` | nothing until released, then as `ok` |
//! | `/reset` | the connection is reset when the request was read |
//! | `/half` | the answer ends before its `content-length` |
//! | `/html` | 200, a web page |
//! | `/html-502` | 502, a web page |
//! | `/invalid-json` | 200, what calls itself JSON and is none |
//! | `/large` | 200, a list of 300 KB |
//! | `/empty` | 204 |
//! | `/missing` | 404, JSON |
//! | `/missing-9457` | 404, problem details |
//! | `/conflict` | 409, problem details |
//! | `/too-many` | 429, `retry-after: 7` |
//! | `/failed` | 500, plain text |
//! | `/busy` | 503, `retry-after: 3` |
//! | `/elsewhere` | 302 to another host |
//! | `/moved` | 307 to `/ok` |
//! | `/unauthorized` | 401 |
//! | `/forbidden` | 403 |
//! | `/me` | 200, an e-mail address for whoever sends a credential; 401 to others |
//! | `/saying` | 200, with the headers that the query names; 304 where the request asks for that |
//! | `/echo` | 400, JSON with the whole request |
//! | `/echo-text` | 500, the request's head as text |
//! | `/echo-page` | 502, the same as the title of a page |
//! | `/echo-header` | 409, the credential as the request's id |
//! | `/echo-redirect` | 302 to another host, with the credential in path and query |
//! | `/echo-broken` | 200, the request's head in what calls itself JSON and is none |
//! | `/echo-escaped` | 500, a warning and then JSON with the credential, as PHP writes it |
//! | any other | as `/ok` |

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Request line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Recorded {
    /// The method.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.split(' ').next().unwrap_or_default()
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        let target = self.head.split(' ').nth(1).unwrap_or_default();
        target.split('?').next().unwrap_or_default()
    }

    /// The value of a header, where it was sent.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }
}

/// How many elements the list at `/large` has; its JSON is about 300 KB.
pub const LARGE: usize = 1000;

struct State {
    port: u16,
    seen: watch::Sender<usize>,
    recorded: Mutex<Vec<Recorded>>,
    released: watch::Sender<bool>,
}

/// The system behind, on a port of its own; gone when dropped.
pub struct Upstream {
    /// For example `http://127.0.0.1:40123`.
    pub origin: String,
    /// An origin at which nobody listens, as long as this lives.
    pub down: String,
    state: Arc<State>,
    _refusing: TcpSocket,
    serving: tokio::task::JoinHandle<()>,
}

impl Upstream {
    /// Starts it.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        // Bound and not listening: the port is taken, and refuses.
        let refusing = TcpSocket::new_v4().expect("a socket");
        refusing.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
        let down = format!("http://{}", refusing.local_addr().expect("an address"));
        let state = Arc::new(State {
            port,
            seen: watch::Sender::new(0),
            recorded: Mutex::default(),
            released: watch::Sender::new(false),
        });
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that goes away in the middle is one of the cases.
                tokio::spawn(async move { state.serve(stream).await.ok() });
            }
        });
        Self { origin: format!("http://127.0.0.1:{port}"), down, state, _refusing: refusing, serving }
    }

    /// All requests so far, which are forgotten thereby.
    #[must_use]
    pub fn take(&self) -> Vec<Recorded> {
        std::mem::take(&mut *self.state.recorded.lock().expect("no panic while it is held"))
    }

    /// How many requests there have been since the start.
    #[must_use]
    pub fn count(&self) -> usize {
        *self.state.seen.borrow()
    }

    /// Returns when there have been so many since the start.
    pub async fn has_seen(&self, at_least: usize) {
        self.state.seen.subscribe().wait_for(|seen| *seen >= at_least).await.expect("the sender lives");
    }

    /// From now on `/slow` answers, also those who wait already.
    pub fn release(&self) {
        self.state.released.send_replace(true);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl State {
    async fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let Some(request) = read(&mut stream).await? else { return Ok(()) };
        self.recorded.lock().expect("no panic while it is held").push(request.clone());
        self.seen.send_modify(|seen| *seen += 1);
        match request.path().trim_start_matches('/') {
            "reset" => {
                stream.set_zero_linger()?;
                return Ok(());
            }
            "slow" => {
                // A client that goes away is noticed when it is written to.
                let _ = self.released.subscribe().wait_for(|released| *released).await;
            }
            _ => {}
        }
        stream.write_all(self.answer(&request).as_bytes()).await?;
        stream.shutdown().await
    }

    fn answer(&self, request: &Recorded) -> String {
        const JSON: &str = "application/json";
        const PROBLEM: &str = "application/problem+json";
        const TEXT: &str = "text/plain";
        const HTML: &str = "text/html; charset=utf-8";
        const PAGE: &str =
            "<!doctype html><html><head><title>Sign in</title></head><body><h1>Welcome</h1></body></html>";
        const BAD_GATEWAY: &str = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>";
        let json = |status, body: Value| whole(status, JSON, "", &body.to_string());
        let head = &request.head;
        let credential = request.header("authorization").or_else(|| request.header("x-api-key"));
        let presented = credential.unwrap_or("nothing");
        match request.path().trim_start_matches('/') {
            "half" => {
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"id\":".to_owned()
            }
            "html" => whole("200 OK", HTML, "", PAGE),
            "html-502" => whole("502 Bad Gateway", HTML, "", BAD_GATEWAY),
            "invalid-json" => whole("200 OK", JSON, "", "{\"id\": 7, \"name\": "),
            "large" => {
                let element = |id| json!({"id": id, "name": "n".repeat(270)});
                json("200 OK", (0..LARGE).map(element).collect())
            }
            "empty" => "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n".to_owned(),
            "missing" => json("404 Not Found", json!({"error": "no_such_order", "message": "There is no order 7."})),
            "missing-9457" => {
                let problem = json!({"type": "https://erp.example/no-such-order", "title": "No such order",
                    "status": 404, "detail": "There is no order 7.", "instance": "/orders/7"});
                whole("404 Not Found", PROBLEM, "x-request-id: erp-1\r\n", &problem.to_string())
            }
            "conflict" => {
                let problem = json!({"type": "https://erp.example/out-of-stock", "title": "Out of stock",
                    "status": 409, "detail": "Only 3 are left.", "left": 3});
                whole("409 Conflict", PROBLEM, "", &problem.to_string())
            }
            "too-many" => whole("429 Too Many Requests", JSON, "Retry-After: 7\r\n", "{\"message\":\"Slow down.\"}"),
            "failed" => whole("500 Internal Server Error", TEXT, "", "NullPointerException at Order.java:7\n"),
            "busy" => whole("503 Service Unavailable", TEXT, "retry-after: 3\r\n", "maintenance"),
            "elsewhere" => {
                let location = format!("location: http://localhost:{}/ok?token=t0ken\r\n", self.port);
                whole("302 Found", TEXT, &location, "")
            }
            "moved" => whole("307 Temporary Redirect", TEXT, "location: /ok\r\n", ""),
            "unauthorized" => json("401 Unauthorized", json!({"message": "Bad credentials"})),
            "forbidden" => json("403 Forbidden", json!({"message": "Not for you"})),
            "me" if credential.is_some() => json("200 OK", json!({"email": "alice@example.com"})),
            "me" => json("401 Unauthorized", json!({"message": "Bad credentials"})),
            "saying" => self.saying(request, presented),
            "echo" => json(
                "400 Bad Request",
                json!({"message": format!("cannot accept {presented}"), "request": head, "body": request.body}),
            ),
            "echo-text" => whole("500 Internal Server Error", TEXT, "", head),
            "echo-page" => {
                whole("502 Bad Gateway", HTML, "", &format!("<title>{presented}</title><body>{head}</body>"))
            }
            "echo-header" => whole("409 Conflict", JSON, &format!("x-request-id: {presented}\r\n"), "{}"),
            "echo-redirect" => {
                let location = format!("location: http://elsewhere.example/{presented}?key={presented}\r\n");
                whole("302 Found", TEXT, &location, "")
            }
            "echo-broken" => whole("200 OK", JSON, "", &format!("{{\"{presented}\": {head}")),
            "echo-escaped" => {
                let escaped = presented.replace('/', "\\/");
                whole("500 Internal Server Error", JSON, "", &format!("Warning: bad key\n{{\"key\":\"{escaped}\"}}"))
            }
            _ => json("200 OK", json!({"id": 7, "name": "Mug"})),
        }
    }
}

impl State {
    /// Counts its answers, and tells whom each is for.
    fn saying(&self, request: &Recorded, presented: &str) -> String {
        let target = request.head.split(' ').nth(1).unwrap_or_default();
        let url = reqwest::Url::parse(&format!("http://upstream{target}")).expect("a target");
        let said: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        let headers: String = said.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let is_known = |ours: &str, theirs: &str| {
            said.iter().any(|(name, value)| name == ours && request.header(theirs) == Some(value))
        };
        if is_known("etag", "if-none-match") || is_known("last-modified", "if-modified-since") {
            return format!("HTTP/1.1 304 Not Modified\r\n{headers}connection: close\r\n\r\n");
        }
        let body = json!({"number": *self.seen.borrow(), "to": presented});
        whole("200 OK", "application/json", &headers, &body.to_string())
    }
}

fn whole(status: &str, media_type: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\n{headers}connection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// A whole request; `None` where the client went away before.
async fn read(stream: &mut TcpStream) -> std::io::Result<Option<Recorded>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let request = Recorded { head: head.to_owned(), body: body.to_owned() };
            let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                return Ok(Some(request));
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
