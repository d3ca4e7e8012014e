//! The way from a request to an outcome: send, read, judge. Shared by `sources/http` and
//! `sources/openapi`; what to send and what was described is theirs.

use std::{sync::Arc, time::Duration};

use bridgehead_core::{
    Call, CallError, Caller, CallerCredential, CallerCredentials, Clock, Effect, Freshness, NoVaults, Outcome, Refusal,
    Secret, UpstreamCode, UpstreamFailure,
};
use bridgehead_outbound::{Client, Configured, Received, Request};
use http::{HeaderName, StatusCode};

use super::{
    answer::AnswerShape,
    credential::{Credential, Redactor},
    failure::{self, Context},
    freshness,
    problem::Problem,
};

/// How much longer than its deadline a call with effects may wait for its answer: nobody waits for
/// it any longer, but whether it took effect is worth knowing.
const LATE: Duration = Duration::from_secs(30);

/// Sends requests to one system behind, and makes outcomes of its answers.
pub(crate) struct Exchange {
    /// The source's name in the configuration: what messages call the system behind.
    pub(crate) source: String,
    /// What is presented to the system behind.
    pub(crate) credential: Credential,
    /// What must not come back in an error, beside the credential.
    pub(crate) secrets: Vec<Secret>,
    /// How it is reached.
    pub(crate) client: Client<Configured>,
    /// For `retry-after` and deadlines.
    pub(crate) clock: Arc<dyn Clock>,
    /// Where callers' own credentials are asked for.
    pub(crate) credentials: Arc<dyn CallerCredentials>,
}

/// An answer that was read, and what takes out of it what was presented.
struct Answered {
    received: Received,
    redactor: Redactor,
    freshness: Box<Freshness>,
    /// It says that the answer which the call has validators of is still good.
    is_good: bool,
}

impl Exchange {
    /// For credentials that are in no vault.
    pub(crate) fn new(
        source: String,
        credential: Credential,
        secrets: Vec<Secret>,
        client: Client<Configured>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { source, credential, secrets, client, clock, credentials: Arc::new(NoVaults) }
    }

    /// Puts the credential and the call's key for the system behind in, sends the request, reads the
    /// answer.
    ///
    /// `effect` is the tool's: it decides whether a failure may be retried. Time-outs follow the
    /// call's deadline. Where the call has validators, the credential is still the same and the method
    /// allows it, it asks whether that answer is still good. A caller's own credential that is not accepted
    /// is renewed, where it can be; a read is then sent once more.
    ///
    /// # Errors
    /// [`CallError::Upstream`] for everything that is not a success (2xx) that can be read, and
    /// [`Refusal::CredentialRequired`] where the caller has to bring another credential. What was
    /// presented is nowhere in message, details and cause.
    pub(crate) async fn run(
        &self,
        request: Request,
        effect: Effect,
        shape: AnswerShape,
        call: &Call,
    ) -> Result<Outcome, CallError> {
        let held = self.credential.held(&call.caller, &*self.credentials).await?;
        let mut answered = self.send(request.clone(), effect, held.as_ref(), call).await?;
        if let (Some(held), StatusCode::UNAUTHORIZED) = (&held, answered.received.status) {
            let renewed = self.renewed(held, &answered, call).await?;
            if !effect.is_read() {
                return Err(failure::renewed(&self.source).into());
            }
            answered = self.send(request, effect, Some(&renewed), call).await?;
            if answered.received.status == StatusCode::UNAUTHORIZED {
                // What is left to say is the teammate's to mend, unless somebody was faster again.
                self.renewed(&renewed, &answered, call).await?;
                return Err(failure::renewed(&self.source).into());
            }
        }
        let Answered { received, redactor, freshness, is_good } = answered;
        let context = self.context(effect, &redactor);
        if received.status.is_success() {
            let outcome = shape.outcome(&received, call.max_result_bytes, &context)?;
            Ok(Outcome { freshness, ..outcome })
        } else if is_good {
            Ok(Outcome { freshness, ..Outcome::default() })
        } else {
            Err(failure::of_answer(&received, &context).into())
        }
    }

    /// As [`bridgehead_core::Source::shows`].
    pub(crate) async fn shows(&self, caller: &Caller) -> Result<Option<String>, CallError> {
        let held = self.credential.held(caller, &*self.credentials).await?;
        Ok(held.as_ref().map(CallerCredential::standing))
    }

    async fn send(
        &self,
        mut request: Request,
        effect: Effect,
        held: Option<&CallerCredential>,
        call: &Call,
    ) -> Result<Answered, CallError> {
        let mut redactor = self.credential.apply(&self.source, &call.caller, held, &mut request)?;
        present_key(&mut request, call)?;
        self.secrets.iter().for_each(|secret| redactor.learn(secret));
        for value in request.headers.values().filter(|value| value.is_sensitive()) {
            redactor.learn(&Secret::new(String::from_utf8_lossy(value.as_bytes()).into_owned()));
        }
        request.timeout = request.timeout.or_else(|| self.time_left(effect, call));
        // With another credential than it was made with, the answer may be another account's.
        let is_its_own = held.map(CallerCredential::standing).as_deref() == call.shown.as_deref();
        let known = call.validators.as_ref().filter(|_| is_its_own);
        let (is_asked, method) = (freshness::ask(&mut request, known), request.method.clone());
        let sent = self.clock.now();
        let answer = match self.client.send(request).await {
            Ok(answer) => answer.read().await,
            Err(error) => Err(error),
        };
        let received = answer.map_err(|error| failure::of_transport(error, &self.context(effect, &redactor)))?;
        let freshness = Box::new(freshness::of(&received, &method, (sent, self.clock.now())));
        let is_good = is_asked && received.status == StatusCode::NOT_MODIFIED;
        Ok(Answered { received, redactor, freshness, is_good })
    }

    fn context<'a>(&'a self, effect: Effect, redactor: &'a Redactor) -> Context<'a> {
        Context {
            source: &self.source,
            effect,
            redactor,
            caller_owns_credential: matches!(self.credential, Credential::FromCaller | Credential::Vault(_)),
            clock: self.clock.as_ref(),
        }
    }

    /// Another credential in the place of one that was not accepted.
    async fn renewed(
        &self,
        held: &CallerCredential,
        answered: &Answered,
        call: &Call,
    ) -> Result<CallerCredential, CallError> {
        let Credential::Vault(credential) = &self.credential else { return Ok(held.clone()) };
        let renewed = self.credentials.not_accepted(&credential.vault, &call.caller, held).await;
        renewed.map_err(|error| match error {
            CallError::Refused(Refusal::CredentialRequired(mut required)) => {
                required.said = Problem::read(&answered.received, &answered.redactor).words;
                CallError::Refused(Refusal::CredentialRequired(required))
            }
            other => other,
        })
    }

    fn time_left(&self, effect: Effect, call: &Call) -> Option<Duration> {
        let left = call.deadline?.duration_since(self.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        Some(if effect.is_read() { left } else { left + LATE })
    }
}

/// The key by which the system behind knows a repeat for one (D5). It goes over a header of the same
/// name that the request has anyhow: the pipeline repeats calls on the strength of it.
fn present_key(request: &mut Request, call: &Call) -> Result<(), CallError> {
    let Some(effect) = &call.effect else { return Ok(()) };
    let Some(header) = &effect.upstream_header else { return Ok(()) };
    let put = HeaderName::from_bytes(header.as_bytes())
        .ok()
        .and_then(|name| request.set_header(name, &effect.id.upstream_key()).ok());
    put.ok_or_else(|| {
        // Nothing was sent, and nothing would know a repeat.
        let message =
            format!("`{header}` is no name for a header. Nothing was sent. Tell the operator of this server.");
        UpstreamFailure::new(UpstreamCode::Unavailable, message).not_retryable().into()
    })
}
