//! The authorization endpoint as it answers before any person has acted: where it leads, and how its pages are
//! protected.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bridgehead_core::Secret;
use bridgehead_outbound::Request;
use http::{HeaderMap, HeaderValue, header};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    client::{self, Client, Code},
    server::Server,
};
use crate::{
    Area, Check,
    visit::{Answer, Visit},
};

/// It begins.
pub(super) const AUTHORIZE_BEGINS: Check = Check {
    id: "authorize-begins",
    area: Area::Access,
    title: "An authorization request in good order is taken",
    why: "This is what a teammate's browser opens. If it is refused, nobody gets to sign in.",
    standard: "RFC 6749 §4.1.1",
    mend: "Read what the page or the server's log says of the request: a redirect URI that is not allowed, a scope or a \
           resource that is not known.",
};

/// Somebody acts.
pub(super) const AUTHORIZE_PERSON: Check = Check {
    id: "authorize-person",
    area: Area::Access,
    title: "There is no code before somebody has signed in",
    why: "An authorization server that gives a code to whoever asks lets everybody in who can register, and that is \
          everybody: the endpoint is as open as without it.",
    standard: "RFC 6749 §3.1, §4.1",
    mend: "Put a page of sign-in and consent before the code. Providers that SDKs bring for tests and demonstrations \
           have none; take an identity provider in their place.",
};

/// No answer to strangers.
pub(super) const AUTHORIZE_UNKNOWN_CLIENT: Check = Check {
    id: "authorize-unknown-client",
    area: Area::Access,
    title: "An unknown client gets no redirect",
    why: "A redirect to an address that nobody registered makes the server an open redirector: its good name leads \
          people to a stranger's page.",
    standard: "RFC 6749 §4.1.2.1, RFC 9700 §4.11.2",
    mend: "Show an error page where the client id is not known, and never redirect.",
};

/// Nor to other addresses.
pub(super) const AUTHORIZE_REDIRECT_URI: Check = Check {
    id: "authorize-redirect-uri",
    area: Area::Access,
    title: "A redirect URI that was not registered gets no redirect",
    why: "Whoever can choose where the answer goes gets the code, and with it the teammate's access.",
    standard: "RFC 6749 §3.1.2.4, RFC 9700 §4.1.3",
    mend: "Compare redirect_uri with the registered ones character by character, and show an error page where it is \
           none of them.",
};

/// PKCE is not an offer.
pub(super) const AUTHORIZE_PKCE: Check = Check {
    id: "authorize-pkce",
    area: Area::Access,
    title: "An authorization request without PKCE is refused",
    why: "Where PKCE can be left out, a code that was stolen on its way can be used by the thief.",
    standard: "OAuth 2.1 (draft) §4.1.1, RFC 9700 §2.1.1",
    mend: "Refuse requests without code_challenge with invalid_request.",
};

/// `plain` is none.
pub(super) const AUTHORIZE_PLAIN: Check = Check {
    id: "authorize-plain",
    area: Area::Access,
    title: "PKCE with the method `plain` is refused",
    why: "With `plain` the request itself holds what is to be proven; whoever saw it can use the code.",
    standard: "RFC 7636 §4.4.1, §7.2, RFC 9700 §2.1.1",
    mend: "Take code_challenge_method=S256 alone; a missing method means plain.",
};

/// No frames.
pub(super) const AUTHORIZE_FRAMING: Check = Check {
    id: "authorize-framing",
    area: Area::Access,
    title: "Sign-in and consent cannot be framed",
    why: "In a stranger's frame a teammate can be made to press Allow without seeing it.",
    standard: "RFC 9700 §4.16, CSP Level 3 §6.4.2",
    mend: "Send Content-Security-Policy: frame-ancestors 'none' (or X-Frame-Options: DENY) with every page of sign-in \
           and consent.",
};

/// Cookies of sign-in.
pub(super) const AUTHORIZE_COOKIES: Check = Check {
    id: "authorize-cookies",
    area: Area::Access,
    title: "Cookies of the sign-in are Secure, HttpOnly and SameSite",
    why: "A cookie without them can be read by scripts, sent over plain http, or used by other sites in a teammate's \
          name.",
    standard: "RFC 6265 §4.1.2.5, §4.1.2.6, RFC 9700 §4.7",
    mend: "Set Secure, HttpOnly and SameSite=Lax (or Strict) on every cookie of the sign-in.",
};

/// Documents that are not there.
pub(super) const AUTHORIZE_METADATA_DOCUMENT: Check = Check {
    id: "authorize-metadata-document",
    area: Area::Access,
    title: "A client whose metadata document cannot be had gets no redirect",
    why: "The document is what says which redirect URIs are the client's. Without it any address would get the code.",
    standard: "OAuth Client ID Metadata Document (draft) §4.1, §6",
    mend: "Fetch the document before anything is shown, and show an error page where it cannot be fetched.",
};

/// Where nobody can register anything.
const STRANGER: &str = "https://stranger.invalid/callback";
/// The document of a client that nobody can fetch.
const NO_DOCUMENT: &str = "https://stranger.invalid/oauth/client.json";
/// How many pages are opened on the way to the first that people see.
const PAGES: usize = 4;

/// An authorization request (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1) in the making.
#[derive(Debug, Clone)]
pub(super) struct AuthorizationRequest {
    parameters: Vec<(&'static str, String)>,
}

impl AuthorizationRequest {
    /// In good order.
    pub(super) fn of(client: &Client, state: &str, verifier: &Secret, resource: &str) -> Self {
        let parameters = vec![
            ("response_type", "code".to_owned()),
            ("client_id", client.id.clone()),
            ("redirect_uri", client.redirect_uri.clone()),
            ("state", state.to_owned()),
            ("code_challenge", challenge(verifier)),
            ("code_challenge_method", "S256".to_owned()),
            ("resource", resource.to_owned()),
        ];
        Self { parameters }
    }

    /// With another value, or one more.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.retain(|(other, _)| *other != name);
        self.parameters.push((name, value.into()));
        self
    }

    fn without(mut self, names: &[&str]) -> Self {
        self.parameters.retain(|(name, _)| !names.contains(name));
        self
    }

    pub(super) fn url(&self, server: &Server) -> Url {
        let mut url = server.authorization.clone();
        url.query_pairs_mut().extend_pairs(&self.parameters);
        url
    }
}

/// `S256` of a verifier (RFC 7636 §4.2).
fn challenge(verifier: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.expose().as_bytes()))
}

/// A new verifier, and the code that it will be needed for.
pub(super) fn verifier(visit: &mut Visit<'_>) -> Secret {
    let verifier = Secret::new(client::random(&*visit.surroundings().randomness));
    visit.keep_secret(&verifier);
    verifier
}

/// What came back with the answer of the authorization endpoint: the code with its verifier.
pub(super) fn code(visit: &mut Visit<'_>, back: &Url, verifier: Secret) -> Option<Code> {
    let code = Secret::new(parameter(back, "code")?);
    visit.keep_secret(&code);
    Some(Code { code, verifier })
}

/// A parameter of a URL's query.
pub(super) fn parameter(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
}

/// Where a request leads.
enum Led {
    /// To a page, or a refusal, there.
    Page(Answer),
    /// To the redirect URI of the request, with this error, if it is one.
    Back(Answer, Option<String>),
    /// On to another page.
    On(Answer, Url),
    /// Nowhere.
    Nowhere(String, usize),
}

impl Led {
    const fn exchange(&self) -> usize {
        match self {
            Self::Page(answer) | Self::Back(answer, _) | Self::On(answer, _) => answer.exchange,
            Self::Nowhere(_, exchange) => *exchange,
        }
    }

    /// Whether somebody may go on with it.
    fn goes_on(&self) -> bool {
        match self {
            Self::Page(answer) => answer.received.status.is_success(),
            Self::Back(_, error) => error.is_none(),
            Self::On(..) => true,
            Self::Nowhere(..) => false,
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Page(answer) => answer.received.status.as_u16().to_string(),
            Self::Back(_, Some(error)) => format!("a redirect to the client with the error {error}"),
            Self::Back(_, None) => "a redirect to the client".to_owned(),
            Self::On(_, to) => format!("a redirect to {}", to.path()),
            Self::Nowhere(why, _) => format!("no answer ({why})"),
        }
    }
}

async fn open(visit: &mut Visit<'_>, server: &Server, request: &AuthorizationRequest) -> Led {
    let answer = match visit.send(page_request(request.url(server))).await {
        Ok(answer) => answer,
        Err(none) => return Led::Nowhere(none.error.to_string(), none.exchange),
    };
    let Some(to) = location(&answer) else { return Led::Page(answer) };
    let redirect_uri = request.parameters.iter().find(|(name, _)| *name == "redirect_uri");
    if redirect_uri.is_some_and(|(_, uri)| is_at(uri, &to)) {
        let error = parameter(&to, "error");
        return Led::Back(answer, error);
    }
    Led::On(answer, to)
}

/// Whether this leads to the redirect URI, whatever its query is.
fn is_at(redirect_uri: &str, to: &Url) -> bool {
    Url::parse(redirect_uri).is_ok_and(|uri| uri.origin() == to.origin() && uri.path() == to.path())
}

fn page_request(url: Url) -> Request {
    let mut request = Request::get(url);
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("text/html,application/xhtml+xml,*/*;q=0.8"));
    request
}

fn location(answer: &Answer) -> Option<Url> {
    let to = answer.received.headers.get(header::LOCATION).filter(|_| answer.received.status.is_redirection())?;
    answer.received.url.join(to.to_str().ok()?).ok()
}

/// Looks at all that can be seen without a person.
pub(super) async fn examine(visit: &mut Visit<'_>, server: &Server, client: &Client, resource: &str) {
    let verifier = verifier(visit);
    let good = AuthorizationRequest::of(client, "doctor", &verifier, resource);
    let led = open(visit, server, &good).await;
    let begins = led.goes_on();
    if begins {
        visit.passed(&AUTHORIZE_BEGINS, led.shown());
    } else {
        let seen = format!("A request with the redirect URI {} had {}.", client.redirect_uri, led.shown());
        visit.failed(&AUTHORIZE_BEGINS, seen, [led.exchange()]);
    }
    judge_open_redirect(visit, server, &good).await;
    if begins {
        judge_pkce(visit, server, &good).await;
        judge_pages(visit, led, &client.redirect_uri).await;
    } else {
        let checks = [&AUTHORIZE_PERSON, &AUTHORIZE_PKCE, &AUTHORIZE_PLAIN, &AUTHORIZE_FRAMING, &AUTHORIZE_COOKIES];
        for check in checks {
            visit.skipped(check, "a request in good order is refused");
        }
    }
}

async fn judge_open_redirect(visit: &mut Visit<'_>, server: &Server, good: &AuthorizationRequest) {
    let stranger = format!("doctor-{}", client::random(&*visit.surroundings().randomness));
    let strange = good.clone().with("redirect_uri", STRANGER);
    let requests = [
        (&AUTHORIZE_UNKNOWN_CLIENT, Some(strange.clone().with("client_id", stranger))),
        (&AUTHORIZE_REDIRECT_URI, Some(strange.clone())),
        (&AUTHORIZE_METADATA_DOCUMENT, server.takes_documents.then(|| strange.with("client_id", NO_DOCUMENT))),
    ];
    for (check, request) in requests {
        let Some(request) = request else {
            visit.skipped(check, "client metadata documents are not offered");
            continue;
        };
        let led = open(visit, server, &request).await;
        match &led {
            Led::Back(..) => {
                let seen = format!("It was {} at {STRANGER}.", led.shown());
                visit.failed(check, seen, [led.exchange()]);
            }
            Led::Page(answer) if answer.received.status.is_server_error() => {
                visit.warning(
                    check,
                    format!("It had {}, where a page with a 4xx is expected.", led.shown()),
                    [led.exchange()],
                );
            }
            Led::Nowhere(..) => visit.skipped(check, led.shown()),
            Led::Page(_) | Led::On(..) => visit.passed(check, led.shown()),
        }
    }
}

async fn judge_pkce(visit: &mut Visit<'_>, server: &Server, good: &AuthorizationRequest) {
    let plain = client::random(&*visit.surroundings().randomness);
    let requests = [
        (&AUTHORIZE_PKCE, good.clone().without(&["code_challenge", "code_challenge_method"]), "without code_challenge"),
        (
            &AUTHORIZE_PLAIN,
            good.clone().with("code_challenge", plain).with("code_challenge_method", "plain"),
            "with code_challenge_method=plain",
        ),
    ];
    for (check, request, how) in requests {
        let led = open(visit, server, &request).await;
        if led.goes_on() {
            let seen = format!("A request {how} had {}, as one in good order.", led.shown());
            visit.warning(check, seen, [led.exchange()]);
        } else if let Led::Nowhere(..) = led {
            visit.skipped(check, led.shown());
        } else {
            visit.passed(check, led.shown());
        }
    }
}

/// Goes on to the page that people see, as far as it is the same host's, and looks whether there is one, and how it
/// is protected.
async fn judge_pages(visit: &mut Visit<'_>, led: Led, redirect_uri: &str) {
    let (Led::Page(mut answer) | Led::On(mut answer, _) | Led::Back(mut answer, _)) = led else { return };
    let origin = answer.received.url.origin();
    let mut cookies = Cookies::default();
    cookies.take(&answer);
    for _ in 0..PAGES {
        let Some(to) = location(&answer).filter(|to| to.origin() == origin) else { break };
        let mut request = page_request(to);
        if let Some(sent) = cookies.sent() {
            // A cookie that cannot be sent back is not sent back.
            let _ = request.set_secret_header(header::COOKIE, &sent);
        }
        let Ok(next) = visit.send(request).await else { break };
        answer = next;
        cookies.take(&answer);
    }
    let exchange = answer.exchange;
    cookies.judge(visit, answer.received.url.scheme() == "https");
    let on = location(&answer);
    let back = on.as_ref().filter(|to| is_at(redirect_uri, to));
    if back.is_some_and(|to| parameter(to, "code").is_some()) {
        let seen = "A client that had just registered was given a code, and nobody had signed in.";
        visit.failed(&AUTHORIZE_PERSON, seen, [exchange]);
        visit.skipped(&AUTHORIZE_FRAMING, "there is no page before the code");
        return;
    }
    visit.passed(&AUTHORIZE_PERSON, None);
    let is_page = answer.received.media_type().is_some_and(|media_type| media_type == "text/html");
    if on.is_some() || !is_page {
        visit.skipped(&AUTHORIZE_FRAMING, "people sign in at another host, which is not looked at");
    } else if is_protected(&answer.received.headers) {
        visit.passed(&AUTHORIZE_FRAMING, None);
    } else {
        let seen = format!("{} has neither frame-ancestors nor X-Frame-Options.", answer.received.url.path());
        visit.warning(&AUTHORIZE_FRAMING, seen, [exchange]);
    }
}

/// By frame-ancestors, which counts where both are there, or else by X-Frame-Options (CSP Level 3 §6.4.2).
fn is_protected(headers: &HeaderMap) -> bool {
    let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let policies = texts(header::CONTENT_SECURITY_POLICY).flat_map(|header| header.split([';', ',']));
    let mut by_policy = policies.filter_map(|directive| {
        let (name, sources) = directive.trim().split_once(' ').unwrap_or((directive.trim(), ""));
        let is_anybody = |source: &str| matches!(source, "*" | "http:" | "https:");
        name.eq_ignore_ascii_case("frame-ancestors").then(|| !sources.split_ascii_whitespace().any(is_anybody))
    });
    let is_known = |value: &str| ["deny", "sameorigin"].contains(&value.trim().to_ascii_lowercase().as_str());
    by_policy.next().map_or_else(
        || texts(header::X_FRAME_OPTIONS).any(is_known),
        |first| first || by_policy.any(|is_protecting| is_protecting),
    )
}

/// The cookies that were set on the way.
#[derive(Default)]
struct Cookies {
    set: Vec<(String, usize)>,
}

impl Cookies {
    fn take(&mut self, answer: &Answer) {
        let values = answer.received.headers.get_all(header::SET_COOKIE).iter();
        let texts = values.filter_map(|value| value.to_str().ok());
        self.set.extend(texts.map(|text| (text.to_owned(), answer.exchange)));
    }

    fn sent(&self) -> Option<Secret> {
        let pairs: Vec<_> = self.set.iter().filter_map(|(cookie, _)| cookie.split(';').next()).collect();
        (!pairs.is_empty()).then(|| Secret::new(pairs.join("; ")))
    }

    fn judge(&self, visit: &mut Visit<'_>, encrypted: bool) {
        for (cookie, exchange) in &self.set {
            let name = cookie.split('=').next().unwrap_or_default().trim();
            let attributes: Vec<_> = cookie.split(';').skip(1).map(|part| part.trim().to_ascii_lowercase()).collect();
            let has = |attribute: &str| {
                attributes.iter().any(|one| one == attribute || one.starts_with(&format!("{attribute}=")))
            };
            let wanted = [("secure", encrypted), ("httponly", true), ("samesite", true)];
            let missing: Vec<_> = wanted
                .into_iter()
                .filter(|(attribute, wanted)| *wanted && !has(attribute))
                .map(|(name, _)| name)
                .collect();
            if !missing.is_empty() {
                let seen = format!("The cookie {name} is set without {}.", missing.join(", "));
                visit.warning(&AUTHORIZE_COOKIES, seen, [*exchange]);
            }
        }
        visit.passed(&AUTHORIZE_COOKIES, format!("{} set before anybody signed in", self.set.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_pages_out_of_frames() {
        let rows = [
            ("content-security-policy", "default-src 'self'; frame-ancestors 'none'", true),
            ("content-security-policy", "Frame-Ancestors 'self'", true),
            ("content-security-policy", "default-src 'self', frame-ancestors https://*.example.com", true),
            ("content-security-policy", "frame-ancestors", true),
            ("content-security-policy", "frame-ancestors *", false),
            ("content-security-policy", "frame-ancestors https:", false),
            ("content-security-policy", "default-src 'self'", false),
            ("x-frame-options", "SAMEORIGIN", true),
            ("x-frame-options", "ALLOWALL", false),
            ("x-other", "DENY", false),
        ];
        for (name, value, expected) in rows {
            let name = http::HeaderName::from_static(name);
            let headers = HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
            assert_eq!(is_protected(&headers), expected, "{value}");
        }
    }
}
