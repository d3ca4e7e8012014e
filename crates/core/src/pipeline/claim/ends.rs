//! Tells those who wait in this process for another call's end that it came. Across processes they
//! look at the store.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, futures::Notified};

use crate::EffectId;

/// Who waits for which effect.
#[derive(Default)]
pub(super) struct Ends(Mutex<HashMap<EffectId, Arc<Notify>>>);

/// One that waits.
pub(super) struct Listening<'a> {
    ends: &'a Ends,
    id: EffectId,
    end: Arc<Notify>,
}

impl Ends {
    /// Begins to listen.
    pub(super) fn listen(&self, id: &EffectId) -> Listening<'_> {
        let end = self.listeners().entry(id.clone()).or_default().clone();
        Listening { ends: self, id: id.clone(), end }
    }

    /// Wakes all who listen.
    pub(super) fn ended(&self, id: &EffectId) {
        if let Some(end) = self.listeners().get(id) {
            end.notify_waiters();
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<EffectId, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listening<'_> {
    /// Completes at the next end from now on, whether or not it is awaited by then.
    pub(super) fn end(&self) -> Notified<'_> {
        self.end.notified()
    }
}

impl Drop for Listening<'_> {
    /// The last one takes the entry away.
    fn drop(&mut self) {
        let mut listeners = self.ends.listeners();
        // One in the map, one here.
        if Arc::strong_count(&self.end) <= 2 {
            listeners.remove(&self.id);
        }
    }
}
