//! `/login`: a teammate signs in with mail address and password, or at an identity provider, and goes on
//! to where they were headed. Whether the two belong together is [`bridgehead_auth::Users`]'s to say.

mod elsewhere;
mod link;

pub(crate) use elsewhere::sign_out;
pub(crate) use link::shown;

use axum::{
    Router,
    extract::{Request, State},
    response::{IntoResponse, Response},
    routing::get,
};
use bridgehead_auth::{
    SignedIn, TraceEvent,
    issuer::AuthorizationRequest,
    trace::{Fact, Step},
    users::{BeginError, Credentials, SignInError},
};
use http::header;

use crate::{
    browser::{self, PostedForm, Visit},
    http::body,
    oauth::{self, AuthorizationServer},
    pages::{self, Fault, LocalPath, SignInFault, SignInNotice, View, paths},
};

/// In the query of the sign-in page: the teammate has just signed out.
pub(crate) const SIGNED_OUT: &str = "signed-out";

pub(crate) fn routes() -> Router<AuthorizationServer> {
    Router::new()
        .route(paths::SIGN_IN, get(form).post(sign_in))
        .route(paths::LINK, get(link::form).post(link::choose_password))
        .route(elsewhere::CALLBACK, get(elsewhere::arrive))
}

async fn form(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let next = query.iter().find(|(name, _)| name == "next").and_then(|(_, path)| LocalPath::parse(path));
    let session = match server.session(&visit).await {
        Ok(session) => session,
        Err(response) => return response,
    };
    // A cookie that is there and good for nothing: the session came to its end.
    let ended = session.is_none() && server.cookie.read(&visit.headers).is_some_and(|value| !value.is_empty());
    let notice = match () {
        () if query.iter().any(|(name, _)| name == SIGNED_OUT) => Some(SignInNotice::SignedOut),
        () if ended => Some(SignInNotice::SessionEnded),
        () => None,
    };
    let asked = oauth::asked_by(&server, next.as_ref(), &visit).await;
    if let Some(provider) = &server.provider {
        return elsewhere::page(&server, provider, next, asked.as_ref(), notice);
    }
    let mail = asked.as_ref().and_then(AuthorizationRequest::login_hint).unwrap_or_default().to_owned();
    page(&server, Attempt { next, asked: asked.as_ref(), mail, fault: None, notice })
}

/// What the sign-in page shows.
struct Attempt<'a> {
    next: Option<LocalPath>,
    asked: Option<&'a AuthorizationRequest>,
    mail: String,
    fault: Option<SignInFault>,
    notice: Option<SignInNotice>,
}

fn page(server: &AuthorizationServer, attempt: Attempt<'_>) -> Response {
    let Attempt { next, asked, mail, fault, notice } = attempt;
    let connecting = asked.map(|asked| (oauth::client(asked.client()), oauth::destination(asked)));
    pages::SignIn { site: server.site.clone(), next, connecting, mail, fault, notice }.page().into_response()
}

async fn sign_in(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let form = match PostedForm::read(&server, &visit, request).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    if let Some(provider) = &server.provider {
        return elsewhere::depart(&server, provider, &visit, &form).await;
    }
    let next = form.one("next").and_then(LocalPath::parse);
    let mail = form.one("mail").unwrap_or_default();
    let password = form.password("password");
    let asked = oauth::asked_by(&server, next.as_ref(), &visit).await;
    let credentials = Credentials { address: mail, password: &password, from: visit.from };
    match server.users.sign_in(&credentials).await {
        Ok(signed_in) => {
            let event = TraceEvent::done(Step::SignIn).with(Fact::Subject, signed_in.user().address.as_str());
            note(&server, &visit, event, asked.as_ref());
            begin(&server, &visit, signed_in, &next.unwrap_or_else(LocalPath::account)).await
        }
        Err(error) => {
            // Not what was typed: it may be a password in the wrong field.
            let (code, from) = (error.code(), visit.from);
            tracing::warn!(target: "audit", event = "sign_in_refused", code, %from, "nobody was signed in");
            let event = TraceEvent::refused(Step::SignIn, error.code(), &error.to_string());
            note(&server, &visit, event, asked.as_ref());
            let fault = match error {
                SignInError::Refused => SignInFault::Refused,
                SignInError::TooMany { retry_after } => SignInFault::TooMany { wait: server.wait(retry_after) },
                SignInError::Busy { .. } => SignInFault::Busy,
                SignInError::Store(error) => {
                    tracing::error!(%error, "nobody can be signed in");
                    return server.fault(&visit, Fault::Unavailable);
                }
            };
            let mail = mail.to_owned();
            page(&server, Attempt { next, asked: asked.as_ref(), mail, fault: Some(fault), notice: None })
        }
    }
}

/// Signing in is a step of connecting where a client waits for it.
fn note(server: &AuthorizationServer, visit: &Visit, event: TraceEvent, asked: Option<&AuthorizationRequest>) {
    if let Some(asked) = asked {
        visit.traced(server).record(oauth::about(event, asked));
    }
}

/// Begins a session, always a new one: what the browser brought along may be known to somebody else.
pub(crate) async fn begin(
    server: &AuthorizationServer,
    visit: &Visit,
    signed_in: SignedIn,
    next: &LocalPath,
) -> Response {
    if let Ok(Some(old)) = server.session(visit).await
        && let Err(error) = server.sessions.end(&old).await
    {
        tracing::warn!(%error, "a browser's old session was not ended");
    }
    match server.sessions.begin(signed_in).await {
        Ok((session, cookie)) => {
            tracing::info!(
                target: "audit", event = "signed_in", subject = %session.user.address, session = %session.id,
                from = %visit.from, "a teammate signed in"
            );
            let seconds = session.expires_at.as_second().saturating_sub(session.created_at.as_second());
            let mut response = browser::see_other(next);
            if let Some(cookie) = server.cookie.set(&cookie, seconds) {
                response.headers_mut().insert(header::SET_COOKIE, cookie);
            }
            response
        }
        Err(BeginError::Refused) => {
            server.fault(visit, Fault::SessionExpired { again: browser::local(paths::SIGN_IN) })
        }
        Err(BeginError::Store(error)) => {
            tracing::error!(%error, "no session could be begun");
            server.fault(visit, Fault::Unavailable)
        }
    }
}
