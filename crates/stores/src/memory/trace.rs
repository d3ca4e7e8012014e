//! Steps of connection attempts in memory.

use async_trait::async_trait;
use bridgehead_auth::{StoreError, TraceEvent, TraceStore, keys::to_microsecond, trace::Kept};
use jiff::Timestamp;

use super::Memory;

#[async_trait]
impl TraceStore for Memory {
    async fn append_trace(&self, events: Vec<TraceEvent>, kept: Kept) -> Result<(), StoreError> {
        let mut trace = self.trace();
        trace.extend(events.into_iter().map(|event| TraceEvent { at: to_microsecond(event.at), ..event }));
        trace.retain(|event| event.at >= kept.since);
        // Sorting keeps the order of equals.
        trace.sort_by_key(|event| event.at);
        let surplus = trace.len().saturating_sub(usize::try_from(kept.at_most).unwrap_or(usize::MAX));
        trace.drain(..surplus);
        Ok(())
    }

    async fn trace_since(&self, since: Timestamp) -> Result<Vec<TraceEvent>, StoreError> {
        Ok(self.trace().iter().filter(|event| event.at >= since).cloned().collect())
    }
}
