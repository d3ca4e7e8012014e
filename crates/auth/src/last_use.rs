//! Takes note of when something was last used, at most once a minute for each, in tasks of their
//! own that no request waits for.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};
use tokio_util::task::TaskTracker;

use crate::StoreError;

/// How long a recorded use stands before the next one is recorded.
const TOUCH_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// From how many remembered uses on the old ones are cleared away.
const REMEMBERED_USES: usize = 1024;

#[derive(Default)]
pub(crate) struct LastUse {
    uses: Mutex<HashMap<Arc<str>, Timestamp>>,
    recording: TaskTracker,
}

impl LastUse {
    /// Records a use with `touch`, unless one was recorded within the last minute.
    pub(crate) fn record<Touch>(
        &self,
        id: &Arc<str>,
        last: Option<Timestamp>,
        now: Timestamp,
        touch: impl FnOnce() -> Touch,
    ) where
        Touch: Future<Output = Result<(), StoreError>> + Send + 'static,
    {
        let recent = |last: Timestamp| now.duration_since(last) < TOUCH_EVERY;
        if last.is_some_and(recent) {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        {
            let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
            if uses.get(id).copied().is_some_and(recent) {
                return;
            }
            if uses.len() >= REMEMBERED_USES {
                uses.retain(|_, last| recent(*last));
            }
            uses.insert(id.clone(), now);
        }
        let (id, touch) = (id.clone(), touch());
        let recorded = async move {
            if let Err(error) = touch.await {
                tracing::debug!(%id, %error, "a use was not recorded");
            }
        };
        self.recording.spawn_on(recorded, &runtime);
    }

    /// Waits until every use that was noted is recorded.
    pub(crate) async fn settle(&self) {
        self.recording.close();
        self.recording.wait().await;
        self.recording.reopen();
    }
}
