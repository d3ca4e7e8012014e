//! Clients of other people that sign in by themselves: the scripts `clients/oauth_*`, each in a conversation with the
//! test, and the loopback callback of those that are written in Rust.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::{
    browser::{Browser, Person},
    sdk::installed,
};

/// A client with a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// `@modelcontextprotocol/sdk`.
    TypescriptV1,
    /// `@modelcontextprotocol/client`.
    TypescriptV2,
    /// `mcp`.
    Python,
    /// `mcp-remote`.
    McpRemote,
}

impl Script {
    fn command(self) -> Command {
        let (program, script) = match self {
            Self::TypescriptV1 => ("node".into(), "oauth_typescript_v1.mjs"),
            Self::TypescriptV2 => ("node".into(), "oauth_typescript_v2.mjs"),
            Self::McpRemote => ("node".into(), "oauth_mcp_remote.mjs"),
            Self::Python => (installed("E2E_PYTHON"), "oauth_python_sdk.py"),
        };
        let mut command = Command::new(program);
        command.arg(installed("E2E_CLIENTS_DIR").join(script));
        command
    }
}

/// A running client, which has not connected yet.
pub struct Client {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    moved: u64,
    _process: Child,
}

impl Client {
    /// Starts a client for the endpoint at `url`. `identity` says how it is known: `{}`, `{metadata_url}` or
    /// `{client_id, client_secret}`.
    pub fn start(script: Script, url: &str, identity: &Value, browser: &Browser, person: Person) -> Self {
        let mut process = script
            .command()
            .env("MCP_URL", url)
            .env("CLIENT", identity.to_string())
            .env("BROWSER_URL", &browser.url)
            .env("PERSON", person.to_json().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the script runs");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped")).lines();
        Self { input, output, moved: 0, _process: process }
    }

    /// Calls a tool, from whatever state the client is in; what the script tells of it. With `may_sign_in` somebody is
    /// there for whom it can open the browser.
    pub async fn call(&mut self, tool: &str, arguments: Value, may_sign_in: bool) -> Value {
        let step = json!({"do": "call", "tool": tool, "arguments": arguments, "may_sign_in": may_sign_in, "moved": self.moved});
        self.input.write_all(format!("{step}\n").as_bytes()).await.expect("the script listens");
        let line = self.output.next_line().await.expect("text").expect("the script answers");
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("not an answer: {line}"))
    }

    /// Time was moved, for clients that go by their own clock.
    pub const fn later(&mut self, seconds: u64) {
        self.moved += seconds;
    }
}

/// A callback on a port of its own, for one answer.
pub struct Callback {
    /// The redirect URI.
    pub url: String,
    listener: TcpListener,
}

impl Callback {
    /// Listens.
    pub async fn listen() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}/callback", listener.local_addr().expect("an address"));
        Self { url, listener }
    }

    /// The whole URL by which the browser came, query and all.
    pub async fn arrived(self) -> String {
        let origin = self.url.trim_end_matches("/callback").to_owned();
        loop {
            let (mut stream, _) = self.listener.accept().await.expect("a connection");
            let mut head = vec![0; 16 * 1024];
            let read = stream.read(&mut head).await.expect("a request");
            stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nClose me.")
                .await
                .expect("it is still there");
            let head = String::from_utf8_lossy(&head[..read]);
            // Browsers open connections that they may not use, and ask for an icon.
            if let Some(target) = head.split(' ').nth(1).filter(|target| target.starts_with("/callback?")) {
                return format!("{origin}{target}");
            }
        }
    }
}
