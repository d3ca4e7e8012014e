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
pub(super) struct Ends(Mutex<HashMap<EffectId, Listeners>>);

/// All who wait for one effect.
#[derive(Default)]
struct Listeners {
    count: usize,
    end: Arc<Notify>,
}

/// One that waits.
pub(super) struct Listening<'a> {
    ends: &'a Ends,
    id: EffectId,
    end: Arc<Notify>,
}

impl Ends {
    /// Begins to listen.
    pub(super) fn listen(&self, id: &EffectId) -> Listening<'_> {
        let mut listeners = self.listeners();
        let of_this = listeners.entry(id.clone()).or_default();
        of_this.count += 1;
        Listening { ends: self, id: id.clone(), end: of_this.end.clone() }
    }

    /// Wakes all who listen.
    pub(super) fn ended(&self, id: &EffectId) {
        if let Some(listeners) = self.listeners().get(id) {
            listeners.end.notify_waiters();
        }
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<EffectId, Listeners>> {
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
        let Some(of_this) = listeners.get_mut(&self.id) else { return };
        of_this.count -= 1;
        if of_this.count == 0 {
            listeners.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Whoever leaves last takes the entry away, also where two leave in the same moment.
    #[test]
    fn nothing_is_left_of_those_who_waited() {
        const ROUNDS: u8 = 100;
        const AT_ONCE: usize = 4;
        let (ends, together) = (Ends::default(), Barrier::new(AT_ONCE));
        let leave_together = || {
            for (high, low) in (0..ROUNDS).flat_map(|high| (0..ROUNDS).map(move |low| (high, low))) {
                let mut digest = [0; 32];
                (digest[0], digest[1]) = (high, low);
                let listening = ends.listen(&EffectId::from_digest(&digest));
                together.wait();
                drop(listening);
            }
        };
        std::thread::scope(|scope| (0..AT_ONCE).for_each(|_| drop(scope.spawn(leave_together))));
        assert_eq!(ends.listeners().len(), 0);
    }
}
