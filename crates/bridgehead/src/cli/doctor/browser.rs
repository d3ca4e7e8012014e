//! `--login`: a person signs in with their browser, and the answer comes back to a listener on loopback
//! (RFC 8252 §7.3).

use std::{
    io,
    net::Ipv4Addr,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use bridgehead_core::Clock;
use bridgehead_doctor::{SignIn, SignInError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use url::{Host, Url};

use super::progress::Shown;
use crate::config::Environment;

const PATH: &str = "/callback";
/// More than any browser sends.
const LONGEST_HEAD: u64 = 32 << 10;
/// Ends with the connection (RFC 9112 §6.3).
const DONE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\nThe doctor has its answer. You may close this.\n";
const NOT_HERE: &str = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A listener that waits for the browser to come back.
pub(super) struct Browser {
    listener: TcpListener,
    redirect_uri: Url,
    clock: Arc<dyn Clock>,
    patience: Duration,
    progress: Arc<Shown>,
    /// The program that opens a link, where there is a screen.
    opener: Option<&'static str>,
    /// The answers that came before: browsers load pages again, and ask for one twice.
    came: Mutex<Vec<Url>>,
    /// Nobody wants to wait any longer.
    stop: CancellationToken,
}

impl Browser {
    /// Listens on a free port.
    pub(super) async fn listen(
        clock: Arc<dyn Clock>,
        patience: Duration,
        progress: Arc<Shown>,
        environment: &dyn Environment,
        stop: CancellationToken,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let redirect_uri = Url::parse(&format!("http://{}{PATH}", listener.local_addr()?)).map_err(io::Error::other)?;
        Ok(Self {
            listener,
            redirect_uri,
            clock,
            patience,
            progress,
            opener: opener(environment),
            came: Mutex::default(),
            stop,
        })
    }

    /// Opens the link, and shows it: whether a browser came up cannot be known.
    fn show(&self, request: &Url) {
        let minutes = self.patience.as_secs() / 60;
        self.progress.say(&format!("Sign in and allow within {minutes} minutes:\n  {request}"));
        if let Some(opener) = self.opener {
            let mut command = Command::new(opener);
            command.arg(request.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Without a browser the link is there to be copied.
            let _ = command.spawn();
        }
    }

    fn is_new(&self, url: &Url) -> bool {
        let mut came = self.came.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !came.contains(url);
        if is_new {
            came.push(url.clone());
        }
        is_new
    }

    /// The first connection that brings an answer; browsers also open some that they never use.
    async fn answered(&self) -> io::Result<Url> {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    let (stream, _) = accepted?;
                    connections.spawn(answer(stream, self.redirect_uri.clone()));
                }
                Some(came) = connections.join_next(), if !connections.is_empty() => {
                    if let Ok(Ok(Some(url))) = came && self.is_new(&url) {
                        return Ok(url);
                    }
                }
            }
        }
    }
}

#[async_trait]
impl SignIn for Browser {
    fn redirect_uri(&self) -> Url {
        self.redirect_uri.clone()
    }

    async fn authorize(&self, request: &Url) -> Result<Url, SignInError> {
        // The server says where to sign in: nothing but a web page may be opened on this machine.
        let is_here = match request.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        let is_web = request.scheme() == "https" || (request.scheme() == "http" && is_here);
        if !is_web {
            let scheme = request.scheme();
            return Err(SignInError::Impossible(format!(
                "the sign-in page has a {scheme} address, and a browser is sent to https alone"
            )));
        }
        self.show(request);
        tokio::select! {
            answered = self.answered() => answered.map_err(|error| SignInError::Impossible(error.to_string())),
            () = self.stop.cancelled() => Err(SignInError::Stopped),
            () = self.clock.sleep(self.patience) => Err(SignInError::TimedOut(self.patience.as_secs())),
        }
    }
}

/// The redirect URI with its query, where this connection brings it.
async fn answer(mut stream: TcpStream, redirect_uri: Url) -> io::Result<Option<Url>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = (&mut stream).take(LONGEST_HEAD).read_buf(&mut head).await?;
        if read == 0 || u64::try_from(head.len()).unwrap_or(u64::MAX) > LONGEST_HEAD {
            return Ok(None);
        }
    }
    let head = String::from_utf8_lossy(&head);
    let mut words = head.split(' ');
    let target = (words.next() == Some("GET")).then(|| words.next()).flatten();
    let came = target.and_then(|target| redirect_uri.join(target).ok());
    let came = came.filter(|url| {
        let is_answer = |(name, _): (std::borrow::Cow<'_, str>, _)| matches!(&*name, "code" | "error");
        url.origin() == redirect_uri.origin() && url.path() == PATH && url.query_pairs().any(is_answer)
    });
    stream.write_all(if came.is_some() { DONE } else { NOT_HERE }.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(came)
}

/// What opens a link here. On Linux only where there is a screen: over SSH there is a terminal alone.
fn opener(environment: &dyn Environment) -> Option<&'static str> {
    let has = |name| environment.variable(name).is_some_and(|value| !value.is_empty());
    if cfg!(target_os = "macos") {
        Some("open")
    } else if cfg!(target_os = "windows") {
        Some("explorer")
    } else {
        (has("DISPLAY") || has("WAYLAND_DISPLAY")).then_some("xdg-open")
    }
}

#[cfg(test)]
#[path = "browser_tests.rs"]
mod tests;
