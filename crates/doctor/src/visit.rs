//! One examination under way: sends requests and keeps what was exchanged, and takes down what is found. It
//! judges nothing.

use std::{sync::Arc, time::Duration};

use bridgehead_core::{Clock, Randomness, Secret};
use bridgehead_outbound::{Bytes, Client, Limits, Net, Received, Request, SendError, Visited};
use jiff::Timestamp;

use crate::{
    Check, Examined, Exchange, Finding, Report, SignIn, Target, Verdict, checks, exchange::ShownAnswer,
    redact::Redactor,
};

/// Told while it goes on.
pub trait Progress: Send + Sync {
    /// A verdict has come.
    fn examined(&self, examined: &Examined);
}

/// What an examination needs of the outside.
#[derive(Clone)]
pub struct Surroundings {
    /// How the network is reached.
    pub net: Net,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// For `state`, verifiers and wrong tokens.
    pub randomness: Arc<dyn Randomness>,
    /// Who signs in, where somebody does.
    pub sign_in: Option<Arc<dyn SignIn>>,
}

/// One examination under way.
pub struct Visit<'a> {
    target: Target,
    surroundings: Surroundings,
    client: Client<Visited>,
    progress: &'a dyn Progress,
    redactor: Redactor,
    began: Timestamp,
    exchanges: Vec<Exchange>,
    examined: Vec<Examined>,
    no_way_on: Option<String>,
    left_behind: Vec<String>,
}

/// An answer, and where it stands among the exchanges.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What came.
    pub received: Received,
    /// How long it took.
    pub took: Duration,
    /// Its index in [`Report::exchanges`].
    pub exchange: usize,
}

/// No answer, and where that stands among the exchanges.
#[derive(Debug)]
pub struct NoAnswer {
    /// Why.
    pub error: SendError,
    /// Its index in [`Report::exchanges`].
    pub exchange: usize,
}

impl<'a> Visit<'a> {
    /// Begins.
    #[must_use]
    pub fn new(target: Target, surroundings: Surroundings, progress: &'a dyn Progress) -> Self {
        let client = Client::visiting(surroundings.net.clone(), Limits::VISITED);
        let mut redactor = Redactor::default();
        redactor.know_url(&target.url);
        for (_, value) in &target.headers {
            redactor.know_credential(value.expose());
        }
        let began = surroundings.clock.now();
        Self {
            target,
            surroundings,
            client,
            progress,
            redactor,
            began,
            exchanges: Vec::new(),
            examined: Vec::new(),
            no_way_on: None,
            left_behind: Vec::new(),
        }
    }

    /// What is looked at.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// The outside.
    #[must_use]
    pub const fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// From here on this is shown nowhere.
    pub fn keep_secret(&mut self, secret: &Secret) {
        self.redactor.know(secret);
    }

    /// Sends a request on a connection of its own, follows no redirect, reads the answer to its end.
    ///
    /// # Errors
    /// No answer came, or none that could be read.
    pub async fn send(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        let met = self.exchange(&request).await;
        self.write_down(&request, met)
    }

    /// As [`Visit::send`], and does not wait for the body: it may be a stream without an end.
    ///
    /// # Errors
    /// No answer came, or none that could be read.
    pub async fn head_of(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        let began = self.surroundings.clock.now();
        let answer = self.client.send(request.clone()).await.map(|response| Received {
            status: response.status(),
            headers: response.headers().clone(),
            url: response.url().clone(),
            body: Bytes::new(),
            cut: true,
        });
        let took = Duration::try_from(self.surroundings.clock.now().duration_since(began)).unwrap_or_default();
        self.write_down(&request, Met { answer, took })
    }

    /// As [`Visit::send`], of two requests at once.
    pub async fn send_both(&mut self, requests: [Request; 2]) -> [Result<Answer, NoAnswer>; 2] {
        let [one, other] = requests;
        let (met_one, met_other) = futures_util::future::join(self.exchange(&one), self.exchange(&other)).await;
        [self.write_down(&one, met_one), self.write_down(&other, met_other)]
    }

    async fn exchange(&self, request: &Request) -> Met {
        let began = self.surroundings.clock.now();
        let answer = match self.client.send(request.clone()).await {
            Ok(response) => response.read().await,
            Err(error) => Err(error),
        };
        let took = Duration::try_from(self.surroundings.clock.now().duration_since(began)).unwrap_or_default();
        Met { answer, took }
    }

    fn write_down(&mut self, request: &Request, met: Met) -> Result<Answer, NoAnswer> {
        let Met { answer, took } = met;
        self.redactor.know_sent(&request.headers);
        if let Ok(received) = &answer {
            self.redactor.know_cookies(&received.headers);
        }
        let exchange = self.exchanges.len();
        self.exchanges.push(Exchange {
            method: request.method.to_string(),
            url: self.redactor.line(request.url.as_str()),
            request_headers: self.redactor.headers(&request.headers),
            request_body: self.redactor.body(&request.body),
            answer: match &answer {
                Ok(received) => Ok(ShownAnswer {
                    status: received.status.as_u16(),
                    headers: self.redactor.headers(&received.headers),
                    body: self.redactor.body(&received.body),
                }),
                Err(error) => Err(self.redactor.line(&error.to_string())),
            },
            took,
        });
        match answer {
            Ok(received) => Ok(Answer { received, took, exchange }),
            Err(error) => Err(NoAnswer { error, exchange }),
        }
    }

    /// Why nothing further is looked at, where no check that failed says it: nobody gave a key, say.
    pub fn goes_no_further(&mut self, reason: impl Into<String>) {
        self.no_way_on.get_or_insert(reason.into());
    }

    /// Nothing further is looked at: because of what failed last, where no other reason was given.
    pub(crate) fn stop(&mut self) {
        let last = self.examined.iter().rev().find(|examined| matches!(examined.verdict, Verdict::Failed(_)));
        if let Some(id) = last.map(|examined| examined.check.id) {
            self.goes_no_further(format!("it cannot be looked at while {id} fails"));
        }
    }

    /// The check holds.
    pub fn passed(&mut self, check: &'static Check, seen: impl Into<Option<String>>) {
        let seen = seen.into().map(|seen| self.redactor.line(&seen));
        self.take_down(check, Verdict::Passed { seen });
    }

    /// The check holds with a reservation; `exchanges` show it.
    pub fn warning(&mut self, check: &'static Check, seen: impl Into<String>, exchanges: impl Into<Vec<usize>>) {
        let seen = self.redactor.line(&seen.into());
        self.take_down(check, Verdict::Warning(Finding { seen, exchanges: exchanges.into() }));
    }

    /// The check fails; `exchanges` show it.
    pub fn failed(&mut self, check: &'static Check, seen: impl Into<String>, exchanges: impl Into<Vec<usize>>) {
        let seen = self.redactor.line(&seen.into());
        self.take_down(check, Verdict::Failed(Finding { seen, exchanges: exchanges.into() }));
    }

    /// The check cannot be made, or does not apply.
    pub fn skipped(&mut self, check: &'static Check, reason: impl Into<String>) {
        let reason = self.redactor.line(&reason.into());
        self.take_down(check, Verdict::Skipped { reason });
    }

    /// This was made at the server, and cannot be taken away again.
    pub fn left_behind(&mut self, what: impl Into<String>) {
        let what = self.redactor.line(&what.into());
        self.left_behind.push(what);
    }

    /// The first verdict on a check stays, unless a worse one follows.
    fn take_down(&mut self, check: &'static Check, verdict: Verdict) {
        let examined = Examined { check, verdict };
        match self.examined.iter_mut().find(|earlier| earlier.check == check) {
            Some(earlier) if weight(&earlier.verdict) >= weight(&examined.verdict) => return,
            Some(earlier) => *earlier = examined.clone(),
            None => self.examined.push(examined.clone()),
        }
        self.progress.examined(&examined);
    }

    /// Ends: what has no verdict was not looked at.
    pub(crate) fn end(mut self) -> Report {
        self.stop();
        let reason = self.no_way_on.take().unwrap_or_else(|| "it was not reached".to_owned());
        let examined = checks::all().map(|check| {
            let found = self.examined.iter().position(|examined| examined.check == check);
            let skipped = || Examined { check, verdict: Verdict::Skipped { reason: reason.clone() } };
            found.map_or_else(skipped, |index| self.examined.swap_remove(index))
        });
        let mut examined: Vec<_> = examined.collect();
        // What became known as a secret later may stand in what was written down before.
        examined.iter_mut().for_each(|one| one.verdict.change_text(|text| self.redactor.again(text)));
        self.exchanges.iter_mut().for_each(|one| one.for_each_text(|text| self.redactor.again(text)));
        self.left_behind.iter_mut().for_each(|what| self.redactor.again(what));
        Report {
            examined,
            url: self.redactor.line(self.target.url.as_str()),
            profile: self.target.profile,
            began: self.began,
            ended: self.surroundings.clock.now(),
            exchanges: self.exchanges,
            left_behind: self.left_behind,
        }
    }
}

/// What came of a request, before it is written down.
struct Met {
    answer: Result<Received, SendError>,
    took: Duration,
}

const fn weight(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Skipped { .. } => 0,
        Verdict::Passed { .. } => 1,
        Verdict::Warning(_) => 2,
        Verdict::Failed(_) => 3,
    }
}
