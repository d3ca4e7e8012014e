//! How MCP is spoken: revisions, sessions, the form of answers.

mod message;
mod revision;
mod session;

use std::fmt;

use super::{access::Access, reach::Reached};
use crate::{
    Check,
    rpc::{Dialect, Line},
    visit::Visit,
};

/// The checks of this area, in order.
pub const CHECKS: &[&Check] = &[
    &revision::MCP_ANSWERS,
    &revision::REVISION_FALLBACK,
    &revision::REVISION_DISCOVERY,
    &revision::REVISION_NEGOTIATION,
    &revision::REVISION_UNKNOWN,
    &revision::INITIALIZE_RESULT,
    &session::NOTIFICATION_ACCEPTED,
    &session::SESSION_AFFINITY,
    &session::SESSION_UNKNOWN,
    &session::SESSION_DELETE,
    &session::PING,
    &message::VERSION_HEADER,
    &message::VERSION_HEADER_MISSING,
    &message::METHOD_HEADER,
    &message::ANSWER_ENDS,
    &message::RPC_MEDIA_TYPE,
    &message::RPC_FORM,
    &message::RPC_ID,
    &message::RPC_CONCURRENT,
    &message::RPC_UNKNOWN_METHOD,
    &message::RPC_PARSE_ERROR,
    &message::RPC_ACCEPT,
];

/// How the server is spoken to from here on.
pub struct Spoken {
    /// The newest revision that both speak, e.g. `2025-11-25`.
    pub revision: &'static str,
    /// Whether it says that it has tools.
    pub declares_tools: bool,
    /// Whether clients of a revision with a handshake are served as well.
    pub serves_older: bool,
    pub(crate) line: Line,
    pub(crate) dialect: Dialect,
}

impl fmt::Debug for Spoken {
    /// The line carries the credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spoken").field("revision", &self.revision).finish_non_exhaustive()
    }
}

/// Looks; `None` where no message is answered, or no session lasts.
pub async fn examine(visit: &mut Visit<'_>, reached: &Reached, access: &Access) -> Option<Spoken> {
    let line = Line::new(&reached.endpoint, &access.headers)?;
    let greeted = revision::examine(visit, &line).await?;
    let lasts = match &greeted.old {
        Some(old) => session::examine(visit, &line, old).await,
        None => {
            session::not_there(visit);
            true
        }
    };
    let dialect = greeted.newest();
    // A server that loses sessions would fail all that follows, unless it can do without.
    let goes_on = (lasts || dialect.session.is_none()) && message::examine(visit, &line, &greeted).await;
    let serves_older = greeted.old.is_some();
    if let Some(old) = greeted.old.filter(|_| greeted.modern || !goes_on) {
        // Whether that works was looked at.
        let _ = line.end(visit, &old).await;
    }
    let declares_tools = greeted.declares_tools;
    goes_on.then(|| Spoken { revision: dialect.revision, declares_tools, serves_older, line, dialect })
}
