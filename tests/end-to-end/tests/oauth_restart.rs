//! A server that crashes after any step of a sign-in and comes back, or whose next request goes to the other of two
//! replicas, keeps everything that it has promised (A4, H1): on SQLite and on PostgreSQL.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    missing_docs,
    reason = "these are tests"
)]

use bridgehead_end_to_end::oauth::{ALICE, Answer, Browser, CALLBACK, PASSWORD, Site, parameter, query, warehouse};
use bridgehead_harness::{TestServer, postgres::Database};
use reqwest::Url;
use serde_json::Value;

/// What a client and a teammate have done, each step on top of those before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Register,
    AskToSignIn,
    SignIn,
    ShowConsent,
    Allow,
    Exchange,
    Refresh,
    Revoke,
}

const STEPS: [Step; 8] = [
    Step::Register,
    Step::AskToSignIn,
    Step::SignIn,
    Step::ShowConsent,
    Step::Allow,
    Step::Exchange,
    Step::Refresh,
    Step::Revoke,
];

/// What client and browser hold between the steps; the server holds the rest.
#[derive(Default)]
struct Walk {
    client: String,
    cookie: Option<String>,
    /// Where the browser was sent last.
    location: String,
    /// The page that it shows.
    page: Option<Answer>,
    back: Option<Url>,
    tokens: Value,
    /// The refresh token before the last one.
    predecessor: String,
}

impl Walk {
    async fn take(&mut self, step: Step, site: &Site) {
        let mut browser = Browser::new(site);
        browser.cookie = self.cookie.take();
        match step {
            Step::Register => self.client = site.public_client(CALLBACK).await,
            Step::AskToSignIn => {
                let query = query(&self.client, &[("scope", "tools:read tools:write")]);
                let sent = browser.get(&format!("/oauth/authorize?{query}")).await;
                self.page = Some(browser.get(&sent.header("location")).await);
            }
            Step::SignIn => {
                let next = self.page.take().unwrap().hidden("next");
                let pairs = [("mail", ALICE), ("password", PASSWORD), ("next", next.as_str())];
                self.location = browser.post("/login", &pairs).await.header("location");
            }
            Step::ShowConsent => self.page = Some(browser.get(&self.location).await),
            Step::Allow => {
                let page = self.page.take().unwrap();
                self.back = Some(browser.decide(&page, "allow", &["tools:write"]).await.goes_back_to());
            }
            Step::Exchange => {
                let code = parameter(self.back.as_ref().unwrap(), "code").unwrap();
                self.tokens = good(&site.exchange(&self.client, &code).await);
            }
            Step::Refresh => {
                self.predecessor = self.held("refresh_token").to_owned();
                self.tokens = good(&site.refresh(&self.client, &self.predecessor).await);
            }
            Step::Revoke => {
                let pairs = [("client_id", self.client.as_str()), ("token", self.held("refresh_token"))];
                assert_eq!(site.post("/oauth/revoke", &pairs).await.status, 200);
            }
        }
        self.cookie = browser.cookie;
    }

    fn held(&self, token: &str) -> &str {
        self.tokens[token].as_str().unwrap()
    }

    /// What the server has promised by this step, wherever it is asked.
    async fn holds(&self, step: Step, site: &Site) {
        match step {
            Step::Register | Step::AskToSignIn | Step::SignIn | Step::ShowConsent | Step::Allow => {}
            Step::Exchange => assert!(site.reads(self.held("access_token")).await),
            Step::Refresh => {
                assert!(site.reads(self.held("access_token")).await);
                let again = good(&site.refresh(&self.client, &self.predecessor).await);
                assert_eq!(again["refresh_token"], self.tokens["refresh_token"], "whoever raced gets the same");
            }
            Step::Revoke => {
                assert!(!site.reads(self.held("access_token")).await);
                let refused = site.refresh(&self.client, self.held("refresh_token")).await;
                assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"));
            }
        }
    }
}

fn good(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

async fn server(store: &str) -> TestServer {
    let server = warehouse("secrets = { keys = [\"file:bridgehead.keys\"] }", "mode = \"oauth\"")
        .variable("BRIDGEHEAD_STORE__URL", store)
        .start()
        .await;
    server.user(ALICE, PASSWORD, "tools:read tools:write").await;
    server
}

/// One walk for each step, with a crash behind it.
async fn a_crash_loses_nothing(store: &str) {
    let mut server = server(store).await;
    for last in STEPS {
        let mut walk = Walk::default();
        for step in STEPS {
            let site = Site::of(&[&server]);
            walk.take(step, &site).await;
            if step == last {
                server = server.crash().await;
                walk.holds(step, &Site::of(&[&server])).await;
            }
        }
        walk.holds(Step::Revoke, &Site::of(&[&server])).await;
    }
    server.stop().await;
}

/// One walk for each step, with everything behind it on the other replica.
async fn the_other_replica_goes_on(store: &str) {
    let server = server(store).await;
    let other = server.replica().await;
    let (here, there) = (Site::of(&[&server]), Site::of(&[&other]));
    for last in STEPS {
        let mut walk = Walk::default();
        let mut is_there = false;
        for step in STEPS {
            walk.take(step, if is_there { &there } else { &here }).await;
            if step == last {
                is_there = true;
                walk.holds(step, &there).await;
            }
        }
        walk.holds(Step::Revoke, &here).await;
        walk.holds(Step::Revoke, &there).await;
    }
    other.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_on_sqlite() {
    a_crash_loses_nothing("sqlite:bridgehead.db").await;
}

#[tokio::test]
async fn a_crash_after_any_step_loses_nothing_on_postgres() {
    let database = Database::empty().await;
    a_crash_loses_nothing(&database.url()).await;
}

#[tokio::test]
async fn the_other_replica_goes_on_after_any_step_on_sqlite() {
    the_other_replica_goes_on("sqlite:bridgehead.db").await;
}

#[tokio::test]
async fn the_other_replica_goes_on_after_any_step_on_postgres() {
    let database = Database::empty().await;
    the_other_replica_goes_on(&database.url()).await;
}
