//! `/login/link?token=…`: one-time links, by which somebody chooses their password, and the first
//! administrator introduces themselves. The token stands in the query, since the access log names
//! paths. Looking at a link never uses it up.

use axum::{
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use bridgehead_auth::users::{
    self, AddUserError, LONGEST_PASSWORD, LinkFault, LinkPurpose, NewAdministrator, OpenLink, RedeemError,
    SHORTEST_PASSWORD,
};
use bridgehead_core::Secret;

use crate::{
    browser::{PostedForm, Visit},
    http::body,
    oauth::AuthorizationServer,
    pages::{self, Fault, LinkGone, LinkState, LocalPath, PasswordFault, SetPassword, View},
};

pub(super) async fn form(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    if server.provider.is_some() {
        return server.fault(&visit, Fault::NotFound);
    }
    let query = body::pairs(request.uri().query().unwrap_or_default().as_bytes());
    let token = query.into_iter().find(|(name, _)| name == "token").map(|(_, token)| token).unwrap_or_default();
    match server.users.look_at_link(&token).await {
        Ok(link) => page(&server, &link, token, Typed::default()),
        Err(fault) => gone(&server, &visit, &fault),
    }
}

/// What was typed, and what was wrong with it.
#[derive(Default)]
struct Typed {
    mail: Option<String>,
    mail_fault: Option<String>,
    fault: Option<PasswordFault>,
}

fn page(server: &AuthorizationServer, link: &OpenLink, token: String, typed: Typed) -> Response {
    let purpose = match link.purpose {
        LinkPurpose::Invitation(_) => pages::LinkPurpose::Invitation,
        LinkPurpose::PasswordReset(_) => pages::LinkPurpose::Reset,
        LinkPurpose::FirstAdministrator => pages::LinkPurpose::FirstAdministrator,
    };
    let address = link.purpose.address().map(ToString::to_string);
    let view = SetPassword {
        site: server.site.clone(),
        token: Secret::new(token),
        purpose,
        user: address.or(typed.mail).unwrap_or_default(),
        user_fault: typed.mail_fault,
        least_characters: SHORTEST_PASSWORD,
        expires_at: link.expires_at,
        fault: typed.fault,
    };
    view.page().into_response()
}

pub(super) async fn choose_password(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    if server.provider.is_some() {
        return server.fault(&visit, Fault::NotFound);
    }
    let form = match PostedForm::read(&server, &visit, request).await {
        Ok(form) => form,
        Err(response) => return response,
    };
    let token = form.one("token").unwrap_or_default();
    let link = match server.users.look_at_link(token).await {
        Ok(link) => link,
        Err(fault) => return gone(&server, &visit, &fault),
    };
    let mail = form.one("mail").unwrap_or_default().to_owned();
    let again = |mail_fault, fault| {
        page(&server, &link, token.to_owned(), Typed { mail: Some(mail.clone()), mail_fault, fault })
    };
    if form.one("repeat") != form.one("password") {
        return again(None, Some(PasswordFault::NotTheSame));
    }
    let password = form.password("password");
    let redeemed = match link.purpose {
        LinkPurpose::FirstAdministrator => {
            let new = NewAdministrator { address: mail.clone(), name: None, password };
            server.users.become_first_administrator(token, new).await
        }
        LinkPurpose::Invitation(_) | LinkPurpose::PasswordReset(_) => {
            server.users.choose_password(token, &password).await
        }
    };
    match redeemed {
        Ok(signed_in) => {
            let (subject, purpose) = (&signed_in.user().address, link.purpose.as_str());
            tracing::info!(target: "audit", event = "link_used", %subject, purpose, "a one-time link was used");
            super::begin(&server, &visit, signed_in, &LocalPath::account()).await
        }
        Err(RedeemError::Link(fault)) => gone(&server, &visit, &fault),
        Err(RedeemError::Password(fault)) => again(None, Some(shown(fault))),
        Err(RedeemError::User(AddUserError::Store(error))) => unavailable(&server, &visit, &error),
        Err(RedeemError::User(error)) => again(Some(format!("That does not work: {error}.")), None),
        Err(RedeemError::SignIn(error)) => unavailable(&server, &visit, &error),
    }
}

/// Why a password was not taken, in the page's words.
pub(crate) const fn shown(fault: users::PasswordFault) -> PasswordFault {
    match fault {
        users::PasswordFault::TooShort => PasswordFault::TooShort,
        users::PasswordFault::TooLong => PasswordFault::TooLong { most_characters: LONGEST_PASSWORD },
        users::PasswordFault::IsAddress | users::PasswordFault::Monotonous => PasswordFault::TooEasy,
    }
}

fn gone(server: &AuthorizationServer, visit: &Visit, fault: &LinkFault) -> Response {
    let state = match fault {
        LinkFault::Damaged | LinkFault::Unknown => LinkState::Unknown,
        LinkFault::Spent => LinkState::Used,
        LinkFault::Expired => LinkState::Expired,
        LinkFault::Store(error) => return unavailable(server, visit, error),
    };
    LinkGone { site: server.site.clone(), state }.page().into_response()
}

fn unavailable(server: &AuthorizationServer, visit: &Visit, error: &dyn std::error::Error) -> Response {
    tracing::error!(%error, "a one-time link could not be used");
    server.fault(visit, Fault::Unavailable)
}
