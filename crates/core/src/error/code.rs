//! The closed list of codes that a failed call can have, with all that the reference
//! (`docs/reference/errors.md`) says of each. What a single failure was stands in [`super`].

use crate::Verdict;

/// Who has to mend a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Blame {
    /// The one who called: other arguments, other rights.
    Caller,
    /// Whoever runs Bridgehead: its configuration, its credentials.
    Operator,
    /// Whoever runs the system behind.
    Upstream,
}

impl Blame {
    /// The word used in the reference.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Operator => "operator",
            Self::Upstream => "upstream",
        }
    }
}

/// What kind of failure the system behind had. The list is closed: agents and dashboards may
/// rely on the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UpstreamCode {
    /// It could not be reached at all, so nothing was sent; or its file is gone.
    Unavailable,
    /// It is busy or locked, and will not be for long.
    Busy,
    /// It wants fewer calls (HTTP 429).
    RateLimited,
    /// It took longer than the tool's time-out.
    TimedOut,
    /// The connection broke after the call may have been sent.
    ConnectionLost,
    /// It understood the call and refused it: a constraint, a rule of the business (HTTP 400, 422).
    Rejected,
    /// It does not accept the credential (HTTP 401).
    Unauthorized,
    /// The credential is good and does not allow this (HTTP 403).
    Forbidden,
    /// It does not have what was asked for (HTTP 404, 410).
    NotFound,
    /// What is there is in the way (HTTP 409, 412).
    Conflict,
    /// It answered in a way its description does not know: HTML, broken JSON, a redirect elsewhere.
    InvalidResponse,
    /// Anything else that it reported (HTTP 5xx).
    Failed,
}

impl UpstreamCode {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 12] = [
        Self::Unavailable,
        Self::Busy,
        Self::RateLimited,
        Self::TimedOut,
        Self::ConnectionLost,
        Self::Rejected,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::InvalidResponse,
        Self::Failed,
    ];

    /// The stable word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "upstream_unavailable",
            Self::Busy => "upstream_busy",
            Self::RateLimited => "upstream_rate_limited",
            Self::TimedOut => "timed_out",
            Self::ConnectionLost => "upstream_connection_lost",
            Self::Rejected => "upstream_rejected",
            Self::Unauthorized => "upstream_unauthorized",
            Self::Forbidden => "upstream_forbidden",
            Self::NotFound => "upstream_not_found",
            Self::Conflict => "upstream_conflict",
            Self::InvalidResponse => "upstream_invalid_response",
            Self::Failed => "upstream_failed",
        }
    }

    /// The code of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == word)
    }

    /// What a failure of this kind says of the effect that the call was to have, where the source
    /// knows nothing more.
    #[must_use]
    pub const fn verdict(self) -> Verdict {
        match self {
            // Nothing was sent, or it was turned away at the door.
            Self::Unavailable | Self::Busy | Self::RateLimited => Verdict::Undone,
            // Who called was turned away, not what they called for: with another credential, or once the
            // right is granted, the same call goes well.
            Self::Unauthorized | Self::Forbidden => Verdict::Undone,
            // It looked at the call and said no.
            Self::Rejected | Self::NotFound | Self::Conflict => Verdict::Definite,
            // An answer that says nothing of the effect, or none.
            Self::TimedOut | Self::ConnectionLost | Self::InvalidResponse | Self::Failed => Verdict::InDoubt,
        }
    }

    /// Whether the same call may succeed later without a change, where nothing more is known. A
    /// call with effects that may have been sent is never retryable, whatever stands here.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::Unavailable | Self::Busy | Self::RateLimited | Self::TimedOut | Self::ConnectionLost => true,
            Self::Rejected
            | Self::Unauthorized
            | Self::Forbidden
            | Self::NotFound
            | Self::Conflict
            | Self::InvalidResponse
            | Self::Failed => false,
        }
    }

    /// Who has to mend it, as a rule.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::Rejected | Self::Forbidden | Self::NotFound | Self::Conflict => Blame::Caller,
            Self::Unauthorized => Blame::Operator,
            Self::Unavailable
            | Self::Busy
            | Self::RateLimited
            | Self::TimedOut
            | Self::ConnectionLost
            | Self::InvalidResponse
            | Self::Failed => Blame::Upstream,
        }
    }

    /// What an agent should do, for the reference.
    #[must_use]
    pub const fn for_agent(self) -> &'static str {
        match self {
            Self::Unavailable | Self::Busy => "Try again later, after `retry_after_ms` where it is given.",
            Self::RateLimited => "Wait for `retry_after_ms`, and call less often.",
            Self::TimedOut | Self::ConnectionLost => {
                "After a read, try again. After a call with effects, look at what it should have changed first."
            }
            Self::Rejected => "Read the message and `details`, and change the arguments.",
            Self::Unauthorized => "Tell the person whose credential it is: the message says whose.",
            Self::Forbidden => "Do something else, or tell the person who can grant the right.",
            Self::NotFound => "Check the arguments that name the thing, or list what there is.",
            Self::Conflict => "Read the present state, then decide whether to call again.",
            Self::InvalidResponse => {
                "After a call with effects, look at what it should have changed. Tell the operator."
            }
            Self::Failed => "Do as `retryable` says; if it stays, tell the operator.",
        }
    }

    /// What whoever runs Bridgehead should look at, for the reference.
    #[must_use]
    pub const fn for_operator(self) -> &'static str {
        match self {
            Self::Unavailable => "Address, name, certificate and network of the system behind; the log has the cause.",
            Self::Busy => "Its load; `rate_limit.concurrency` of the policy sends it fewer calls at once.",
            Self::RateLimited => "Its limits; `rate_limit.upstream` of the policy keeps within them.",
            Self::TimedOut => "How long it takes; `timeout` of the policy, or a faster statement.",
            Self::ConnectionLost => "The system behind, and gateways on the way to it.",
            Self::Rejected => "Descriptions of the tool's parameters, if agents often get it wrong.",
            Self::Unauthorized => "`credential` of the source; or the teammate enters a new one.",
            Self::Forbidden => "The rights of the credential in the system behind.",
            Self::NotFound => "`base_url`, if nothing is ever found.",
            Self::Conflict => "Nothing, as a rule.",
            Self::InvalidResponse => "`base_url`, and whether a proxy or a sign-in page answers in the system's place.",
            Self::Failed => "The log of the system behind; `upstream_request_id` in `details` finds the request there.",
        }
    }

    /// What it means, in one sentence, for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Unavailable => "The system behind could not be reached; nothing was sent.",
            Self::Busy => "The system behind is busy or locked for the moment.",
            Self::RateLimited => "The system behind wants fewer calls.",
            Self::TimedOut => "The call took longer than the tool's time-out.",
            Self::ConnectionLost => "The connection broke after the call may have been sent.",
            Self::Rejected => "The system behind understood the call and refused it.",
            Self::Unauthorized => "The system behind does not accept the credential.",
            Self::Forbidden => "The credential is good, but does not allow this.",
            Self::NotFound => "The system behind does not have what was asked for.",
            Self::Conflict => "What the system behind has is in the way of the change.",
            Self::InvalidResponse => "The system behind answered in a form that its description does not know.",
            Self::Failed => "The system behind reported a failure of its own.",
        }
    }
}

/// What kind of failure it was where the system behind had no part in it. Closed, as
/// [`UpstreamCode`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OwnCode {
    /// No tool has this name, or none that this caller may see.
    UnknownTool,
    /// The caller lacks the tool's scope.
    NotPermitted,
    /// The arguments do not fit.
    InvalidArguments,
    /// The tool needs a client that can do more.
    ClientLacksCapability,
    /// The tool works with something of its caller that the sign-in does not say.
    CallerLacksClaim,
    /// The call needs a credential of the caller's own, which they have to enter first.
    CredentialRequired,
    /// The idempotency key was used before, with other arguments.
    IdempotencyConflict,
    /// The idempotency key could not be claimed.
    IdempotencyUnavailable,
    /// A call with an idempotency key may have taken effect, and nobody knows.
    EffectInDoubt,
    /// A call with an idempotency key or a handle ended well, and its answer is not there any more.
    AnswerNotKept,
    /// The caller calls more often than the policy allows.
    RateLimited,
    /// Too many calls are running here, or on their way to the system behind.
    Busy,
    /// The system behind failed again and again, and is left in peace.
    CircuitOpen,
    /// The counters that replicas share cannot be reached, and the policy says to refuse then.
    LimitsUnavailable,
    /// The server is shutting down.
    ShuttingDown,
    /// The client cancelled or went away.
    Cancelled,
    /// Our own fault.
    Internal,
}

impl OwnCode {
    /// All of them, in the order of the reference.
    pub const ALL: [Self; 17] = [
        Self::UnknownTool,
        Self::NotPermitted,
        Self::InvalidArguments,
        Self::ClientLacksCapability,
        Self::CallerLacksClaim,
        Self::CredentialRequired,
        Self::IdempotencyConflict,
        Self::IdempotencyUnavailable,
        Self::EffectInDoubt,
        Self::AnswerNotKept,
        Self::RateLimited,
        Self::Busy,
        Self::CircuitOpen,
        Self::LimitsUnavailable,
        Self::ShuttingDown,
        Self::Cancelled,
        Self::Internal,
    ];

    /// The stable word on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownTool => "unknown_tool",
            Self::NotPermitted => "not_permitted",
            Self::InvalidArguments => "invalid_arguments",
            Self::ClientLacksCapability => "client_lacks_capability",
            Self::CallerLacksClaim => "caller_lacks_claim",
            Self::CredentialRequired => "credential_required",
            Self::IdempotencyConflict => "idempotency_conflict",
            Self::IdempotencyUnavailable => "idempotency_unavailable",
            Self::EffectInDoubt => "effect_in_doubt",
            Self::AnswerNotKept => "answer_not_kept",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::CircuitOpen => "circuit_open",
            Self::LimitsUnavailable => "limits_unavailable",
            Self::ShuttingDown => "shutting_down",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call may succeed later without a change, as a rule.
    #[must_use]
    pub const fn retryable(self) -> bool {
        match self {
            Self::RateLimited
            | Self::Busy
            | Self::CircuitOpen
            | Self::LimitsUnavailable
            | Self::ShuttingDown
            | Self::IdempotencyUnavailable => true,
            Self::UnknownTool
            | Self::NotPermitted
            | Self::InvalidArguments
            | Self::ClientLacksCapability
            | Self::CallerLacksClaim
            | Self::IdempotencyConflict
            | Self::EffectInDoubt
            | Self::AnswerNotKept
            | Self::CredentialRequired
            | Self::Cancelled
            | Self::Internal => false,
        }
    }

    /// Who has to mend it.
    #[must_use]
    pub const fn blame(self) -> Blame {
        match self {
            Self::UnknownTool
            | Self::NotPermitted
            | Self::InvalidArguments
            | Self::ClientLacksCapability
            | Self::IdempotencyConflict
            | Self::RateLimited
            | Self::CredentialRequired
            | Self::Cancelled => Blame::Caller,
            Self::EffectInDoubt | Self::CircuitOpen => Blame::Upstream,
            Self::CallerLacksClaim
            | Self::IdempotencyUnavailable
            | Self::AnswerNotKept
            | Self::Busy
            | Self::LimitsUnavailable
            | Self::ShuttingDown
            | Self::Internal => Blame::Operator,
        }
    }

    /// What it means, in one sentence, for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::UnknownTool => "No tool has this name, or none that this caller may see.",
            Self::NotPermitted => "The caller lacks the scope that the tool needs; `details.scope` names it.",
            Self::InvalidArguments => {
                "The arguments do not fit the tool's input schema, or a check of the source; `details.faults` lists every one."
            }
            Self::ClientLacksCapability => "The tool needs a client that declared a capability which this one did not.",
            Self::CallerLacksClaim => {
                "The tool works with something of its caller (`details.claim`) that this sign-in does not say, or says in another form."
            }
            Self::CredentialRequired => {
                "The system behind is called with each teammate's own credential, and the caller's is missing or no longer good; `details.url` is where they enter it."
            }
            Self::IdempotencyConflict => "The idempotency key was used before, for a call with other arguments.",
            Self::IdempotencyUnavailable => "The idempotency key could not be written down, so nothing was sent.",
            Self::EffectInDoubt => {
                "A call with this idempotency key may have taken effect, and nobody knows; `details.effect_id` names the effect."
            }
            Self::AnswerNotKept => {
                "A call with this idempotency key or handle was made and ended well, and its answer was too large to keep or cannot be read any more."
            }
            Self::RateLimited => "The caller calls more often than the policy allows; nothing was sent.",
            Self::Busy => "More calls are running and waiting here than the policy allows; nothing was sent.",
            Self::CircuitOpen => {
                "The system behind failed several times in a row and is left in peace for a while; nothing was sent."
            }
            Self::LimitsUnavailable => {
                "The counters that replicas share cannot be reached, and the policy refuses calls meanwhile."
            }
            Self::ShuttingDown => "This process is about to end and takes no new calls.",
            Self::Cancelled => "The client cancelled the call.",
            Self::Internal => {
                "A fault of Bridgehead itself. The cause stands in the log under the request id, and nowhere else."
            }
        }
    }

    /// What an agent should do, for the reference.
    #[must_use]
    pub const fn for_agent(self) -> &'static str {
        match self {
            Self::UnknownTool => "Ask `tools/list` for the names that exist.",
            Self::NotPermitted => "Do something else, or tell the person who called.",
            Self::InvalidArguments => "Mend the arguments that are named, and call again.",
            Self::ClientLacksCapability => "Do something else.",
            Self::CallerLacksClaim => "Do something else, and tell the person who called.",
            Self::CredentialRequired => {
                "Show the person who called the link in `details.url`. Call again when they have been there."
            }
            Self::IdempotencyConflict => "Use a new key for a new effect, and the same arguments for the same one.",
            Self::IdempotencyUnavailable => "Call again with the same key after `retry_after_ms`.",
            Self::EffectInDoubt => {
                "Look at what it should have changed. Never call again with a new key before that; the same key is safe."
            }
            Self::AnswerNotKept => "After a call with effects, nothing: it was done. After a read, ask for less.",
            Self::Busy | Self::CircuitOpen | Self::LimitsUnavailable | Self::ShuttingDown => {
                "Call again after `retry_after_ms`."
            }
            Self::RateLimited => "Wait for `retry_after_ms`, and call less often.",
            Self::Cancelled => "Nothing. A call with effects that had begun goes on to its end.",
            Self::Internal => "Tell the operator the request id.",
        }
    }

    /// What whoever runs Bridgehead should look at, for the reference.
    #[must_use]
    pub const fn for_operator(self) -> &'static str {
        match self {
            Self::UnknownTool => "`bridgehead tools` lists what is served.",
            Self::NotPermitted => "`bridgehead keys create --scope …` makes a key with more rights.",
            Self::InvalidArguments => "Descriptions of the tool's parameters, if agents often get it wrong.",
            Self::CallerLacksClaim => {
                "What the identity provider puts into tokens; `from` and `type` of the parameter, `session` of the source."
            }
            Self::CredentialRequired => "`bridgehead credentials list` shows who has entered what.",
            Self::ClientLacksCapability | Self::ShuttingDown | Self::Cancelled | Self::IdempotencyConflict => {
                "Nothing, as a rule."
            }
            Self::IdempotencyUnavailable => "The store: the log says what is wrong with it.",
            Self::EffectInDoubt => {
                "What the system behind did; it is named by `effect_id` there where it takes keys. `upstream_idempotency_header`, or `effects_table`, lets Bridgehead find out."
            }
            Self::AnswerNotKept => "`max_result_bytes` of the policy; and root keys that were taken away.",
            Self::RateLimited => "`rate_limit.per_caller` and `burst` of the policy.",
            Self::Busy => "`rate_limit.concurrency`, `upstream` and `queue` of the policy.",
            Self::CircuitOpen => "The system behind, and the codes of the calls before; `circuit` of the policy.",
            Self::LimitsUnavailable => "`shared.url` and the server there; `on_shared_loss` of the policy.",
            Self::Internal => "The log, under the request id; then report it.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// A word that stood twice would mean two things.
    #[test]
    fn each_code_has_a_word_of_its_own() {
        let words: Vec<_> =
            OwnCode::ALL.map(OwnCode::as_str).into_iter().chain(UpstreamCode::ALL.map(UpstreamCode::as_str)).collect();
        assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "{words:?}");
    }
}
