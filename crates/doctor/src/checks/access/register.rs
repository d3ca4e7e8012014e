//! Dynamic client registration (RFC 7591), as the platform does it. Whatever is registered here is taken away
//! again at the end.

use bridgehead_core::Secret;
use bridgehead_outbound::{Request, SendError};
use http::{HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value, json};
use url::Url;

use super::{
    client::{self, AuthMethod, Client},
    made::Made,
    resource::texts,
    server::Server,
};
use crate::{
    Area, Check, Profile,
    visit::{Answer, NoAnswer, Visit},
};

/// It works.
pub(super) const REGISTRATION_WORKS: Check = Check {
    id: "registration-works",
    area: Area::Access,
    title: "The platform can register",
    why: "A platform that finds a registration endpoint registers there when the connection is created. If it is \
          refused, there is no connection.",
    standard: "RFC 7591 §3.1, §3.2.1",
    mend: "Let the registration endpoint take the platform's redirect URI without a token, and answer 201. If clients \
           are to be registered by hand, leave registration_endpoint out of the metadata.",
};

/// What was registered.
pub(super) const REGISTRATION_ECHO: Check = Check {
    id: "registration-echo",
    area: Area::Access,
    title: "The answer to a registration says what was registered",
    why: "Clients go by the answer and not by what they sent; several refuse one without client_id or redirect_uris, \
          and one that was given another way to prove who it is fails at the token endpoint.",
    standard: "RFC 7591 §3.2.1",
    mend: "Answer with all metadata of the client as it was registered: client_id, redirect_uris as they were sent, \
           token_endpoint_auth_method, grant_types, response_types.",
};

/// Its own.
pub(super) const REGISTRATION_UNIQUE: Check = Check {
    id: "registration-unique",
    area: Area::Access,
    title: "Each registration has a client id of its own",
    why: "Where several share one, removing one registration cuts off all the others, and consent given to one counts \
          for all.",
    standard: "RFC 7591 §3.2.1",
    mend: "Make a new client id for each registration.",
};

/// Secrets and their end.
pub(super) const REGISTRATION_SECRET: Check = Check {
    id: "registration-secret",
    area: Area::Access,
    title: "A secret comes with its end, and only to clients that use one",
    why: "client_secret_expires_at is required with a secret; clients that check refuse the answer. A secret for a \
          client that registered with `none` makes clients send it, and servers refuse it.",
    standard: "RFC 7591 §3.2.1",
    mend: "Send client_secret_expires_at (0 for never) with every client_secret, and no secret together with \
           token_endpoint_auth_method none.",
};

/// How access goes on.
pub(super) const REGISTRATION_REFRESH_TOKEN: Check = Check {
    id: "registration-refresh-token",
    area: Area::Access,
    title: "A registered client may use refresh tokens",
    why: "ChatGPT refuses a registration whose grant_types has no refresh_token; with other clients teammates sign in \
          again whenever the access token expires.",
    standard: "RFC 7591 §2",
    mend: "Register the grant types that the client asked for, refresh_token among them, and say so in the answer.",
};

/// Where codes must not go.
pub(super) const REGISTRATION_REDIRECT_URIS: Check = Check {
    id: "registration-redirect-uris",
    area: Area::Access,
    title: "Redirect URIs that endanger teammates are refused",
    why: "A code that is sent to javascript:, to plain http on the network, or behind a fragment can be read by others, \
          or runs a stranger's script on the authorization server's page.",
    standard: "RFC 6749 §3.1.2, RFC 9700 §4.1.3, OAuth 2.1 (draft) §2.3.1",
    mend: "Refuse with invalid_redirect_uri whatever is not https, a loopback address, or a known scheme of an \
           application, also when it stands among good ones; refuse fragments.",
};

/// By its owner alone.
pub(super) const REGISTRATION_MANAGEMENT: Check = Check {
    id: "registration-management",
    area: Area::Access,
    title: "A registration is read with its own token, and with no other",
    why: "The URL of a registration that opens to anybody lets strangers read or remove the connection of a platform; \
          one that opens to nobody leaves dead registrations behind.",
    standard: "RFC 7592 §2.1, §3",
    mend: "Check the registration access token on registration_client_uri, for GET and DELETE, or leave both members \
           out of the answer.",
};

/// All checks of registration itself.
pub(super) const CHECKS: [&Check; 7] = [
    &REGISTRATION_WORKS,
    &REGISTRATION_ECHO,
    &REGISTRATION_UNIQUE,
    &REGISTRATION_SECRET,
    &REGISTRATION_REFRESH_TOKEN,
    &REGISTRATION_REDIRECT_URIS,
    &REGISTRATION_MANAGEMENT,
];

/// Redirect URIs that nobody should register, and whether one means that people are in danger now.
const BAD: [(&str, bool); 3] = [
    ("javascript:alert(document.domain)", true),
    ("https://client.example/callback#fragment", false),
    ("http://client.example/callback", false),
];

/// The clients that the doctor goes on with.
#[derive(Debug)]
pub(super) struct Clients {
    /// As the platform would be: with its redirect URI.
    pub(super) platform: Client,
    /// With the redirect URI at which the doctor waits.
    pub(super) own: Client,
}

/// Registers, and judges.
pub(super) async fn examine(
    visit: &mut Visit<'_>,
    server: &Server,
    scope: Option<&str>,
    made: &mut Made,
) -> Option<Clients> {
    let Some(url) = &server.registration else {
        for check in CHECKS {
            visit.skipped(check, "clients are registered by hand here");
        }
        return None;
    };
    let own = visit.surroundings().sign_in.as_ref().map(|sign_in| sign_in.redirect_uri().to_string());
    let platform = visit.target().profile.redirect_uri().map(str::to_owned).or_else(|| own.clone());
    let platform = platform.unwrap_or_else(|| "http://127.0.0.1/callback".to_owned());
    let own = own.unwrap_or_else(|| platform.clone());
    let method = public_first(server);
    let first = Registration::new(url, &platform, method, scope);
    let Some(first) = first.send(visit, made).await else {
        for check in &CHECKS[1..] {
            visit.skipped(check, "nobody can register");
        }
        return None;
    };
    judge_answer(visit, &first, &platform, method);
    let second = Registration::new(url, &own, method, scope).send(visit, made).await;
    let with_secret = Registration::new(url, &platform, secret_first(server), scope).send(visit, made).await;
    judge_unique(visit, &first, second.as_ref());
    judge_secrets(visit, [Some(&first), second.as_ref(), with_secret.as_ref()]);
    judge_management(visit, &first).await;
    judge_redirect_uris(visit, url, &platform, made).await;
    let own = second.map_or_else(|| first.client.clone(), |second| second.client);
    Some(Clients { platform: first.client, own })
}

/// Without a secret where that can be, as most platforms do.
fn public_first(server: &Server) -> AuthMethod {
    let offered = |method: AuthMethod| server.auth_methods.iter().any(|name| name == method.as_str());
    let order = [AuthMethod::None, AuthMethod::SecretPost, AuthMethod::SecretBasic];
    order.into_iter().find(|method| offered(*method)).unwrap_or(AuthMethod::None)
}

fn secret_first(server: &Server) -> AuthMethod {
    let offered = |method: AuthMethod| server.auth_methods.iter().any(|name| name == method.as_str());
    let order = [AuthMethod::SecretBasic, AuthMethod::SecretPost];
    order.into_iter().find(|method| offered(*method)).unwrap_or(AuthMethod::None)
}

/// A registration that is asked for.
struct Registration<'r> {
    url: &'r Url,
    redirect_uris: Vec<&'r str>,
    method: AuthMethod,
    scope: Option<&'r str>,
}

/// One that was given.
struct Registered {
    client: Client,
    document: Map<String, Value>,
    answer: Answer,
}

impl<'r> Registration<'r> {
    fn new(url: &'r Url, redirect_uri: &'r str, method: AuthMethod, scope: Option<&'r str>) -> Self {
        Self { url, redirect_uris: vec![redirect_uri], method, scope }
    }

    fn request(&self) -> Request {
        let mut metadata = json!({
            "client_name": "Bridgehead doctor",
            "redirect_uris": self.redirect_uris,
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "token_endpoint_auth_method": self.method.as_str(),
        });
        if let (Some(scope), Some(object)) = (self.scope, metadata.as_object_mut()) {
            object.insert("scope".to_owned(), scope.into());
        }
        let mut request = Request::new(Method::POST, self.url.clone());
        request.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        request.body = metadata.to_string().into_bytes().into();
        request
    }

    /// Registers, and judges whether that went well.
    async fn send(&self, visit: &mut Visit<'_>, made: &mut Made) -> Option<Registered> {
        let answer = visit.send(self.request()).await;
        let shown = client::shown(&answer);
        let exchange = client::exchange(&answer);
        let registered = self.registered(visit, answer, made);
        let Some(registered) = registered else {
            let seen =
                format!("A client with the redirect URI {} was answered {shown}.", self.redirect_uris.join(", "));
            visit.failed(&REGISTRATION_WORKS, seen, [exchange]);
            return None;
        };
        if registered.answer.received.status.as_u16() == 201 {
            visit.passed(&REGISTRATION_WORKS, "201".to_owned());
        } else {
            let seen = format!("A registration was answered {shown}; 201 is expected.");
            visit.warning(&REGISTRATION_WORKS, seen, [exchange]);
        }
        Some(registered)
    }

    /// What was registered, where it was; it is taken away again.
    fn registered(
        &self,
        visit: &mut Visit<'_>,
        answer: Result<Answer, NoAnswer>,
        made: &mut Made,
    ) -> Option<Registered> {
        let answer = match answer {
            Ok(answer) if answer.received.status.is_success() => answer,
            Ok(_) | Err(NoAnswer { error: SendError::NotSent(_), .. }) => return None,
            Err(NoAnswer { error: SendError::MaybeSent(_), .. }) => {
                made.unknown_client(self.url);
                return None;
            }
        };
        let registered = self.read(visit, answer);
        match &registered {
            Some(registered) => made.client(registered.client.clone()),
            None => made.unknown_client(self.url),
        }
        registered
    }

    fn read(&self, visit: &mut Visit<'_>, answer: Answer) -> Option<Registered> {
        let document = client::document(&answer)?;
        let text = |member: &str| document.get(member).and_then(Value::as_str).map(str::to_owned);
        let secret = text("client_secret").map(Secret::new);
        let token = text("registration_access_token").map(Secret::new);
        for secret in secret.iter().chain(&token) {
            visit.keep_secret(secret);
        }
        let uri = text("registration_client_uri").and_then(|uri| Url::parse(&uri).ok());
        // The token goes nowhere but to whoever gave it.
        let uri = uri.filter(|uri| uri.origin() == self.url.origin());
        let method = text("token_endpoint_auth_method").and_then(|name| AuthMethod::parse(&name));
        let client = Client {
            id: text("client_id").filter(|id| !id.is_empty())?,
            method: method.unwrap_or(self.method),
            secret,
            redirect_uri: self.redirect_uris.first().copied().unwrap_or_default().to_owned(),
            management: uri.zip(token),
        };
        Some(Registered { client, document, answer })
    }
}

fn judge_answer(visit: &mut Visit<'_>, registered: &Registered, redirect_uri: &str, method: AuthMethod) {
    let (document, exchange) = (&registered.document, registered.answer.exchange);
    let redirect_uris = texts(document, "redirect_uris");
    let named = document.get("token_endpoint_auth_method").and_then(Value::as_str);
    if redirect_uris != [redirect_uri] {
        let seen = format!("redirect_uris is {}, and {redirect_uri} was sent.", redirect_uris.join(", "));
        visit.failed(&REGISTRATION_ECHO, seen, [exchange]);
    } else if named != Some(method.as_str()) {
        let named = named.unwrap_or("left out");
        let seen = format!("token_endpoint_auth_method is {named}, and {} was sent.", method.as_str());
        visit.warning(&REGISTRATION_ECHO, seen, [exchange]);
    } else {
        visit.passed(&REGISTRATION_ECHO, None);
    }
    let grant_types = texts(document, "grant_types");
    if grant_types.iter().any(|grant| grant == "refresh_token") {
        visit.passed(&REGISTRATION_REFRESH_TOKEN, None);
    } else {
        let named = if grant_types.is_empty() { "nothing".to_owned() } else { grant_types.join(", ") };
        let seen = format!("grant_types of the answer names {named}, and refresh_token was asked for.");
        if visit.target().profile == Profile::ChatGpt {
            visit.failed(&REGISTRATION_REFRESH_TOKEN, seen, [exchange]);
        } else {
            visit.warning(&REGISTRATION_REFRESH_TOKEN, seen, [exchange]);
        }
    }
}

fn judge_unique(visit: &mut Visit<'_>, first: &Registered, second: Option<&Registered>) {
    let Some(second) = second else {
        visit.skipped(&REGISTRATION_UNIQUE, "there is one registration alone");
        return;
    };
    if first.client.id == second.client.id {
        let seen = format!("Two registrations have the client id {}.", first.client.id);
        visit.warning(&REGISTRATION_UNIQUE, seen, [first.answer.exchange, second.answer.exchange]);
    } else {
        visit.passed(&REGISTRATION_UNIQUE, None);
    }
}

fn judge_secrets(visit: &mut Visit<'_>, all: [Option<&Registered>; 3]) {
    for registered in all.into_iter().flatten() {
        let exchange = registered.answer.exchange;
        let has_end = registered.document.get("client_secret_expires_at").is_some_and(Value::is_number);
        let wrong = match (registered.client.method, &registered.client.secret) {
            (AuthMethod::None, Some(_)) => Some("A client that registered with `none` was given a secret."),
            (AuthMethod::SecretBasic | AuthMethod::SecretPost, None) => {
                Some("A client that is to prove who it is by a secret was given none.")
            }
            (_, Some(_)) if !has_end => Some("A secret came without client_secret_expires_at."),
            _ => None,
        };
        if let Some(seen) = wrong {
            visit.warning(&REGISTRATION_SECRET, seen, [exchange]);
        }
    }
    visit.passed(&REGISTRATION_SECRET, None);
}

async fn judge_management(visit: &mut Visit<'_>, registered: &Registered) {
    let offered = registered.document.get("registration_client_uri");
    let Some((uri, token)) = &registered.client.management else {
        match offered {
            None => visit.skipped(&REGISTRATION_MANAGEMENT, "registrations are not managed here"),
            Some(uri) => {
                let seen = format!(
                    "registration_client_uri is {uri}, which is not of the registration endpoint's origin, or has no token."
                );
                visit.warning(&REGISTRATION_MANAGEMENT, seen, [registered.answer.exchange]);
            }
        }
        return;
    };
    let made_up = Secret::new(client::random(&*visit.surroundings().randomness));
    let own = visit.send(with_token(Method::GET, uri, token)).await;
    let other = visit.send(with_token(Method::GET, uri, &made_up)).await;
    if !own.as_ref().is_ok_and(|answer| answer.received.status.is_success()) {
        let seen = format!("A registration asked for with its own token was answered {}.", client::shown(&own));
        visit.warning(&REGISTRATION_MANAGEMENT, seen, [client::exchange(&own)]);
    } else if other.as_ref().is_ok_and(|answer| answer.received.status.is_success()) {
        let seen = "A registration was shown to somebody with a made-up token.";
        visit.failed(&REGISTRATION_MANAGEMENT, seen, [client::exchange(&other)]);
    } else {
        visit.passed(&REGISTRATION_MANAGEMENT, None);
    }
}

/// A request to a registration with its token.
pub(super) fn with_token(method: Method, uri: &Url, token: &Secret) -> Request {
    let mut request = Request::new(method, uri.clone());
    request.headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    // A token with a character that no header may have is sent as none, and refused.
    let _ = request.set_secret_header(header::AUTHORIZATION, &Secret::new(format!("Bearer {}", token.expose())));
    request
}

async fn judge_redirect_uris(visit: &mut Visit<'_>, url: &Url, good: &str, made: &mut Made) {
    let mut looked = false;
    for (bad, dangerous) in BAD {
        let registration = Registration { url, redirect_uris: vec![good, bad], method: AuthMethod::None, scope: None };
        let answer = visit.send(registration.request()).await;
        let exchange = client::exchange(&answer);
        // A server that is in trouble, or has had enough, refuses nothing.
        let refused = |answer: &Answer| answer.received.status.is_client_error() && !is_too_much(answer);
        looked |= answer.as_ref().is_ok_and(|answer| answer.received.status.is_success() || refused(answer));
        let Some(registered) = registration.registered(visit, answer, made) else { continue };
        if texts(&registered.document, "redirect_uris").iter().any(|uri| uri == bad) {
            let seen = format!("{bad} was registered as a redirect URI.");
            if dangerous {
                visit.failed(&REGISTRATION_REDIRECT_URIS, seen, [exchange]);
            } else {
                visit.warning(&REGISTRATION_REDIRECT_URIS, seen, [exchange]);
            }
        }
    }
    if looked {
        visit.passed(&REGISTRATION_REDIRECT_URIS, None);
    } else {
        visit.skipped(&REGISTRATION_REDIRECT_URIS, "no registration of one was answered");
    }
}

fn is_too_much(answer: &Answer) -> bool {
    answer.received.status == StatusCode::TOO_MANY_REQUESTS
}
