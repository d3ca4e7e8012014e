//! Notes the steps of a connection attempt, with where the request came from; at the gate the first
//! and the last of them.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use axum::extract::Request;
use bridgehead_auth::{
    Denied, Trace, TraceEvent,
    trace::{Fact, Step},
};
use bridgehead_core::{Caller, SignIn};
use http::{HeaderMap, header};

use crate::http::ClientAddress;

/// How many grants are remembered as having called; more than that, and a call may be noted as the
/// first twice.
const REMEMBERED: usize = 10_000;

/// A trace that knows whose request is being answered.
pub(crate) struct Traced<'r> {
    trace: &'r Trace,
    from: IpAddr,
    user_agent: Option<&'r str>,
}

impl<'r> Traced<'r> {
    pub(crate) fn new(trace: &'r Trace, headers: &'r HeaderMap, from: IpAddr) -> Self {
        let user_agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self { trace, from, user_agent }
    }

    pub(crate) fn record(&self, event: TraceEvent) {
        self.trace.record(event.came_from(self.from, self.user_agent));
    }
}

/// The steps that the gate sees: that a client was told where to sign in, and that it called.
#[derive(Clone)]
pub(crate) struct Connecting {
    trace: Trace,
    called: Arc<Mutex<HashSet<Arc<str>>>>,
}

impl Connecting {
    pub(crate) fn new(trace: Trace) -> Self {
        Self { trace, called: Arc::default() }
    }

    /// Nobody was let in.
    pub(crate) fn challenged(&self, request: &Request, denied: &Denied) {
        let event = match denied {
            Denied::Missing => TraceEvent::done(Step::Challenge),
            Denied::ForeignToken | Denied::DamagedToken | Denied::UnknownToken | Denied::RevokedToken { .. } => {
                TraceEvent::refused(Step::Challenge, denied.code(), &denied.to_string())
            }
            // A token that expired is renewed, every few minutes and as it should be. The rest is other
            // modes' business.
            _ => return,
        };
        self.record(request, event);
    }

    /// Somebody was let in.
    pub(crate) fn called(&self, request: &Request, caller: &Caller) {
        let SignIn::OAuth { client_id, grant_id } = &caller.sign_in else { return };
        {
            let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
            if called.contains(grant_id) {
                return;
            }
            if called.len() >= REMEMBERED {
                called.clear();
            }
            called.insert(grant_id.clone());
        }
        let event = TraceEvent::done(Step::FirstCall).with(Fact::ClientId, client_id);
        self.record(request, event.with(Fact::Subject, &caller.subject));
    }

    fn record(&self, request: &Request, event: TraceEvent) {
        let from = ClientAddress::of(request.extensions());
        Traced::new(&self.trace, request.headers(), from).record(event);
    }
}
