//! What the end of a call says of its effect. The table for failures of the system behind is
//! [`UpstreamCode::verdict`](crate::UpstreamCode::verdict); a source that knows better says so with
//! the failure.

use crate::{CallError, Outcome};

/// What the end of a call says of its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The system behind has answered the call, and this is its answer: it settles the effect.
    Definite,
    /// Nothing took effect, and the same call may go well later: the key is fresh again.
    Undone,
    /// It may have taken effect, and nobody knows.
    InDoubt,
}

impl Verdict {
    /// What the first sending of a call says.
    #[must_use]
    pub fn of(result: &Result<Outcome, CallError>) -> Self {
        match result {
            Ok(_) => Self::Definite,
            Err(CallError::Upstream(failure)) => failure.verdict,
            // A source refuses only what it has not sent.
            Err(CallError::Refused(_)) => Self::Undone,
            // A panic or a cancelled call may have come after the sending.
            Err(CallError::Cancelled | CallError::Internal(_) | CallError::InDoubt(_) | CallError::AnswerNotKept) => {
                Self::InDoubt
            }
        }
    }

    /// What a further sending under the same upstream key says of the effect as a whole. That this
    /// one did nothing says nothing of the earlier one; and "conflict" may say that the earlier one
    /// is still under way.
    #[must_use]
    pub fn of_repeat(result: &Result<Outcome, CallError>) -> Self {
        match (result, Self::of(result)) {
            (Err(CallError::Upstream(failure)), Self::Definite) if failure.code == crate::UpstreamCode::Conflict => {
                Self::InDoubt
            }
            (_, Self::Definite) => Self::Definite,
            (_, Self::Undone | Self::InDoubt) => Self::InDoubt,
        }
    }
}
