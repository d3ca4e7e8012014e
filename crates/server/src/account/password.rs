//! Another password. All sessions of the teammate end with the old one; this browser gets a new one.

use axum::{
    extract::{Request, State},
    response::Response,
};
use bridgehead_auth::users::{ChangePasswordError, Credentials, SHORTEST_PASSWORD, SignInError};

use super::{Shown, posted, shown, unavailable};
use crate::{
    browser::{self, Visit},
    login,
    oauth::AuthorizationServer,
    pages::{AccountNotice, Fault, PasswordChange, PasswordFault, paths},
};

/// In the query of the account page: the password is new.
pub(super) const CHANGED: &str = "password-changed";

/// The form.
pub(super) const fn form(wrong_current: bool, fault: Option<PasswordFault>) -> PasswordChange {
    PasswordChange { least_characters: SHORTEST_PASSWORD, wrong_current, fault }
}

pub(super) async fn change(State(server): State<AuthorizationServer>, request: Request) -> Response {
    let visit = Visit::of(&request);
    if server.provider.is_some() {
        return server.fault(&visit, Fault::NotFound);
    }
    let (session, posted) = match posted(&server, &visit, request).await {
        Ok(posted) => posted,
        Err(response) => return response,
    };
    let (current, new) = (posted.password("current"), posted.password("password"));
    let again = match posted.one("repeat") == posted.one("password") {
        false => Shown { password: Some(form(false, Some(PasswordFault::NotTheSame))), ..Shown::default() },
        true => {
            let credentials =
                Credentials { address: session.user.address.as_str(), password: &current, from: visit.from };
            match server.users.change_password(&credentials, &new).await {
                Ok(signed_in) => {
                    let subject = &session.user.address;
                    tracing::info!(target: "audit", event = "password_changed", %subject, "a teammate changed their password");
                    let next = browser::local(&format!("{}?{CHANGED}", paths::ACCOUNT));
                    return login::begin(&server, &visit, signed_in, &next).await;
                }
                Err(ChangePasswordError::Password(fault)) => {
                    Shown { password: Some(form(false, Some(login::shown(fault)))), ..Shown::default() }
                }
                Err(ChangePasswordError::SignIn(SignInError::Refused)) => {
                    Shown { password: Some(form(true, None)), ..Shown::default() }
                }
                Err(ChangePasswordError::SignIn(SignInError::TooMany { retry_after })) => {
                    let wait = server.wait(retry_after);
                    Shown { notice: Some(AccountNotice::TooMany { wait }), ..Shown::default() }
                }
                Err(ChangePasswordError::SignIn(SignInError::Busy { .. })) => {
                    return server.fault(&visit, Fault::Unavailable);
                }
                Err(ChangePasswordError::SignIn(SignInError::Store(error))) => {
                    return unavailable(&server, &visit, &error);
                }
            }
        }
    };
    match shown(&server, &session, again).await {
        Ok(response) => response,
        Err(error) => unavailable(&server, &visit, &error),
    }
}
