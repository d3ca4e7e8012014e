//! Why nobody was signed in, in words for the person and for the log.

use super::NotAdmitted;
use crate::StoreError;

/// Why nobody was signed in. `Display` is for the log; the pages have words of their own.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderSignInError {
    /// The answer is not one to a question of this browser: it was asked elsewhere, was answered before, or
    /// never asked.
    #[error("the answer does not belong to a sign-in of this browser")]
    NotOfThisBrowser,
    /// It took too long.
    #[error("the sign-in took more than ten minutes")]
    Expired,
    /// The person pressed Cancel there.
    #[error("the person did not go through with it")]
    Cancelled,
    /// The provider refuses: its error code.
    #[error("the provider refuses: {0}")]
    Provider(String),
    /// The provider does not answer. The cause is for the log.
    #[error("the provider does not answer: {0}")]
    Down(String),
    /// What it answered is not in order.
    #[error("what the provider answered is not in order: {0}")]
    Answer(String),
    /// The person is not let in.
    #[error("{0}")]
    NotAdmitted(NotAdmitted),
    /// Somebody else of the provider has the account with their mail address.
    #[error("another person of the provider signed in with this mail address before")]
    AddressTaken,
    /// The operator disabled the account.
    #[error("the account is disabled here")]
    Disabled,
    /// Where they were headed is too long to be carried along.
    #[error("what the application asks for is too long to be kept while somebody signs in elsewhere")]
    TooLong,
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ProviderSignInError {
    /// A stable word for logs, metrics and the trace.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotOfThisBrowser => "not_of_this_browser",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::Provider(_) => "provider_refused",
            Self::Down(_) => "provider_down",
            Self::Answer(_) => "provider_answer",
            Self::NotAdmitted(why) => why.code(),
            Self::AddressTaken => "address_taken",
            Self::Disabled => "disabled",
            Self::TooLong => "too_long",
            Self::Store(_) => "store_unavailable",
        }
    }
}

impl From<NotAdmitted> for ProviderSignInError {
    fn from(why: NotAdmitted) -> Self {
        Self::NotAdmitted(why)
    }
}
