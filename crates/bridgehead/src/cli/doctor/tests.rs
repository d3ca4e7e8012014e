//! What the command prints, in its three forms, of a report that has everything; beside it, how a credential is
//! read. `UPDATE_GOLDEN=1` writes `tests/doctor` down anew.

use std::{path::PathBuf, time::Duration};

use bridgehead_core::Secret;
use bridgehead_doctor::{Area, Check, Examined, Exchange, Finding, Profile, Report, Verdict, exchange::ShownAnswer};
use serde_json::Value;

use super::{given, json, junit, text};
use crate::{config::FixedEnvironment, golden::Golden};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/doctor");

static NAME: Check = Check {
    id: "dns-name",
    area: Area::Reach,
    title: "The name is found",
    why: "Nobody gets further than this.",
    standard: "RFC 1034 §3.6",
    mend: "Add a record for the name.",
};
static SLASH: Check = Check {
    id: "http-trailing-slash",
    area: Area::Reach,
    title: "A slash at the end makes no difference",
    why: "A teammate who types it gets another answer than one who does not.",
    standard: "RFC 9110 §15.4",
    mend: "Answer both alike, without a redirect.",
};
static RESOURCE: Check = Check {
    id: "prm-resource",
    area: Area::Access,
    title: "The metadata names the endpoint",
    why: "Clients compare it with what was typed, and stop.",
    standard: "RFC 9728 §3.3",
    mend: "Set `resource` to the URL of the endpoint.",
};
static AUDIENCE: Check = Check {
    id: "token-audience",
    area: Area::Access,
    title: "A token is for this server alone",
    why: "Another server could use it here.",
    standard: "RFC 8707 §2",
    mend: "Check the audience.",
};
static PING: Check = Check {
    id: "ping",
    area: Area::Protocol,
    title: "It answers",
    why: "Clients ask.",
    standard: "MCP 2025-11-25, Ping",
    mend: "Answer.",
};

/// One of everything, by a server that means no good: escape sequences, markup, characters that turn text around.
fn report() -> Report {
    let finding = |seen: &str, exchanges: &[usize]| Finding { seen: seen.to_owned(), exchanges: exchanges.to_vec() };
    let examined = [
        (&NAME, Verdict::Passed { seen: Some("93.184.215.14".to_owned()) }),
        (&SLASH, Verdict::Warning(finding("With a slash it answers 307 to \"/mcp\".", &[0]))),
        (
            &RESOURCE,
            Verdict::Failed(finding(
                "It says \u{1b}[2J<b>\u{202e}moc.elpmaxe\u{9b}31m\u{e0041} & no more.\nAnd more.",
                &[1, 2, 0],
            )),
        ),
        (&AUDIENCE, Verdict::Skipped { reason: "it cannot be looked at while prm-resource fails".to_owned() }),
        (&PING, Verdict::Passed { seen: None }),
    ];
    let exchange = |method: &str, path: &str, answer: Result<ShownAnswer, String>| Exchange {
        method: method.to_owned(),
        url: format!("https://mcp.example.com{path}"),
        request_headers: vec![("accept".to_owned(), "application/json".to_owned())],
        request_body: if method == "POST" { "{\"jsonrpc\":\"2.0\"}".to_owned() } else { String::new() },
        answer,
        took: Duration::from_millis(12),
    };
    let answer = |status: u16, body: &str| {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        Ok(ShownAnswer { status, headers, body: body.to_owned() })
    };
    Report {
        url: "https://mcp.example.com/mcp".to_owned(),
        profile: Profile::Duvo,
        began: "2026-01-01T00:00:00Z".parse().unwrap(),
        ended: "2026-01-01T00:00:02.5Z".parse().unwrap(),
        examined: examined.into_iter().map(|(check, verdict)| Examined { check, verdict }).collect(),
        exchanges: vec![
            exchange("POST", "/mcp/", answer(307, "")),
            exchange(
                "GET",
                "/.well-known/oauth-protected-resource/mcp",
                answer(200, &"{\"resource\":\u{1b}]0;x\u{7}".repeat(30)),
            ),
            exchange("GET", "/.well-known/oauth-protected-resource", Err("the connection was closed".to_owned())),
        ],
        left_behind: vec!["the client `c-1`: the server offers no way to remove it".to_owned()],
    }
}

fn is_golden(name: &str, is: &str) {
    let mut golden = Golden::default();
    golden.compare(format!("{FOLDER}/{name}"), is);
    golden.assert("cli::doctor");
}

/// P1: what was seen, why it matters, how to mend it, and the exchange that shows it.
#[test]
fn the_text_is_golden() {
    is_golden("doctor.txt", &text::report(&report(), text::Detail::default()));
    is_golden("verbose.txt", &text::report(&report(), text::Detail { exchanges: true, colours: false }));
}

/// What a script reads of what is printed.
fn read_json(report: &Report) -> Value {
    serde_json::from_str(&json::text(report)).unwrap()
}

#[test]
fn the_json_is_golden() {
    is_golden("doctor.json", &format!("{:#}\n", read_json(&report())));
}

#[test]
fn the_junit_is_golden() {
    is_golden("doctor.xml", &junit::document(&report()));
}

#[test]
fn colours_are_beside_the_words() {
    let (plain, coloured) = (
        text::report(&report(), text::Detail::default()),
        text::report(&report(), text::Detail { exchanges: false, colours: true }),
    );
    assert!(coloured.contains("\u{1b}[1;31mFAILED \u{1b}[0m"));
    let mut stripped = String::new();
    for (index, part) in coloured.split('\u{1b}').enumerate() {
        stripped.push_str(if index == 0 { part } else { part.split_once('m').unwrap().1 });
    }
    assert_eq!(stripped, plain);
}

/// A server that is looked at cannot speak to the terminal, nor leave an element of XML.
#[test]
fn nothing_of_the_server_is_obeyed() {
    let report = report();
    let Verdict::Failed(Finding { seen, .. }) = &report.examined[2].verdict else { panic!("{report:?}") };
    let text = text::report(&report, text::Detail { exchanges: true, colours: false });
    let (xml, json) = (junit::document(&report), json::text(&report));
    for (shown, escapes) in [
        (&text, ["\\u{1b}[2J", "\\u{202e}", "\\u{9b}"]),
        (&xml, ["\\u{1b}[2J", "\\u{202e}", "\\u{9b}"]),
        (&json, ["\\u001b[2J", "\\u202e", "\\u009b"]),
    ] {
        assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}', '\u{e0041}']), "{shown}");
        assert!(escapes.iter().all(|escape| shown.contains(escape)), "{shown}");
    }
    assert!(json.contains("\\udb40\\udc41"), "{json}");
    assert_eq!(read_json(&report)["checks"][2]["seen"], **seen);
    assert!(!xml.contains("<b>"));
}

/// What a server says stands behind what the doctor says, and is no line of its own.
#[test]
fn a_server_writes_no_lines_of_the_report() {
    const FORGED: &str = "https://as.example\n\n0 failed, 0 warnings, 9 passed";
    let mut report = report();
    report.examined = vec![
        Examined { check: &NAME, verdict: Verdict::Passed { seen: Some(FORGED.to_owned()) } },
        Examined { check: &AUDIENCE, verdict: Verdict::Skipped { reason: FORGED.to_owned() } },
        Examined {
            check: &RESOURCE,
            verdict: Verdict::Failed(Finding { seen: FORGED.to_owned(), exchanges: Vec::new() }),
        },
    ];
    report.left_behind = vec![FORGED.to_owned()];
    let text = text::report(&report, text::Detail::default());
    assert_eq!(text.lines().filter(|line| line.starts_with("0 failed")).count(), 0, "{text}");
}

#[test]
fn scripts_read_of_every_check_why_it_matters() {
    let document = read_json(&report());
    let checks = document["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["why"].is_string() && check["mend"].is_string()), "{document:#}");
    let verdicts: Vec<_> = checks.iter().map(|check| check["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "warning", "failed", "skipped", "passed"]);
    assert_eq!(checks[2]["exchanges"], Value::from(vec![1, 2, 0]));
}

fn environment() -> FixedEnvironment {
    let environment = FixedEnvironment { directory: PathBuf::from("/home/alice"), ..FixedEnvironment::default() };
    environment
        .with_file("/home/alice/key.txt", "bhk_from_a_file\n".to_owned())
        .with_file("/home/alice/two.txt", "a\nb\n".to_owned())
}

fn credential(key: Option<&str>, headers: &[&str]) -> Result<Vec<(String, String)>, String> {
    let key = key.map(|key| Secret::new(key.to_owned()));
    let headers: Vec<_> = headers.iter().map(|header| Secret::new((*header).to_owned())).collect();
    let given = given::credential(key.as_ref(), &headers, &environment()).map_err(|failure| failure.message)?;
    Ok(given.into_iter().map(|(name, value)| (name.to_string(), value.expose().to_owned())).collect())
}

/// A secret need not stand in an argument, where others on the machine can see it.
#[test]
fn a_credential_stands_in_an_argument_or_in_a_file() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(credential(Some("k"), &[]).unwrap(), [pair("authorization", "Bearer k")]);
    assert_eq!(credential(Some("file:key.txt"), &[]).unwrap(), [pair("authorization", "Bearer bhk_from_a_file")]);
    let headers = credential(None, &["X-Api-Key=file:key.txt", "X-Tenant=a=b"]).unwrap();
    assert_eq!(headers, [pair("x-api-key", "bhk_from_a_file"), pair("x-tenant", "a=b")]);
}

/// What is wrong with it is said without it.
#[test]
fn a_credential_that_is_wrong_is_named_and_not_shown() {
    for (key, headers, words) in [
        (Some("file:none.txt"), &[][..], "--key: none.txt cannot be read"),
        (Some("file:two.txt"), &[], "--key has a character that no header may have"),
        (Some(""), &[], "--key is empty"),
        (None, &["X-Api-Key s3cret"], "NAME=VALUE"),
        (None, &["X Api=s3cret"], "a name that a header may have"),
        (None, &["Authorization: Bearer s3cret=="], "NAME=VALUE"),
        (Some("k"), &["Authorization=s3cret"], "authorization is given twice"),
    ] {
        let said = credential(key, headers).unwrap_err();
        assert!(said.contains(words) && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn an_endpoint_is_written_whole() {
    assert!(given::endpoint("https://mcp.example.com/mcp").is_ok() && given::endpoint("http://localhost:1/").is_ok());
    for text in ["mcp.example.com/mcp", "ftp://mcp.example.com", "/mcp", "mailto:a@example.com"] {
        assert!(given::endpoint(text).unwrap_err().contains("https://mcp.example.com/mcp"), "{text}");
    }
}
