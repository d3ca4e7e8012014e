//! Step 1. Every call leaves one record: refusals, panics and clients that went away included.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{cache::Noted, gate::Gate};
use crate::{
    AuditRecord, AuditSink, Call, CallError, Clock, Effect, Ending, Outcome, RequestId, Tool, effects::handle::RUNNING,
};

/// A record that is still open. Dropped without [`Open::close`], it says that the caller went away.
pub(super) struct Open<'a> {
    sink: &'a dyn AuditSink,
    clock: Arc<dyn Clock>,
    at: Timestamp,
    request_id: RequestId,
    subject: Arc<str>,
    mode: &'static str,
    tool: String,
    effect: Option<Effect>,
    gate: Arc<Gate>,
    noted: Arc<Noted>,
    ending: Option<Ending>,
}

impl<'a> Open<'a> {
    pub(super) fn new(
        sink: &'a dyn AuditSink,
        clock: Arc<dyn Clock>,
        call: &Call,
        (gate, noted): (Arc<Gate>, Arc<Noted>),
    ) -> Self {
        Self {
            sink,
            at: clock.now(),
            clock,
            request_id: call.request_id.clone(),
            subject: call.caller.subject.clone(),
            mode: call.caller.sign_in.mode(),
            tool: call.wire_name.clone(),
            effect: None,
            gate,
            noted,
            ending: None,
        }
    }

    pub(super) fn found(&mut self, tool: &Tool) {
        self.tool = tool.address.to_string();
        self.effect = Some(tool.effect);
    }

    pub(super) fn close(mut self, result: Result<&Outcome, &CallError>) {
        let reached = self.gate.is_passed();
        if let Err(error) = result {
            log(&self.request_id, &self.tool, error);
        }
        self.ending = Some(match result {
            Ok(outcome) if outcome.meta.contains_key(RUNNING) => Ending::Continues,
            Ok(_) => Ending::Succeeded,
            Err(CallError::Cancelled) => Ending::Abandoned,
            Err(error) if reached => Ending::Failed(error.code()),
            Err(error) => Ending::Refused(error.code()),
        });
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        let took = Duration::try_from(self.clock.now().duration_since(self.at)).unwrap_or_default();
        self.sink.record(AuditRecord {
            at: self.at,
            request_id: self.request_id.clone(),
            subject: self.subject.clone(),
            mode: self.mode,
            tool: std::mem::take(&mut self.tool),
            effect: self.effect,
            ending: self.ending.unwrap_or(Ending::Abandoned),
            took,
            cache: self.noted.used(),
        });
    }
}

/// Writes down what lies behind an error, which callers never see; the request id that they have leads there.
pub(super) fn log(request_id: &RequestId, tool: &dyn fmt::Display, error: &CallError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    match error {
        CallError::Internal(fault) => {
            tracing::error!(%request_id, %tool, doing = fault.doing, cause, "call failed by our own fault");
        }
        CallError::Upstream(_) => {
            tracing::warn!(%request_id, %tool, code = error.code(), %error, cause, "call failed upstream");
        }
        CallError::InDoubt(doubt) => {
            let cause = doubt
                .cause
                .as_ref()
                .map(|cause| (cause.code(), std::error::Error::source(cause).map(ToString::to_string)));
            tracing::warn!(%request_id, %tool, effect = %doubt.effect, ?cause, "nobody knows whether a call took effect");
        }
        CallError::Refused(_) | CallError::AnswerNotKept | CallError::Cancelled => {}
    }
}
