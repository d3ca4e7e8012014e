//! Something in the place of the API that the pages speak of: a parcel service that knows one parcel, and Alice by her key.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

const PARCEL: &str =
    r#"{"number": "P20260001", "status": "on_its_way", "receiver": "Ada Lovelace", "weight_grams": 1200}"#;
const UNKNOWN: &str = r#"{"title": "No parcel has this number."}"#;
const ALICE: &str = r#"{"email": "alice@example.com"}"#;
/// The key that she has there.
const KEY: &str = "pk-alice";

/// The service, on a port of its own; gone when dropped.
pub(crate) struct Api {
    pub(crate) origin: String,
    serving: JoinHandle<()>,
}

impl Api {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move { serve(stream).await.ok() });
            }
        });
        Self { origin, serving }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    let (status, answer) = answer(&head);
    let media = "application/json";
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
        answer.len()
    );
    stream.write_all(answer.as_bytes()).await
}

fn answer(head: &str) -> (&'static str, String) {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match (method, path.trim_start_matches("/v1")) {
        ("GET", "/me") if head.contains(KEY) => ("200 OK", ALICE.to_owned()),
        ("GET", "/me") => ("401 Unauthorized", UNKNOWN.to_owned()),
        ("GET", "/parcels/P20260001") => ("200 OK", PARCEL.to_owned()),
        ("GET", path) if path.starts_with("/parcels/") => ("404 Not Found", UNKNOWN.to_owned()),
        ("GET", path) if path.starts_with("/parcels") => ("200 OK", format!("[{PARCEL}]")),
        _ => ("201 Created", PARCEL.to_owned()),
    }
}
