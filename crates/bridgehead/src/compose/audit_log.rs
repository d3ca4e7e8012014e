//! The audit as log lines: who called what and how it ended, one line a call, under the target
//! `audit`.

use bridgehead_core::{AuditRecord, AuditSink};

/// Writes every record to the log.
#[derive(Debug, Clone, Copy, Default)]
pub struct AuditLog;

impl AuditSink for AuditLog {
    fn record(&self, record: AuditRecord) {
        tracing::info!(
            target: "audit",
            request_id = %record.request_id,
            subject = &*record.subject,
            mode = record.mode,
            tool = record.tool,
            effect = record.effect.map(|effect| effect.as_str()),
            ending = record.ending.as_str(),
            cache = record.cache.map(bridgehead_core::CacheUse::as_str),
            code = record.ending.code(),
            ms = u64::try_from(record.took.as_millis()).unwrap_or(u64::MAX),
        );
    }
}
