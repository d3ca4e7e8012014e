//! What was said of a credential, remembered for a while by its fingerprint.

use std::collections::{HashMap, VecDeque};

use jiff::{SignedDuration, Timestamp};

use crate::Fingerprint;

/// What was remembered, in the order in which it is forgotten: all of it lasts equally long.
pub(crate) struct Recent<T> {
    entries: HashMap<Fingerprint, (Timestamp, T)>,
    order: VecDeque<(Timestamp, Fingerprint)>,
}

impl<T> Default for Recent<T> {
    fn default() -> Self {
        Self { entries: HashMap::new(), order: VecDeque::new() }
    }
}

impl<T: Clone> Recent<T> {
    pub(crate) fn get(&self, fingerprint: &Fingerprint, now: Timestamp) -> Option<T> {
        self.entries.get(fingerprint).filter(|(until, _)| now < *until).map(|(_, value)| value.clone())
    }

    pub(crate) fn put(
        &mut self,
        fingerprint: Fingerprint,
        value: T,
        now: Timestamp,
        lasts: SignedDuration,
        capacity: usize,
    ) {
        let Ok(until) = now.checked_add(lasts) else { return };
        self.entries.insert(fingerprint, (until, value));
        self.order.push_back((until, fingerprint));
        while let Some((until, oldest)) = self.order.front().copied() {
            if now < until && self.order.len() <= capacity {
                break;
            }
            self.order.pop_front();
            // It may have been put again since, and then lasts longer.
            if self.entries.get(&oldest).is_some_and(|(current, _)| *current == until) {
                self.entries.remove(&oldest);
            }
        }
    }
}
