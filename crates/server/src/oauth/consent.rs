//! `POST /oauth/consent`: the teammate said what the client may do. The request that the form carries
//! is checked again from the start. The answer is a page here that goes on to the client: browsers
//! would apply a policy for forms to a redirect.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::{
    CsrfBinding, TraceEvent,
    issuer::{Approval, ApproveError},
    trace::{Fact, Step},
};
use bridgehead_core::ScopeSet;
use url::Url;

use super::{
    AuthorizationServer,
    authorize::{self, CONSENT, about},
    client_view,
};
use crate::{
    browser::{PostedForm, Visit},
    http::body,
    pages::{Answer, Fault, GoBack, View},
};

pub(super) async fn consent(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    let form = match PostedForm::read(&server, &visit, request).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let query = form.one("query").unwrap_or_default();
    let session = match server.session(&visit).await {
        Ok(Some(session)) => session,
        Ok(None) => return server.fault(&visit, Fault::SessionExpired { again: authorize::sign_in_first(query) }),
        Err(response) => return response,
    };
    let token = form.one("csrf").unwrap_or_default();
    if let Err(error) = server.csrf.check(token, &CsrfBinding::session(&session), &[CONSENT, query]) {
        tracing::warn!(%error, user = %session.user.address, "refused: a consent form without its token");
        return server.fault(&visit, Fault::FormExpired { again: authorize::again(query) });
    }
    let asked = match server.issuer.authorization_request(&body::pairs(query.as_bytes()), visit.from).await {
        Ok(asked) => asked,
        Err(error) => return authorize::refused(&server, &visit, query, &error),
    };
    let subject = session.user.address.as_str();
    let traced = visit.traced(&server);
    let (answer, redirect) = match form.one("decision") {
        Some("allow") => {
            let chosen = chosen(&form);
            let approval = Approval { subject, most: &session.user.scopes, chosen: &chosen };
            match server.issuer.approve(&asked, approval).await {
                Ok(redirect) => {
                    let event = TraceEvent::done(Step::Consent).with(Fact::Subject, subject);
                    traced.record(about(event, &asked));
                    (Answer::Allowed, redirect)
                }
                Err(error) => {
                    let event = TraceEvent::refused(Step::Consent, error.code(), &error.to_string());
                    traced.record(about(event, &asked));
                    return server.fault(&visit, not_approved(&error));
                }
            }
        }
        Some("deny") => {
            let event = TraceEvent::refused(Step::Consent, "access_denied", "The teammate pressed Deny.");
            traced.record(about(event.with(Fact::Subject, subject), &asked));
            (Answer::Denied, server.issuer.deny(&asked))
        }
        _ => {
            let detail = "The form does not say whether you allow it or not. Go back and press a button.".to_owned();
            return server.fault(&visit, Fault::BadRequest { detail });
        }
    };
    match Url::parse(redirect.location()) {
        Ok(redirect) => {
            let client = client_view::client(asked.client());
            GoBack { site: server.site.clone(), client, answer, redirect }.page().into_response()
        }
        // A redirect URI that is registered is a URL, and stays one with an answer behind it.
        Err(error) => {
            tracing::error!(%error, "a redirect URI with its answer is no URL");
            server.fault(&visit, Fault::Internal)
        }
    }
}

/// What was left ticked. Reading has no box: it is part of every grant.
fn chosen(form: &PostedForm) -> ScopeSet {
    let mut chosen = ScopeSet::default();
    for scope in form.all("scope").chain(["tools:read"]) {
        // One that is no scope was not offered either.
        let _ = chosen.insert(scope);
    }
    chosen
}

fn not_approved(error: &ApproveError) -> Fault {
    match error {
        ApproveError::NothingChosen | ApproveError::Subject => Fault::BadRequest { detail: error.to_string() },
        ApproveError::NoFreeId => Fault::Internal,
        ApproveError::Store(cause) => {
            tracing::error!(error = %cause, "what a teammate allowed could not be written down");
            Fault::Unavailable
        }
    }
}
