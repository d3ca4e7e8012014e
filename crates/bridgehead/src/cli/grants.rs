//! `bridgehead grants list|revoke|trace`: what teammates have connected, and how it came about. Works on
//! the store while a server runs on it as well.

use std::sync::Arc;

use bridgehead_auth::{
    Revocation, TraceEvent,
    issuer::{GrantId, GrantRecord, GrantsOf},
    trace::{Attempt, render},
};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    ConfigOption, Exit, Failure, Outcome,
    clients::{Opened, minute, printable, store_failure},
    output,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List who has connected what, oldest first.
    List {
        /// Only what this teammate has connected.
        #[arg(long = "for", value_name = "SUBJECT")]
        subject: Option<String>,
        /// Also what was revoked or is over.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Cut a connection off, or all of one teammate; calls by it are refused at once.
    Revoke {
        /// Its id, as `grants list` shows it.
        #[arg(value_name = "ID", required_unless_present = "subject")]
        id: Option<String>,
        /// All that this teammate has connected, and is just about to.
        #[arg(long = "for", value_name = "SUBJECT", conflicts_with = "id")]
        subject: Option<String>,
        #[command(flatten)]
        config: ConfigOption,
    },
    /// Show the connection attempts of the last day step by step, and where each stopped.
    Trace {
        #[command(flatten)]
        config: ConfigOption,
        /// One JSON array.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(command: Command) -> Outcome {
    match command {
        Command::List { subject, all, config, json } => {
            let opened = Opened::open(&config).await?;
            let of = subject.map_or(GrantsOf::Everybody, |subject| GrantsOf::Subject(named(&subject)));
            let mut grants = opened.issuer.grants(&of).await.map_err(store_failure)?;
            let now = opened.now;
            grants.retain(|grant| all || grant.is_live(now));
            if json {
                output::print(
                    &Value::from(grants.iter().map(|grant| shown(grant, now)).collect::<Vec<_>>()).to_string(),
                );
            } else if grants.is_empty() {
                output::say("Nothing is connected. `bridgehead grants trace` shows the attempts of the last day.");
            } else {
                output::print(&listed(&grants, now));
            }
            opened.end().await
        }
        Command::Revoke { id, subject, config } => {
            let opened = Opened::open(&config).await?;
            let said = match (id, subject) {
                (Some(id), _) => revoke(&opened, &id).await,
                (None, Some(subject)) => {
                    let subject = named(&subject);
                    let count = opened.issuer.revoke_subject(&subject).await.map_err(store_failure)?;
                    Ok(match count {
                        0 => format!("{subject} has nothing connected."),
                        1 => format!("One connection of {subject} is cut off."),
                        more => format!("{more} connections of {subject} are cut off."),
                    })
                }
                (None, None) => Err(Failure::usage("name a connection, or a teammate by --for")),
            };
            opened.end().await?;
            output::say(&said?);
            Ok(Exit::Well)
        }
        Command::Trace { config, json } => {
            let opened = Opened::open(&config).await?;
            let attempts = opened.keyring.trace.attempts().await.map_err(store_failure)?;
            if json {
                output::print(&Value::from(attempts.iter().map(shown_attempt).collect::<Vec<_>>()).to_string());
            } else if attempts.is_empty() {
                output::say("Nobody has tried to connect in the last day.");
            } else {
                output::print(&render(&attempts));
            }
            opened.end().await
        }
    }
}

/// Subjects are mail addresses in lower case, however they are typed.
fn named(subject: &str) -> Arc<str> {
    subject.trim().to_ascii_lowercase().into()
}

async fn revoke(opened: &Opened, id: &str) -> Result<String, Failure> {
    let Some(id) = GrantId::parse(id) else {
        return Err(Failure::usage(format!("{id} is no connection's id: `bridgehead grants list` shows them")));
    };
    match opened.issuer.revoke_grant(&id).await.map_err(store_failure)? {
        Revocation::Revoked => Ok(format!("{} is cut off: calls by it are refused.", id.as_str())),
        Revocation::AlreadyRevoked => Ok(format!("{} was cut off already.", id.as_str())),
        Revocation::NotFound => Err(Failure {
            exit: Exit::No,
            message: format!("there is no connection {}; `bridgehead grants list --all` shows the ids", id.as_str()),
        }),
    }
}

fn state(grant: &GrantRecord, now: Timestamp) -> String {
    match &grant.revoked {
        Some(revoked) => format!("revoked: {}", revoked.why.as_str()),
        None if grant.is_live(now) => "good".to_owned(),
        None => "expired".to_owned(),
    }
}

fn shown(grant: &GrantRecord, now: Timestamp) -> Value {
    json!({
        "id": grant.id.as_str(),
        "subject": &*grant.subject,
        "client_id": grant.client.as_str(),
        "client_name": grant.client_name,
        "resource": grant.resource,
        "scopes": grant.scopes.iter().collect::<Vec<_>>(),
        "created_at": grant.created_at,
        "refreshed_at": grant.refreshed_at,
        "expires_at": grant.expires_at,
        "revoked_at": grant.revoked.as_ref().map(|revoked| revoked.at),
        "state": state(grant, now),
    })
}

fn listed(grants: &[GrantRecord], now: Timestamp) -> String {
    let row = |grant: &GrantRecord| {
        vec![
            grant.id.as_str().to_owned(),
            grant.subject.to_string(),
            state(grant, now),
            grant.scopes.to_string(),
            minute(grant.refreshed_at),
            grant.client_name.as_deref().map(printable).unwrap_or_default(),
            grant.client.to_string(),
        ]
    };
    let rows: Vec<_> = grants.iter().map(row).collect();
    output::table(&["ID", "FOR", "STATE", "SCOPES", "LAST TOKEN", "CLIENT", "CLIENT ID"], &rows)
}

fn shown_attempt(attempt: &Attempt) -> Value {
    json!({
        "started_at": attempt.started_at(),
        "connected": attempt.is_connected(),
        "refused_at": attempt.refusal().map(|event| event.step.as_str()),
        "steps": attempt.steps.iter().map(shown_step).collect::<Vec<_>>(),
    })
}

fn shown_step(event: &TraceEvent) -> Value {
    let facts: Map<String, Value> =
        event.facts.iter().map(|(fact, text)| (fact.as_str().to_owned(), text.into())).collect();
    json!({"at": event.at, "step": event.step.as_str(), "outcome": event.outcome.as_str(), "facts": facts})
}
