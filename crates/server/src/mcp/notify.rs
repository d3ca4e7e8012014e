//! The way of a running call's notifications back to its client.

use async_trait::async_trait;
use bridgehead_core::{LogLevel, Notification, Notify};
use rmcp::{
    RoleServer,
    model::{LoggingLevel, LoggingMessageNotificationParam, ProgressNotificationParam, ProgressToken, ProtocolVersion},
    service::{Peer, RequestContext},
};

/// Sends to the client what it asked to hear.
pub(super) struct ToClient {
    peer: Peer<RoleServer>,
    /// Where the client gave none, progress is not sent.
    progress: Option<ProgressToken>,
    /// The least severe level that is sent; `None` sends no log at all.
    log: Option<LogLevel>,
}

impl ToClient {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Self {
        let per_request = context
            .protocol_version()
            .is_some_and(|version| version.as_str() >= ProtocolVersion::V_2026_07_28.as_str());
        // From 2026-07-28 on each request says what it wants to hear. Before, logging/setLevel set
        // it for a session; without sessions the level is the one that suits most clients.
        let log = if per_request { context.meta.log_level().map(from_rmcp) } else { Some(LogLevel::Info) };
        Self { peer: context.peer.clone(), progress: context.meta.get_progress_token(), log }
    }
}

#[async_trait]
impl Notify for ToClient {
    async fn notify(&self, notification: Notification) {
        let sent = match notification {
            Notification::Progress { progress, total, message } => {
                let Some(token) = self.progress.clone() else { return };
                let mut params = ProgressNotificationParam::new(token, progress);
                params.total = total;
                params.message = message;
                self.peer.notify_progress(params).await
            }
            Notification::Log { level, logger, data } => {
                if self.log.is_none_or(|least| level < least) {
                    return;
                }
                let mut params = LoggingMessageNotificationParam::new(to_rmcp(level), data);
                params.logger = logger;
                self.peer.notify_logging_message(params).await
            }
        };
        if let Err(error) = sent {
            tracing::debug!(%error, "a notification found no client");
        }
    }
}
const fn to_rmcp(level: LogLevel) -> LoggingLevel {
    match level {
        LogLevel::Debug => LoggingLevel::Debug,
        LogLevel::Info => LoggingLevel::Info,
        LogLevel::Notice => LoggingLevel::Notice,
        LogLevel::Warning => LoggingLevel::Warning,
        LogLevel::Error => LoggingLevel::Error,
        LogLevel::Critical => LoggingLevel::Critical,
        LogLevel::Alert => LoggingLevel::Alert,
        LogLevel::Emergency => LoggingLevel::Emergency,
    }
}
const fn from_rmcp(level: LoggingLevel) -> LogLevel {
    match level {
        LoggingLevel::Debug => LogLevel::Debug,
        LoggingLevel::Info => LogLevel::Info,
        LoggingLevel::Notice => LogLevel::Notice,
        LoggingLevel::Warning => LogLevel::Warning,
        LoggingLevel::Error => LogLevel::Error,
        LoggingLevel::Critical => LogLevel::Critical,
        LoggingLevel::Alert => LogLevel::Alert,
        LoggingLevel::Emergency => LogLevel::Emergency,
    }
}
