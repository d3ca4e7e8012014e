//! Why there is no certificate, in words for the operator: what the authority said, and what to look
//! at.

use std::fmt;

use bridgehead_auth::{ChallengeKind, StoreError};
use bridgehead_outbound::SendError;
use instant_acme::{Error, Problem};

/// What error types begin with (RFC 8555 §6.7).
const URN: &str = "urn:ietf:params:acme:error:";

/// Why an order came to nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing came back.
    Unreachable(String),
    /// It refused a request.
    Refused(Box<Problem>),
    /// It looked at a challenge and did not see what it should have.
    Challenge { name: String, kind: ChallengeKind, problem: Box<Problem> },
    /// It has no such challenge for a name.
    NotOffered { name: String, kind: ChallengeKind },
    /// It was not done in time.
    TimedOut,
    /// It answered something else than ACME.
    Nonsense(String),
    /// The key for the external account cannot be read.
    ExternalAccount,
    /// Something that was made here is of no use.
    Own(String),
    /// Another replica has taken over.
    LeaseLost,
    /// The store failed.
    Store(StoreError),
}

impl Failure {
    /// Whether the authority was asked too often.
    pub(super) fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Refused(problem) if kind_of(problem) == "rateLimited")
    }

    /// Whether the authority does not know the account (RFC 8555 §6.7).
    pub(super) fn is_unknown_account(&self) -> bool {
        matches!(self, Self::Refused(problem) if kind_of(problem) == "accountDoesNotExist")
    }

    #[cfg(test)]
    pub(super) fn limited_for_test() -> Self {
        Self::Refused(Box::new(problem("rateLimited", "too many")))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<rcgen::Error> for Failure {
    fn from(error: rcgen::Error) -> Self {
        Self::Own(error.to_string())
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused(Box::new(problem)),
            Error::Other(cause) => match cause.downcast::<SendError>() {
                Ok(error) => Self::Unreachable(with_causes(&*error)),
                Err(cause) => Self::Nonsense(cause.to_string()),
            },
            error => Self::Nonsense(error.to_string()),
        }
    }
}

/// Whether a request was refused for its nonce alone (RFC 8555 §6.5).
pub(super) fn is_bad_nonce(error: &Error) -> bool {
    matches!(error, Error::Api(problem) if kind_of(problem) == "badNonce")
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.ends_with(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    text
}

fn kind_of(problem: &Problem) -> &str {
    problem.r#type.as_deref().map(|kind| kind.strip_prefix(URN).unwrap_or(kind)).unwrap_or_default()
}

/// What the authority said, and the problems within.
fn said(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_else(|| "no reason given".to_owned());
    for part in &problem.subproblems {
        text.push_str("; ");
        text.push_str(&part.to_string());
    }
    let kind = kind_of(problem);
    if kind.is_empty() { text } else { format!("{text} ({kind})") }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(
                f,
                "it cannot be reached: {why}. See that this machine may go out by HTTPS; for an authority of your own, name its \
                 root certificate in server.tls.acme.directory_root"
            ),
            Self::Refused(problem) => write!(f, "it said: {}. {}", said(problem), what_to_do(problem)),
            Self::Challenge { name, kind, problem } => {
                write!(f, "it looked at {name} and said: {}. {}", said(problem), what_to_look_at(name, *kind, problem))
            }
            Self::NotOffered { name, kind } => {
                write!(f, "it offers no {} for {name}. Set server.tls.acme.challenge to the other one", kind.as_str())
            }
            Self::TimedOut => {
                write!(f, "it was not done within five minutes. Look at the authority's own page about its state")
            }
            Self::Nonsense(why) => {
                write!(
                    f,
                    "its answer is not that of an ACME authority: {why}. See that server.tls.acme.directory is its directory"
                )
            }
            Self::ExternalAccount => {
                write!(
                    f,
                    "server.tls.acme.external_account.hmac_key is not base64url. Copy it again from the authority's page"
                )
            }
            Self::Own(why) => write!(f, "the request could not be made: {why}"),
            Self::LeaseLost => {
                write!(f, "another replica orders it by now, as this one was held up for more than a minute")
            }
            Self::Store(error) => write!(f, "{error}"),
        }
    }
}

/// The type of a challenge's problem; not every authority gives one that says what happened.
fn looked_for(problem: &Problem) -> &str {
    let detail = problem.detail.as_deref().unwrap_or_default().to_ascii_lowercase();
    match kind_of(problem) {
        known @ ("dns" | "caa" | "connection" | "tls") => known,
        _ if detail.contains("resolve") => "dns",
        _ if detail.contains("failed to connect") => "connection",
        other => other,
    }
}

/// What to look at when a challenge failed (RFC 8555 §6.7, §8.3; RFC 8737 §3).
fn what_to_look_at(name: &str, kind: ChallengeKind, problem: &Problem) -> String {
    let port = match kind {
        ChallengeKind::TlsAlpn01 => 443,
        ChallengeKind::Http01 => 80,
    };
    match looked_for(problem) {
        "dns" => format!("See that {name} has an A or AAAA record, seen from the internet, that leads to this server"),
        "caa" => format!(
            "A CAA record of {name} or of a domain above it forbids this authority: add one that names it, or take the record away"
        ),
        "connection" => format!(
            "See that {name} leads to this server, and that port {port} can be reached from the internet and is passed on to it: \
             look at the firewall, and at AAAA records that lead elsewhere"
        ),
        _ => match kind {
            ChallengeKind::TlsAlpn01 => format!(
                "Something else answers on port 443 of {name}: see that the name leads to this server alone, and that nothing \
                 in front ends TLS; where something has to, use server.tls.acme.challenge = \"http-01\""
            ),
            ChallengeKind::Http01 => format!(
                "Something else answers on port 80 of {name}: see that the name leads to this server alone, and that port 80 is \
                 passed on to server.tls.http_listen"
            ),
        },
    }
}

/// What to do when a request was refused (RFC 8555 §6.7).
fn what_to_do(problem: &Problem) -> &'static str {
    match kind_of(problem) {
        "externalAccountRequired" => {
            "It takes accounts that are bound to one of its own: set server.tls.acme.external_account to what its page gives you"
        }
        "rateLimited" => "It was asked too often: it is left alone for a while",
        "rejectedIdentifier" => "See that the names in server.tls.acme.domains are yours and public",
        "caa" => "A CAA record of the domain forbids this authority: add one that names it, or take the record away",
        "invalidContact" | "unsupportedContact" => "Set server.tls.acme.email to an address that it takes",
        "userActionRequired" => "Its terms have changed: follow the address that it names, then restart",
        "serverInternal" => "The fault is the authority's: look at its own page about its state",
        "unauthorized" | "malformed" => {
            "See that server.tls.acme.external_account, where it is needed, is what the authority's page gives you"
        }
        _ => "Look at the authority's documentation",
    }
}

#[cfg(test)]
fn problem(kind: &str, detail: &str) -> Problem {
    Problem {
        r#type: Some(format!("{URN}{kind}")),
        detail: Some(detail.to_owned()),
        status: Some(400),
        subproblems: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_authority_said_and_what_to_look_at_stand_together() {
        let challenge = |kind, what| Failure::Challenge {
            name: "mcp.example.com".to_owned(),
            kind,
            problem: Box::new(problem(what, "I saw nothing")),
        };
        for (failure, words) in [
            (challenge(ChallengeKind::TlsAlpn01, "dns"), "A or AAAA record"),
            (challenge(ChallengeKind::TlsAlpn01, "connection"), "port 443"),
            (challenge(ChallengeKind::Http01, "connection"), "port 80"),
            (challenge(ChallengeKind::Http01, "caa"), "CAA record"),
            (challenge(ChallengeKind::TlsAlpn01, "tls"), "nothing in front ends TLS"),
            (challenge(ChallengeKind::TlsAlpn01, "unauthorized"), "http-01"),
            (challenge(ChallengeKind::Http01, "unauthorized"), "server.tls.http_listen"),
        ] {
            let told = failure.to_string();
            assert!(told.starts_with("it looked at mcp.example.com and said: I saw nothing ("), "{told}");
            assert!(told.contains(words), "{told}");
        }
        let told = Failure::Refused(Box::new(problem("externalAccountRequired", "no binding"))).to_string();
        assert!(told.contains("no binding") && told.contains("server.tls.acme.external_account"), "{told}");
    }

    #[test]
    fn what_happened_is_read_from_the_words_where_the_type_does_not_say() {
        for (detail, words) in [
            ("Could not resolve URL \"mcp.example.com\"", "A or AAAA record"),
            ("Failed to connect to 192.0.2.1:443 for the tls-alpn-01 challenge", "can be reached from the internet"),
        ] {
            let problem = problem("malformed", detail);
            let looked = what_to_look_at("mcp.example.com", ChallengeKind::TlsAlpn01, &problem);
            assert!(looked.contains(words), "{looked}");
        }
    }

    #[test]
    fn refusals_that_call_for_something_are_known() {
        assert!(Failure::limited_for_test().is_rate_limit());
        assert!(Failure::Refused(Box::new(problem("accountDoesNotExist", "?"))).is_unknown_account());
        assert!(!Failure::TimedOut.is_rate_limit());
    }
}
