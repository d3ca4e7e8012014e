//! The server that the MCP conformance suite is run against: built with the library as a Rust
//! developer would, it serves every `test_*` tool of the suite.
//!
//! `bridgehead-conformance-server open` asks nobody for a key; `… keys FILE` asks for one, and
//! prints one on the card; `… tasks` asks nobody, and serves what the scenarios for tasks call.

use std::{process::ExitCode, time::Duration};

use bridgehead::{Error, Server};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match serve(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: &[&str]) -> Result<(), Error> {
    let server = Server::new("Conformance").listen(std::net::SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = match arguments {
        ["open"] => server.open(),
        ["keys", file] => server.issued_keys(file),
        ["tasks"] => {
            let server = server.open().timeout(Duration::from_secs(600));
            return bridgehead_conformance_server::tasks().into_iter().fold(server, Server::tool).serve().await;
        }
        _ => {
            complain("usage: bridgehead-conformance-server open | keys FILE | tasks");
            return Ok(());
        }
    };
    bridgehead_conformance_server::tools().into_iter().fold(server, Server::tool).serve().await
}

#[expect(clippy::print_stderr, reason = "a test program talks to its caller on stderr")]
fn complain(text: &str) {
    eprintln!("{text}");
}
