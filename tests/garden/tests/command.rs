//! The command `bridgehead doctor` as a process (P1): its exit codes, its three forms, and that none of them shows a
//! secret, with every secret of a visit that signs in.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::{
    collections::BTreeSet,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
};

use bridgehead_doctor::Profile;
use bridgehead_garden::{Answer, Asked, Course, Garden, Mode, Tampering, Teammate, Way};
use bridgehead_harness::process::{binary, bridgehead};
use bridgehead_outbound::{Client, Limits, Request};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};
use url::Url;

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

async fn doctor(arguments: &[&str]) -> (i32, String, String) {
    let directory = tempfile::tempdir().unwrap();
    let output = bridgehead(directory.path(), &[&["doctor"], arguments].concat()).await;
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn a_healthy_server_is_well() {
    let garden = Garden::healthy(Mode::ApiKey, Way::Loopback).await;
    let target = garden.target(Profile::Generic);
    let key = target.headers[0].1.expose().strip_prefix("Bearer ").unwrap().to_owned();
    let arguments = [target.url.as_str(), "--profile", "generic", "--key", &key];
    let (code, out, said) = doctor(&arguments).await;
    assert_eq!((code, said.as_str()), (0, ""), "{out}");
    assert!(out.contains("\n0 failed, 0 warnings, ") && out.ends_with("nothing was left behind\n"), "{out}");
    assert!(!out.contains(&key) && !out.contains('\u{1b}'), "{out}");
}

/// A server that cannot be reached is a finding; a command that is wrong is none.
#[tokio::test]
async fn exit_codes_tell_a_server_from_a_command_that_is_wrong() {
    let garden = Garden::planted(Mode::Open, Way::Loopback, Tampering::none().arriving(|_| Course::Close)).await;
    let endpoint = garden.endpoint();
    let (code, out, _) = doctor(&[endpoint.as_str(), "--profile", "generic", "--json"]).await;
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, report["summary"]["failed"].as_u64()), (1, Some(1)), "{report:#}");
    for (arguments, words) in [
        (&["mcp.example.com/mcp"][..], "https://mcp.example.com/mcp"),
        (&["http://127.0.0.1/mcp", "--profile", "duva"], "duvo, claude, chatgpt and generic"),
        (&["http://127.0.0.1/mcp", "--json", "--junit"], "cannot be used with"),
        (&["http://127.0.0.1/mcp", "--key", "file:none.txt"], "none.txt cannot be read"),
        (&["http://127.0.0.1/mcp", "--header", "X-Api-Key"], "NAME=VALUE"),
    ] {
        let (code, out, said) = doctor(arguments).await;
        assert_eq!((code, out.as_str(), said.contains(words)), (2, "", true), "{said}");
    }
}

/// Everything that went by and that nobody may see again.
#[derive(Clone, Default)]
struct Secrets(Arc<Mutex<BTreeSet<String>>>);

impl Secrets {
    fn keep(&self, secret: Option<&str>) {
        if let Some(secret) = secret.filter(|secret| !secret.is_empty()) {
            self.0.lock().unwrap().insert(secret.to_owned());
        }
    }

    fn of_request(&self, asked: &Asked) {
        self.keep(asked.bearer());
        for name in ["code", "code_verifier", "refresh_token", "client_secret", "token", "password", "csrf"] {
            self.keep(asked.field(name).as_deref());
        }
        self.keep(asked.header("cookie").and_then(|cookie| cookie.split_once('=')).map(|(_, value)| value));
    }

    fn of_answer(&self, answer: &Answer) {
        let json = answer.json();
        for name in ["access_token", "refresh_token", "client_secret", "registration_access_token", "id_token"] {
            self.keep(json[name].as_str());
        }
    }
}

/// The command with `--login`, on a machine without a screen.
fn logging_in(garden: &Garden, form: &[&str]) -> Child {
    Command::new(binary("bridgehead"))
        .args(["doctor", garden.endpoint().as_str(), "--profile", "generic", "--login"])
        .args(form)
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Runs it, and signs in when it asks for it.
async fn signed_in(garden: &Garden, form: &[&str]) -> Output {
    let mut child = logging_in(garden, form);
    let mut out = child.stdout.take().unwrap();
    let reading = tokio::spawn(async move {
        let mut all = Vec::new();
        out.read_to_end(&mut all).await.unwrap();
        all
    });
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sign_in, surroundings) = (garden.sign_in(), garden.surroundings());
    let client = Client::visiting(surroundings.net, Limits::VISITED);
    let mut stderr = String::new();
    while let Some(line) = said.next_line().await.unwrap() {
        if let Ok(link) = Url::parse(line.trim()) {
            let back = sign_in.authorize(&link).await.unwrap();
            let landed = client.send(Request::get(back)).await.unwrap().read().await.unwrap();
            assert!(text(&landed.body).contains("You may close this"), "{landed:?}");
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let status = child.wait().await.unwrap();
    Output { status, stdout: reading.await.unwrap(), stderr: stderr.into() }
}

/// Somebody who does not sign in, and stops the doctor instead, leaves nothing behind.
#[cfg(unix)]
#[tokio::test]
async fn who_is_stopped_takes_away_what_was_made() {
    let garden = Garden::healthy(Mode::OAuth, Way::Loopback).await;
    let mut child = logging_in(&garden, &[]);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    while let Some(line) = said.next_line().await.unwrap() {
        if Url::parse(line.trim()).is_ok() {
            let process = child.id().unwrap().to_string();
            assert!(Command::new("kill").args(["-INT", &process]).status().await.unwrap().success());
        }
    }
    let output = child.wait_with_output().await.unwrap();
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{out}");
    assert!(
        out.contains("\n0 failed") && out.contains("told to stop") && out.ends_with("nothing was left behind\n"),
        "{out}"
    );
}

/// A mistake in the writing of another command is not answered with the key that stands in it.
#[tokio::test]
async fn an_argument_that_is_wrong_is_not_said_again() {
    for wrong in ["Authorization: Bearer s3cret-of-alice", "Authorization: Bearer s3cret-of-alice=="] {
        let (code, out, said) = doctor(&["http://127.0.0.1/mcp", "--header", wrong]).await;
        assert_eq!((code, out.as_str()), (2, ""), "{said}");
        assert!(said.contains("NAME=VALUE") && !said.contains("s3cret"), "{said}");
    }
}

/// P1: not one of the secrets of a visit that signs in is in the report, whichever form it has.
#[tokio::test]
async fn no_form_of_the_report_shows_a_secret() {
    for form in [&["--verbose"][..], &["--json"], &["--junit"]] {
        let secrets = Secrets::default();
        let (arriving, leaving) = (secrets.clone(), secrets.clone());
        let tampering = Tampering::none()
            .arriving(move |asked| {
                arriving.of_request(asked);
                Course::Usual
            })
            .leaving(move |_, answer| leaving.of_answer(answer));
        let garden = Garden::planted(Mode::OAuth, Way::Loopback, tampering).await;
        let output = signed_in(&garden, form).await;
        let shown = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{shown}");
        let secrets = secrets.0.lock().unwrap();
        assert!(secrets.len() >= 8 && secrets.contains(Teammate::PASSWORD), "{secrets:?}");
        for secret in &*secrets {
            assert!(!shown.contains(secret.as_str()), "{form:?} shows {secret}:\n{shown}");
        }
    }
}
