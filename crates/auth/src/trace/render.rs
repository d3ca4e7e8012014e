//! Attempts as text for an operator: where each stopped, and what to look at.

use std::fmt::Write;

use jiff::{Timestamp, tz::TimeZone};

use super::{Attempt, Fact, Step, TraceEvent};

/// The attempts, one paragraph each; times in UTC. Ends with a line end, and is empty where there
/// is no attempt.
#[must_use]
pub fn render(attempts: &[Attempt]) -> String {
    let paragraphs: Vec<_> = attempts.iter().map(paragraph).collect();
    paragraphs.join("\n")
}

fn paragraph(attempt: &Attempt) -> String {
    let started = attempt.started_at().map(|at| shown(at, "%Y-%m-%d %H:%M UTC")).unwrap_or_default();
    let mut text = format!("{started}  {}: {}\n", who(attempt), ending(attempt));
    for (index, event) in attempt.steps.iter().enumerate() {
        let steps = attempt.steps.get(..index).unwrap_or_default();
        let time = shown(event.at, "%H:%M:%S");
        let (step, outcome) = (event.step.as_str(), event.outcome.as_str());
        let line = format!("  {time}  {step:<12}  {outcome:<7}  {}", facts(event, steps));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}", line.trim_end());
    }
    if let Some(advice) = advice(attempt) {
        let _ = writeln!(text, "  {advice}");
    }
    text
}

fn shown(at: Timestamp, format: &str) -> String {
    at.to_zoned(TimeZone::UTC).strftime(format).to_string()
}

fn who(attempt: &Attempt) -> String {
    let client = match (attempt.fact(Fact::ClientName), attempt.fact(Fact::ClientId)) {
        (Some(name), Some(id)) => format!("\"{name}\" ({id})"),
        (Some(name), None) => format!("\"{name}\""),
        (None, Some(id)) => id.to_owned(),
        (None, None) => "a client without a name".to_owned(),
    };
    match attempt.fact(Fact::Subject) {
        Some(subject) => format!("{client} for {subject}"),
        None => client,
    }
}

fn ending(attempt: &Attempt) -> String {
    match (attempt.is_connected(), attempt.refusal(), attempt.furthest()) {
        (true, None, _) => "connected".to_owned(),
        (_, Some(refusal), _) => format!("refused at {}", refusal.step.as_str()),
        (false, None, Some(step)) => format!("stopped after {}", step.as_str()),
        (false, None, None) => "nothing was done".to_owned(),
    }
}

/// What is known of a step and was not said of the steps before it.
fn facts(event: &TraceEvent, before: &[TraceEvent]) -> String {
    let news = |(fact, text): &(Fact, &str)| {
        matches!(fact, Fact::Error | Fact::Description)
            || before.iter().rev().find_map(|event| event.facts.get(*fact)) != Some(*text)
    };
    let parts: Vec<String> = event.facts.iter().filter(news).map(|(fact, text)| part(fact, text)).collect();
    parts.join(", ")
}

fn part(fact: Fact, text: &str) -> String {
    match fact {
        Fact::Error | Fact::Description | Fact::Subject | Fact::UserAgent => text.to_owned(),
        Fact::ClientName => format!("\"{text}\""),
        Fact::ClientId => format!("client {text}"),
        Fact::RedirectHost => format!("back to {text}"),
        Fact::Address => format!("from {text}"),
        Fact::Query => format!("with {text}"),
    }
}

/// What to look at, where the attempt just stopped: what was refused says so itself.
fn advice(attempt: &Attempt) -> Option<&'static str> {
    if attempt.is_connected() || attempt.refusal().is_some() {
        return None;
    }
    Some(match attempt.furthest()? {
        Step::Challenge => {
            "The client was told where to sign in and did not look there. See that it can do OAuth, and that \
             /.well-known/ can be reached from where it runs."
        }
        Step::Metadata => {
            "The client read how to sign in and went no further. It may want a client id and secret that somebody \
             enters: make them with `bridgehead clients add`."
        }
        Step::Registration => "The client registered, and no browser was sent here. Look at what the client shows.",
        Step::Authorize => "A browser came and nobody signed in.",
        Step::SignIn => "Somebody signed in and did not say what the client may do.",
        Step::Consent => {
            "The client was allowed in and did not fetch its token. See that the browser came back to the client, and \
             that the client can reach /oauth/token."
        }
        Step::Token => "The client has a token and has not called with it yet.",
        Step::FirstCall => return None,
    })
}
