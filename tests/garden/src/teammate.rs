//! A teammate with a browser, for the doctor's sign-in: opens the request, signs in, allows, and says
//! where the page leads back to. Drives the server's own pages over HTTP, through the garden.

use std::sync::Mutex;

use async_trait::async_trait;
use bridgehead_doctor::{SignIn, SignInError};
use bridgehead_harness::page::{hidden, way_back};
use bridgehead_outbound::{Client, Limits, Net, Received, Request, Visited};
use http::{HeaderValue, Method, header};
use url::{Url, form_urlencoded};

/// How many pages are opened before something is wrong.
const PAGES: usize = 10;

/// Someone who may use the server, and allows whatever is asked of them.
pub struct Teammate {
    client: Client<Visited>,
    origin: String,
    /// As `name=value`.
    cookie: Mutex<Option<String>>,
}

/// What a page asks for.
enum Next {
    Open(Url),
    Post(Url, Vec<(String, String)>),
    Back(Url),
}

impl Teammate {
    /// Their address.
    pub const MAIL: &'static str = "alice@example.com";
    /// Their password.
    pub const PASSWORD: &'static str = "correct horse battery staple";

    pub(crate) fn new(net: Net, origin: &str) -> Self {
        Self { client: Client::visiting(net, Limits::VISITED), origin: origin.to_owned(), cookie: Mutex::default() }
    }

    async fn send(&self, method: Method, url: &Url, form: &[(String, String)]) -> Result<Received, SignInError> {
        let mut request = Request::new(method, url.clone());
        let impossible = |error: &dyn std::fmt::Display| SignInError::Impossible(format!("{url}: {error}"));
        if request.method == Method::POST {
            let set = [(header::CONTENT_TYPE, "application/x-www-form-urlencoded"), (header::ORIGIN, &*self.origin)];
            for (name, value) in set {
                request.set_header(name, value).map_err(|error| impossible(&error))?;
            }
            request.body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish().into();
        }
        let cookie = self.cookie.lock().expect("no panic while it is held").clone();
        if let Some(cookie) = cookie {
            request.headers.insert(header::COOKIE, HeaderValue::from_str(&cookie).expect("a cookie"));
        }
        let response = self.client.send(request).await.map_err(|error| impossible(&error))?;
        let received = response.read().await.map_err(|error| impossible(&error))?;
        let set = received.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        if let Some(cookie) = set.and_then(|value| value.split(';').next()) {
            *self.cookie.lock().expect("no panic while it is held") = Some(cookie.to_owned());
        }
        Ok(received)
    }

    fn read(&self, page: &Received, redirect_uri: &Url) -> Option<Next> {
        let is_back = |url: &Url| url.origin() == redirect_uri.origin() && url.path() == redirect_uri.path();
        if page.status.is_redirection() {
            let location = page.headers.get(header::LOCATION)?.to_str().ok()?;
            let url = page.url.join(location).ok()?;
            return Some(if is_back(&url) { Next::Back(url) } else { Next::Open(url) });
        }
        let text = String::from_utf8_lossy(&page.body);
        if let Some((_, _, url)) = way_back(&text)
            && is_back(&url)
        {
            return Some(Next::Back(url));
        }
        let here = |path: &str| Url::parse(&format!("{}{path}", self.origin)).ok();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        if text.contains("type=\"password\"") {
            let next = hidden(&text, "next").unwrap_or_default();
            let form = vec![
                pair("mail", Self::MAIL.to_owned()),
                pair("password", Self::PASSWORD.to_owned()),
                pair("next", next),
            ];
            return Some(Next::Post(here("/login")?, form));
        }
        let mut form = vec![pair("query", hidden(&text, "query")?), pair("csrf", hidden(&text, "csrf")?)];
        form.push(pair("decision", "allow".to_owned()));
        form.push(pair("scope", "tools:write".to_owned()));
        Some(Next::Post(here("/oauth/consent")?, form))
    }
}

#[async_trait]
impl SignIn for Teammate {
    fn redirect_uri(&self) -> Url {
        // Nobody listens there: the page's link is read, and not followed.
        Url::parse("http://127.0.0.1:8917/callback").expect("a URL")
    }

    async fn authorize(&self, request: &Url) -> Result<Url, SignInError> {
        let asked = request.query_pairs().find(|(name, _)| name == "redirect_uri");
        let redirect_uri = asked.and_then(|(_, uri)| Url::parse(&uri).ok()).unwrap_or_else(|| self.redirect_uri());
        let mut page = self.send(Method::GET, request, &[]).await?;
        for _ in 0..PAGES {
            page = match self.read(&page, &redirect_uri) {
                Some(Next::Back(url)) => return Ok(url),
                Some(Next::Open(url)) => self.send(Method::GET, &url, &[]).await?,
                Some(Next::Post(url, form)) => self.send(Method::POST, &url, &form).await?,
                None => break,
            };
        }
        let text = String::from_utf8_lossy(&page.body).into_owned();
        Err(SignInError::Impossible(format!("{} answered {} and leads nowhere: {text}", page.url, page.status)))
    }
}
