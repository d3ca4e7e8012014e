//! Many records under their ids: what a store of effects does, without time, tasks or disks. The
//! store in memory is one of these behind a lock, and the SQL stores are held to the same contract.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Change, ClaimOutcome, ClaimToken, EffectRecord, KeptAnswer, Lease};
use crate::EffectId;

/// Effects by their ids. The verbs are those of [`EffectStore`](super::EffectStore), `find` and `sweep` being short
/// for `find_effect` and `sweep_effects`.
#[derive(Debug, Default)]
pub struct EffectTable(BTreeMap<EffectId, EffectRecord>);

#[expect(missing_docs, reason = "each method is the verb of that name of EffectStore")]
impl EffectTable {
    pub fn claim(&mut self, record: &EffectRecord, now: Timestamp) -> ClaimOutcome {
        match self.0.get(&record.id).filter(|found| found.is_kept(now) && !found.is_void()) {
            Some(found) => ClaimOutcome::Found(found.clone()),
            None => {
                self.0.insert(record.id.clone(), record.clone());
                ClaimOutcome::Claimed
            }
        }
    }

    #[must_use]
    pub fn find(&self, id: &EffectId, now: Timestamp) -> Option<EffectRecord> {
        self.0.get(id).filter(|found| found.is_kept(now)).cloned()
    }

    pub fn renew(&mut self, id: &EffectId, token: &ClaimToken, lease: Lease) -> Change {
        self.change(id, |record| record.renew(token, lease))
    }

    pub fn settle(&mut self, id: &EffectId, token: &ClaimToken, answer: &KeptAnswer, keep_until: Timestamp) -> Change {
        self.change(id, |record| record.settle(token, answer.clone(), keep_until))
    }

    pub fn doubt(&mut self, id: &EffectId, token: &ClaimToken, keep_until: Timestamp) -> Change {
        self.change(id, |record| record.doubt(token, keep_until))
    }

    pub fn release(&mut self, id: &EffectId, token: &ClaimToken) -> Change {
        let change = self.change(id, |record| record.release(token));
        if change == Change::Made {
            self.0.remove(id);
        }
        change
    }

    pub fn void(&mut self, id: &EffectId, token: &ClaimToken, answer: &KeptAnswer, keep_until: Timestamp) -> Change {
        self.change(id, |record| record.void(token, answer.clone(), keep_until))
    }

    pub fn take_over(
        &mut self,
        id: &EffectId,
        from: &ClaimToken,
        to: &ClaimToken,
        lease: Lease,
        now: Timestamp,
    ) -> Change {
        self.change(
            id,
            |record| if record.is_kept(now) { record.take_over(from, to, lease, now) } else { Change::TooLate },
        )
    }

    pub fn sweep(&mut self, now: Timestamp) -> u64 {
        let before = self.0.len();
        self.0.retain(|_, record| record.is_kept(now));
        u64::try_from(before - self.0.len()).unwrap_or(u64::MAX)
    }

    fn change(&mut self, id: &EffectId, step: impl FnOnce(&mut EffectRecord) -> Change) -> Change {
        self.0.get_mut(id).map_or(Change::TooLate, step)
    }
}
