//! `bridgehead doctor URL`: looks at any MCP server as a platform would, and says what it would fail at. What is
//! looked at is the matter of `bridgehead_doctor`; here is how a credential is given, who signs in, and what the
//! command shows.

mod browser;
mod given;
mod json;
mod junit;
mod plain;
mod progress;
mod text;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bridgehead_core::Secret;
use bridgehead_doctor::{
    Profile, Report, SignIn, Target, Verdict, examine,
    visit::{Surroundings, Visit},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::{browser::Browser, progress::Shown};
use super::{Exit, Failure, Outcome, output};
use crate::{
    compose::{self, Ambient},
    config::{Environment, SystemEnvironment},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The endpoint, as it is entered at a platform: https://mcp.example.com/mcp.
    #[arg(value_parser = given::endpoint)]
    url: Url,
    /// As whom: duvo, claude, chatgpt, or generic for what every client does.
    #[arg(long, default_value_t)]
    profile: Profile,
    /// A key or token, sent as `Authorization: Bearer KEY`; `file:PATH` reads it from a file.
    #[arg(long, env = "BRIDGEHEAD_DOCTOR_KEY", hide_env_values = true, value_parser = given::secret)]
    key: Option<Secret>,
    /// A header of every request, for servers that want another than Authorization; `NAME=file:PATH` reads it from a
    /// file. May be given more than once.
    // Not taken apart here: what is wrong with an argument is shown together with it.
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = given::secret)]
    headers: Vec<Secret>,
    /// Sign in with a browser where the server asks for it, to look at what lies behind. Without it, what needs
    /// somebody to sign in is left out.
    #[arg(long)]
    login: bool,
    /// JSON, as docs/reference/doctor.md describes it.
    #[arg(long, conflicts_with = "junit")]
    json: bool,
    /// `JUnit` XML, for test reports: a suite for each area, a case for each check.
    #[arg(long)]
    junit: bool,
    /// Also every request that was sent and what came back.
    #[arg(long, short)]
    verbose: bool,
}

/// How long somebody has to sign in.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) async fn run(args: Args) -> Outcome {
    let environment = SystemEnvironment::new();
    let headers = given::credential(args.key.as_ref(), &args.headers, &environment)?;
    let ambient = Ambient::default();
    let no_color = environment.variable("NO_COLOR").is_some_and(|value| !value.is_empty());
    let progress = Arc::new(Shown::on_stderr());
    let stop = compose::told_to_stop();
    let sign_in: Option<Arc<dyn SignIn>> = if args.login {
        let (clock, shown) = (ambient.clock.clone(), progress.clone());
        let browser = Browser::listen(clock, PATIENCE, shown, &environment, stop.clone()).await;
        let browser =
            browser.map_err(|error| Failure::outside(format!("--login needs a port on 127.0.0.1: {error}")))?;
        Some(Arc::new(browser))
    } else {
        None
    };
    let target = Target { url: args.url, profile: args.profile, headers };
    let surroundings = Surroundings { net: ambient.net, clock: ambient.clock, randomness: ambient.randomness, sign_in };
    let report = tokio::select! {
        report = examine(Visit::new(target, surroundings, &*progress)) => report,
        failure = stopped_twice(&stop, &progress) => return Err(failure),
    };
    progress.end();
    output::print(&if args.json {
        json::text(&report)
    } else if args.junit {
        junit::document(&report)
    } else {
        text::report(&report, text::Detail { exchanges: args.verbose, colours: output::colours_of_results(no_color) })
    });
    if stop.is_cancelled() {
        return Err(Failure::outside("stopped before everything was looked at"));
    }
    Ok(if report.failed().next().is_some() { Exit::No } else { Exit::Well })
}

/// Told once to stop, the doctor waits for nobody any longer, and takes away what it made.
async fn stopped_twice(stop: &CancellationToken, progress: &Shown) -> Failure {
    stop.cancelled().await;
    progress.say("Stopping. What was registered is removed first; Ctrl-C once more stops at once.");
    compose::told_to_stop().cancelled().await;
    Failure::outside("stopped: a client named \"Bridgehead doctor\" may be left at the server")
}

/// How many checks came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    warnings: usize,
    failed: usize,
    skipped: usize,
}

impl Counts {
    fn of(report: &Report) -> Self {
        report.examined.iter().fold(Self::default(), |counts, examined| counts.and(&examined.verdict))
    }

    const fn and(mut self, verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Passed { .. } => self.passed += 1,
            Verdict::Warning(_) => self.warnings += 1,
            Verdict::Failed(_) => self.failed += 1,
            Verdict::Skipped { .. } => self.skipped += 1,
        }
        self
    }
}
