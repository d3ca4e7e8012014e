//! What a teammate decided: a code for the client, or that it was denied. Whether it was the teammate
//! who pressed the button (session, CSRF, origin) was checked before.

use std::fmt;

use bridgehead_core::ScopeSet;
use http::StatusCode;

use super::{AuthorizationRequest, CodeRecord, Issuer, authorize::with_implied, redirect};
use crate::{Insertion, SecretKind, SecretText, StoreError, keys};

/// How often a new id is drawn when one is taken.
pub(super) const ATTEMPTS: usize = 3;

/// Who allows what.
#[derive(Debug, Clone, Copy)]
pub struct Approval<'a> {
    /// The teammate who is signed in.
    pub subject: &'a str,
    /// The most that they may grant.
    pub most: &'a ScopeSet,
    /// What they left ticked.
    pub chosen: &'a ScopeSet,
}

/// Why nothing was approved.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ApproveError {
    /// Nothing that is asked for, may be granted and was ticked.
    #[error("Nothing is left to allow. Tick at least one of the permissions, or press Deny.")]
    NothingChosen,
    /// The subject cannot be anybody.
    #[error("Nobody is signed in. Sign in again.")]
    Subject,
    /// Every id that was drawn is taken: the source of randomness repeats itself.
    #[error("The server cannot make a code at the moment. Tell its operator.")]
    NoFreeId,
    /// The store did not take it.
    #[error("The server cannot write this down at the moment. Try again in a minute.")]
    Store(#[from] StoreError),
}

impl ApproveError {
    /// The status of the page.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::NothingChosen | Self::Subject => StatusCode::BAD_REQUEST,
            Self::NoFreeId => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The error code of the standard (RFC 6749 §4.1.2.1), for logs and traces.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NothingChosen => "invalid_scope",
            Self::Subject => "invalid_request",
            Self::NoFreeId => "server_error",
            Self::Store(_) => "temporarily_unavailable",
        }
    }
}

/// Where the teammate's browser is sent. It may hold a code, so `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRedirect(String);

impl ClientRedirect {
    /// The URL, in visible ASCII. Not for a log.
    #[must_use]
    pub fn location(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientRedirect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientRedirect(…)")
    }
}

impl Issuer {
    /// The teammate pressed Allow: makes a code, for what is asked for, may be granted and was ticked.
    ///
    /// # Errors
    /// [`ApproveError`]: a page.
    pub async fn approve(
        &self,
        request: &AuthorizationRequest,
        approval: Approval<'_>,
    ) -> Result<ClientRedirect, ApproveError> {
        let subject = keys::subject(approval.subject).ok_or(ApproveError::Subject)?;
        let scopes = with_implied(request.offered(approval.most).common(approval.chosen));
        if scopes.is_empty() {
            return Err(ApproveError::NothingChosen);
        }
        let now = self.now();
        for _ in 0..ATTEMPTS {
            let code = SecretText::generate(SecretKind::AuthorizationCode, &*self.randomness);
            let record = CodeRecord {
                id: code.id().clone(),
                hash: self.stored(&code),
                client: request.client.id.clone(),
                subject: subject.into(),
                endpoint: request.endpoint.id.clone(),
                resource: request.resource.clone(),
                scopes: scopes.clone(),
                redirect_uri: request.redirect_uri.clone(),
                code_challenge: request.code_challenge.clone(),
                created_at: now,
                expires_at: super::later(now, self.settings.lifetimes.code),
                redeemed_for: None,
            };
            if self.store.insert_code(record).await? == Insertion::Inserted {
                return Ok(self.answer_to(request, &[("code", code.secret().expose())]));
            }
        }
        Err(ApproveError::NoFreeId)
    }

    /// The teammate pressed Deny (RFC 6749 §4.1.2.1).
    #[must_use]
    pub fn deny(&self, request: &AuthorizationRequest) -> ClientRedirect {
        self.answer_to(request, &[("error", "access_denied"), ("error_description", "The teammate pressed Deny.")])
    }

    /// Every answer names the issuer, so that a client of several servers is not led from one to
    /// another (RFC 9207 §2).
    fn answer_to(&self, request: &AuthorizationRequest, answer: &[(&str, &str)]) -> ClientRedirect {
        let mut pairs = answer.to_vec();
        pairs.extend(request.state.as_deref().map(|state| ("state", state)));
        pairs.push(("iss", self.settings.issuer()));
        ClientRedirect(redirect::with_answer(&request.redirect_uri, &pairs))
    }
}
