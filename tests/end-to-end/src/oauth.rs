//! A client and a teammate's browser by hand, towards one server or several replicas of it in turn:
//! every request goes to the next one, and nothing follows a redirect by itself.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_harness::{Replica, TestServer, TestServerBuilder, WAREHOUSE_TABLES, page};
use reqwest::{Method, header::HeaderMap, redirect::Policy};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

/// What the server of these tests is called from outside.
pub const PUBLIC: &str = "https://mcp.example.com";
/// A teammate.
pub const ALICE: &str = "alice@example.com";
/// Their password.
pub const PASSWORD: &str = "correct horse battery staple";
/// The redirect URI of Duvo.
pub const CALLBACK: &str = "https://platform.duvo.ai/v1/oauth/mcp/callback";
/// What a client's code is bound to.
pub const VERIFIER: &str = "a-verifier-of-43-characters-and-then-some-more";

/// A server that teammates sign in to, with a tool that reads and one that writes; `more` is put
/// behind `[auth]`, and `top` before all tables.
#[must_use]
pub fn warehouse(top: &str, auth: &str) -> TestServerBuilder {
    TestServer::with(&configuration(top, auth)).file("warehouse.sql", WAREHOUSE_TABLES)
}

/// The configuration of [`warehouse`].
#[must_use]
pub fn configuration(top: &str, auth: &str) -> String {
    format!(
        r#"
name = "Warehouse"
{top}
[server]
listen = "127.0.0.1:0"
public_url = "{PUBLIC}"
trusted_proxies = ["127.0.0.0/8"]
forwarded = "x-forwarded"

[auth]
{auth}

[store]
url = "sqlite:bridgehead.db"

[sources.stock]
type = "sql"
url = "sqlite:warehouse.db"
seed = "warehouse.sql"

[sources.stock.tools.find_stock]
description = "Units of one article on hand, per location."
sql = "SELECT location, units FROM stock WHERE sku = :sku ORDER BY location"
parameters.sku = {{ type = "string", description = "Stock keeping unit" }}

[sources.stock.tools.set_units]
description = "Sets the units of one article at one location."
sql = "UPDATE stock SET units = :units WHERE sku = :sku AND location = :location RETURNING units"
parameters.sku = {{ type = "string", description = "Stock keeping unit" }}
parameters.location = {{ type = "string", description = "Where" }}
parameters.units = {{ type = "integer", description = "How many" }}
"#
    )
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub text: String,
}

impl Answer {
    /// A header's value; empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> String {
        self.headers.get(name).map(|value| value.to_str().expect("text").to_owned()).unwrap_or_default()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// It is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{} {}: {error}", self.status, self.text))
    }

    /// `error` of a JSON body.
    #[must_use]
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The value of a hidden field.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn hidden(&self, name: &str) -> String {
        page::hidden(&self.text, name).unwrap_or_else(|| panic!("no field {name}: {}", self.text))
    }

    /// Where the page after Allow or Deny leads.
    ///
    /// # Panics
    /// It is no such page.
    #[must_use]
    pub fn goes_back_to(&self) -> Url {
        let found = page::way_back(&self.text);
        found.unwrap_or_else(|| panic!("{} is no way back: {}", self.status, self.text)).2
    }
}

/// A parameter of a URL's query.
#[must_use]
pub fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// A form, encoded.
#[must_use]
pub fn encoded(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// The server, or its replicas in turn.
pub struct Site {
    origins: Vec<String>,
    turn: AtomicUsize,
    client: reqwest::Client,
    from: Option<String>,
}

impl Site {
    /// These replicas.
    #[must_use]
    pub fn of(replicas: &[&Replica]) -> Self {
        let client = reqwest::Client::builder().no_proxy().redirect(Policy::none()).build().expect("a client");
        let origins = replicas.iter().map(|replica| replica.origin.clone()).collect();
        Self { origins, turn: AtomicUsize::new(0), client, from: None }
    }

    /// A server at this origin.
    #[must_use]
    pub fn at(origin: &str) -> Self {
        Self { origins: vec![origin.to_owned()], ..Self::of(&[]) }
    }

    /// All requests come from this address, by way of a proxy that is believed.
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        self.from = Some(address.to_owned());
        self
    }

    /// Sends one request to the next replica.
    pub async fn send(&self, method: Method, path: &str, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}{path}", self.origins[turn % self.origins.len()]);
        let mut request = self.client.request(method, url).body(body.into());
        if let Some(address) = &self.from {
            request = request.header("x-forwarded-for", address);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer { status, headers, text: answer.text().await.expect("text") }
    }

    /// A GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], "").await
    }

    /// Posts a form as a client does.
    pub async fn post(&self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.post_with(path, &[], pairs).await
    }

    /// As [`Site::post`], with more headers.
    pub async fn post_with(&self, path: &str, headers: &[(&str, &str)], pairs: &[(&str, &str)]) -> Answer {
        let mut all = vec![("content-type", "application/x-www-form-urlencoded")];
        all.extend_from_slice(headers);
        self.send(Method::POST, path, &all, encoded(pairs)).await
    }

    /// Registers a client.
    pub async fn register(&self, metadata: &Value) -> Answer {
        self.send(Method::POST, "/oauth/register", &[("content-type", "application/json")], metadata.to_string()).await
    }

    /// Registers a public client with one redirect URI, and says its id.
    ///
    /// # Panics
    /// It is refused.
    pub async fn public_client(&self, redirect: &str) -> String {
        let metadata =
            json!({"client_name": "Duvo", "redirect_uris": [redirect], "token_endpoint_auth_method": "none"});
        let answer = self.register(&metadata).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()["client_id"].as_str().expect("an id").to_owned()
    }

    /// As [`Site::public_client`], with everything that a client says of itself.
    ///
    /// # Panics
    /// It is refused.
    pub async fn client(&self, metadata: Value) -> Value {
        let answer = self.register(&metadata).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.json()
    }

    /// Sends Alice, who is signed in with `browser`, through consent; the code.
    pub async fn code(&self, browser: &mut Browser<'_>, client: &str, more: &[(&str, &str)]) -> String {
        parameter(&browser.allow(&query(client, more), &["tools:write"]).await, "code").expect("a code")
    }

    /// A message to the endpoint with an access token, or without one.
    pub async fn rpc(&self, token: Option<&str>, method: &str, params: Value) -> Answer {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut headers = vec![
            ("content-type", "application/json"),
            ("accept", "application/json, text/event-stream"),
            ("mcp-protocol-version", "2025-11-25"),
        ];
        headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        self.send(Method::POST, "/mcp", &headers, message.to_string()).await
    }

    /// Calls a tool.
    pub async fn call(&self, token: Option<&str>, tool: &str, arguments: Value) -> Answer {
        self.rpc(token, "tools/call", json!({"name": tool, "arguments": arguments})).await
    }

    /// Calls the tool that reads; whether it answered.
    pub async fn reads(&self, token: &str) -> bool {
        let answer = self.call(Some(token), "find_stock", json!({"sku": "A-1"})).await;
        answer.status == 200 && answer.json()["result"]["structuredContent"]["rows"][0]["units"] == 20
    }

    /// Exchanges a code.
    pub async fn exchange(&self, client: &str, code: &str) -> Answer {
        let pairs = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.post("/oauth/token", &pairs).await
    }

    /// Uses a refresh token.
    pub async fn refresh(&self, client: &str, token: &str) -> Answer {
        let pairs = [("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)];
        self.post("/oauth/token", &pairs).await
    }

    /// Sends Alice through sign-in and consent and exchanges the code: `client` gets tokens.
    ///
    /// # Panics
    /// Somebody is refused.
    pub async fn connect(&self, client: &str) -> Value {
        self.connect_at(PUBLIC, client).await
    }

    /// As [`Site::connect`], where the server is called this from outside.
    ///
    /// # Panics
    /// Somebody is refused.
    pub async fn connect_at(&self, origin: &str, client: &str) -> Value {
        let mut browser = Browser::at(self, origin);
        browser.sign_in(ALICE, PASSWORD).await;
        let back = browser.allow(&query(client, &[]), &["tools:write"]).await;
        let answer = self.exchange(client, &parameter(&back, "code").expect("a code")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }
}

/// `S256` of a verifier (RFC 7636 §4.2).
#[must_use]
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// An authorization request in good order; `more` is added, and takes the place of what is there.
#[must_use]
pub fn query(client: &str, more: &[(&str, &str)]) -> String {
    let challenge = challenge(VERIFIER);
    let usual = [
        ("response_type", "code"),
        ("client_id", client),
        ("redirect_uri", CALLBACK),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
        ("state", "s-1"),
    ];
    let kept = usual.into_iter().filter(|(name, _)| !more.iter().any(|(other, _)| other == name));
    encoded(&kept.chain(more.iter().copied().filter(|(_, value)| !value.is_empty())).collect::<Vec<_>>())
}

/// A teammate's browser: keeps the cookie, and posts forms from our own pages.
pub struct Browser<'s> {
    site: &'s Site,
    origin: String,
    /// The cookie, as `name=value`.
    pub cookie: Option<String>,
}

impl<'s> Browser<'s> {
    /// A browser that nobody has signed in with.
    #[must_use]
    pub fn new(site: &'s Site) -> Self {
        Self::with(site, None)
    }

    /// As [`Browser::new`], for a server that is called this from outside.
    #[must_use]
    pub fn at(site: &'s Site, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::new(site) }
    }

    /// A browser that has this cookie, as `name=value`.
    #[must_use]
    pub fn with(site: &'s Site, cookie: Option<String>) -> Self {
        Self { site, origin: PUBLIC.to_owned(), cookie }
    }

    fn keep(&mut self, answer: &Answer) {
        if let Some(cookie) = answer.header("set-cookie").split(';').next().filter(|cookie| !cookie.is_empty()) {
            let is_empty = cookie.ends_with('=');
            self.cookie = (!is_empty).then(|| cookie.to_owned());
        }
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        self.cookie.as_deref().map(|cookie| ("cookie", cookie)).into_iter().collect()
    }

    /// Opens a page.
    pub async fn get(&mut self, path: &str) -> Answer {
        let answer = self.site.send(Method::GET, path, &self.headers(), "").await;
        self.keep(&answer);
        answer
    }

    /// Posts a form of our own pages.
    pub async fn post(&mut self, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let origin = self.origin.clone();
        self.post_from(&origin, path, pairs).await
    }

    /// Posts a form from a page of this origin.
    pub async fn post_from(&mut self, origin: &str, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let mut headers = self.headers();
        headers.push(("origin", origin));
        let answer = self.site.post_with(path, &headers, pairs).await;
        self.keep(&answer);
        answer
    }

    /// Signs in at the account page.
    ///
    /// # Panics
    /// It is refused.
    pub async fn sign_in(&mut self, mail: &str, password: &str) {
        let answer = self.post("/login", &[("mail", mail), ("password", password)]).await;
        assert_eq!((answer.status, answer.header("location").as_str()), (303, "/account"), "{}", answer.text);
    }

    /// Opens the consent page of a request.
    pub async fn consent(&mut self, query: &str) -> Answer {
        self.get(&format!("/oauth/authorize?{query}")).await
    }

    /// Presses a button on a consent page.
    pub async fn decide(&mut self, page: &Answer, decision: &str, scopes: &[&str]) -> Answer {
        let (query, csrf) = (page.hidden("query"), page.hidden("csrf"));
        let mut pairs = vec![("query", query.as_str()), ("csrf", csrf.as_str()), ("decision", decision)];
        pairs.extend(scopes.iter().map(|scope| ("scope", *scope)));
        self.post("/oauth/consent", &pairs).await
    }

    /// Allows a request with these boxes ticked; where the browser goes then.
    ///
    /// # Panics
    /// It is refused.
    pub async fn allow(&mut self, query: &str, scopes: &[&str]) -> Url {
        let page = self.consent(query).await;
        assert_eq!(page.status, 200, "{}", page.text);
        self.decide(&page, "allow", scopes).await.goes_back_to()
    }
}
