//! Servers that mean no good, or are strange in ways that the standards allow: what the doctor must not do to them, not
//! send them, and not show of them (P1).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "these are tests"
)]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bridgehead_doctor::{Profile, Report, SignIn, SignInError, Verdict, visit::Surroundings};
use bridgehead_garden::{Answer, Asked, Course, Garden, Mode, Tampering, Way, faults};
use serde_json::Value;
use url::Url;

const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const REGISTER: &str = "/oauth/register";
const TOKEN: &str = "/oauth/token";
/// A server on the side of whoever means no good.
const COLLECTOR: &str = "https://collector.example";

async fn visited(tampering: Tampering) -> Report {
    Garden::planted(Mode::OAuth, Way::Internet, tampering).await.examine(Profile::Duvo).await
}

/// The metadata of the authorization server is another one.
fn server(change: impl Fn(&mut Value) + Send + Sync + 'static) -> Tampering {
    Tampering::none().leaving(move |asked, answer| {
        if asked.path.starts_with("/.well-known/") && !asked.path.starts_with(RESOURCE) {
            answer.change_json(&change);
        }
    })
}

fn verdict<'r>(report: &'r Report, id: &str) -> &'r Verdict {
    &report.examined.iter().find(|one| one.check.id == id).unwrap().verdict
}

fn failed(report: &Report) -> Vec<&str> {
    report.failed().map(|one| one.check.id).collect()
}

/// Whether anything was sent there.
fn was_sent_to(report: &Report, start: &str) -> bool {
    report.exchanges.iter().any(|exchange| exchange.url.starts_with(start))
}

fn is_left(report: &Report, words: &str) -> bool {
    report.left_behind.iter().any(|left| left.contains(words))
}

/// What it answers would be in a report that somebody hands on.
#[tokio::test]
async fn no_redirect_leads_the_doctor_inside() {
    for inside in ["http://169.254.169.254/latest/meta-data", "https://10.0.0.7/", "http://mcp.example.com:8080/"] {
        let report = visited(Tampering::none().arriving(move |asked| match asked.path.starts_with(RESOURCE) {
            true => Course::Answer(Answer::redirect(302, inside)),
            false => Course::Usual,
        }))
        .await;
        assert!(!was_sent_to(&report, inside), "{inside}");
        assert_eq!(failed(&report), ["prm-found"]);
    }
}

/// A refresh token is for whoever gave it, and for nobody whom its metadata names besides.
#[tokio::test]
async fn tokens_go_nowhere_but_to_whoever_gave_them() {
    let report = visited(server(|document| {
        document["revocation_endpoint"] = format!("{COLLECTOR}/revoke").into();
        document["introspection_endpoint"] = format!("{COLLECTOR}/introspect").into();
    }))
    .await;
    assert!(!was_sent_to(&report, COLLECTOR));
    for check in ["revocation-access", "revocation-refresh", "introspection-closed"] {
        assert!(matches!(verdict(&report, check), Verdict::Skipped { .. }), "{check}");
    }
    assert_eq!(report.left_behind, Vec::<String>::new(), "the grant has ended with its client");
}

/// RFC 9207 §2.4: the code of another issuer would be given away.
#[tokio::test]
async fn the_code_of_another_issuer_is_sent_nowhere() {
    for iss in [Some("https://login.example.net"), None] {
        let given = Arc::new(Mutex::new(Vec::new()));
        let (coming, going) = (given.clone(), given.clone());
        let tampering = Tampering::none()
            .arriving(move |asked| {
                let code = asked.field("code").filter(|_| asked.path == TOKEN);
                assert!(!code.is_some_and(|code| coming.lock().unwrap().contains(&code)), "the code was sent");
                Course::Usual
            })
            .leaving(move |_, answer| {
                answer.change_way_back(|url| {
                    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
                    let mut query = url.query_pairs_mut();
                    query.clear();
                    for (name, value) in pairs.iter().filter(|(name, _)| name != "iss") {
                        query.append_pair(name, value);
                        if name == "code" {
                            going.lock().unwrap().push(value.clone());
                        }
                    }
                    if let Some(iss) = iss {
                        query.append_pair("iss", iss);
                    }
                });
            });
        let report = visited(tampering).await;
        assert_eq!((failed(&report).as_slice(), given.lock().unwrap().len()), (&["sign-in-iss"][..], 1));
    }
}

/// Where everybody is given the same client, removing it would cut off all the others.
#[tokio::test]
async fn a_client_that_others_share_is_not_removed() {
    let fault = faults::all().find(|fault| fault.name == "registration-one-for-all").unwrap();
    let report = Garden::with(fault).await.examine(fault.profile).await;
    let left = report.left_behind.iter().find(|left| left.contains("given to more than one")).unwrap();
    let id = left.split('`').nth(1).unwrap();
    let removed = report.exchanges.iter().filter(|exchange| exchange.method == "DELETE");
    assert!(removed.clone().count() > 0 && !removed.map(|exchange| &exchange.url).any(|url| url.contains(id)), "{id}");
}

#[tokio::test]
async fn what_stays_is_said() {
    let unmanaged = |asked: &Asked, answer: &mut Answer| {
        if asked.path == REGISTER {
            answer.change_json(|document| {
                document.as_object_mut().unwrap().remove("registration_client_uri");
            });
        }
    };
    let report = visited(Tampering::none().leaving(move |asked, answer| {
        unmanaged(asked, answer);
        if asked.path.starts_with("/.well-known/") {
            answer.change_json(|document| {
                document.as_object_mut().unwrap().remove("revocation_endpoint");
            });
        }
    }))
    .await;
    assert!(is_left(&report, "no way to remove it") && is_left(&report, "could not be revoked"), "{report:?}");
    let report = visited(Tampering::none().leaving(|asked, answer| {
        if asked.path == REGISTER && answer.status.is_success() {
            answer.body = "welcome".into();
        }
    }))
    .await;
    assert_eq!(failed(&report), ["registration-works"]);
    assert!(is_left(&report, "perhaps a client at https://mcp.example.com/oauth/register"), "{:?}", report.left_behind);
}

/// Whoever asks an endpoint in the clear, or under another's name, must not show it a key.
#[tokio::test]
async fn a_key_in_the_url_is_shown_to_nobody() {
    const KEY: &str = "s3cret-of-alice";
    let seen = Arc::new(Mutex::new(Vec::new()));
    let arriving = seen.clone();
    let tampering = Tampering::none()
        .typed(|url| url.set_query(Some("api_key=s3cret-of-alice&profile=north")))
        .arriving(move |asked| {
            let is_for_others = !asked.encrypted || asked.header("host").is_some_and(|host| !host.starts_with("mcp."));
            if is_for_others {
                arriving.lock().unwrap().push(asked.query.clone());
            }
            Course::Usual
        });
    let report = Garden::planted(Mode::Open, Way::Internet, tampering).await.examine(Profile::Duvo).await;
    let seen = seen.lock().unwrap();
    assert!(seen.len() >= 2 && seen.iter().all(Option::is_none), "{seen:?}");
    assert_eq!(report.url, "https://mcp.example.com/mcp?api_key=[redacted]&profile=north");
    assert!(!format!("{report:?}").contains(KEY));
}

/// A server that says once more what it gave and what it was given, before the doctor can know it for a secret.
#[tokio::test]
async fn nothing_that_is_said_again_is_shown() {
    let secrets = Arc::new(Mutex::new(Vec::new()));
    let keeping = secrets.clone();
    let report = visited(Tampering::none().leaving(move |asked, answer| {
        let document = answer.json();
        let given = ["access_token", "refresh_token", "client_secret", "registration_access_token"];
        let mut given: Vec<String> =
            given.iter().filter_map(|name| document[name].as_str().map(str::to_owned)).collect();
        given.extend(["code", "code_verifier", "refresh_token"].iter().filter_map(|name| asked.field(name)));
        given.extend(asked.bearer().map(str::to_owned));
        if !given.is_empty() && !asked.is_for_endpoint() {
            answer.change_json(|document| document["debug"] = format!("so: {}", given.join(", ")).into());
            answer.set_header("x-debug", &given.join(" "));
            keeping.lock().unwrap().append(&mut given);
        }
    }))
    .await;
    let (shown, secrets) = (format!("{report:?}"), secrets.lock().unwrap());
    assert!(secrets.len() > 10 && shown.contains("so: [redacted]"));
    let shown: Vec<_> = secrets.iter().filter(|secret| shown.contains(*secret)).collect();
    assert!(shown.is_empty(), "{shown:?}");
}

/// Comes back the second time with what came the first time, as a browser does that loads a page again.
struct Again {
    teammate: Arc<dyn SignIn>,
    came: Mutex<Option<Url>>,
}

#[async_trait]
impl SignIn for Again {
    fn redirect_uri(&self) -> Url {
        self.teammate.redirect_uri()
    }

    async fn authorize(&self, request: &Url) -> Result<Url, SignInError> {
        let came = self.came.lock().unwrap().clone();
        if let Some(came) = came {
            return Ok(came);
        }
        let came = self.teammate.authorize(request).await?;
        *self.came.lock().unwrap() = Some(came.clone());
        Ok(came)
    }
}

#[tokio::test]
async fn an_answer_to_another_request_is_none() {
    let garden = Garden::healthy(Mode::OAuth, Way::Internet).await;
    let sign_in: Arc<dyn SignIn> = Arc::new(Again { teammate: garden.sign_in(), came: Mutex::default() });
    let surroundings = Surroundings { sign_in: Some(sign_in), ..garden.surroundings() };
    let report = garden.examine_with(Profile::Duvo, surroundings).await;
    for check in ["code-verifier", "code-replay", "refresh-race", "refresh-reuse"] {
        assert!(matches!(verdict(&report, check), Verdict::Skipped { .. }), "{check}");
    }
    assert_eq!(failed(&report), Vec::<&str>::new());
}

/// A connection that is closed has refused nothing.
#[tokio::test]
async fn without_an_answer_nothing_is_well() {
    let report = visited(Tampering::none().arriving(|asked| {
        let redirect_uris = asked.json()["redirect_uris"].as_array().map_or(0, Vec::len);
        let is_asked_in_vain = redirect_uris > 1
            || asked.parameter("code_challenge_method").as_deref() == Some("plain")
            || asked.query.as_deref().is_some_and(|query| query.contains("access_token="))
            || asked.field("resource").as_deref() == Some("https://stranger.invalid/mcp");
        if is_asked_in_vain { Course::Close } else { Course::Usual }
    }))
    .await;
    for check in ["registration-redirect-uris", "authorize-plain", "token-query", "token-foreign-resource"] {
        assert!(matches!(verdict(&report, check), Verdict::Skipped { .. }), "{check}");
    }
    assert!(is_left(&report, "perhaps a client"), "{:?}", report.left_behind);
}

/// MCP 2025-11-25 lets a server do without the pointer, and have its metadata at the root.
#[tokio::test]
async fn metadata_at_the_root_alone_is_found() {
    let report = visited(
        Tampering::none()
            .arriving(|asked| match asked.path == "/.well-known/oauth-protected-resource/mcp" {
                true => Course::Answer(Answer::empty(404)),
                false => Course::Usual,
            })
            .leaving(|_, answer| {
                if answer.header("www-authenticate").is_some() {
                    answer.set_header("www-authenticate", "Bearer scope=\"tools:read\", error=\"invalid_token\"");
                }
            }),
    )
    .await;
    assert_eq!(failed(&report), Vec::<&str>::new());
    assert!(matches!(verdict(&report, "prm-found"), Verdict::Passed { .. }));
}
