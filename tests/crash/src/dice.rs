//! Chance from a seed, so that each decision is the same whatever the order in which tasks run.

use bridgehead_core::Randomness;
use bridgehead_harness::SeededRandomness;

/// What a decision is about.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(crate) enum About {
    Arguments = 1,
    Fate,
    Caller,
    Kill,
}

/// A die for one decision.
pub(crate) struct Dice(SeededRandomness);

impl Dice {
    /// The die for the `nth` decision of its kind on the intent (or call) of this number.
    pub(crate) fn new(seed: u64, about: About, number: u64, nth: u64) -> Self {
        let mix = |state: u64, part: u64| (state ^ part).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31);
        Self(SeededRandomness::new([about as u64, number, nth].into_iter().fold(seed, mix)))
    }

    /// One of `0..sides`.
    pub(crate) fn below(&self, sides: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % sides
    }

    /// Whether so many in a thousand fall so.
    pub(crate) fn per_mille(&self, so_many: u64) -> bool {
        self.below(1000) < so_many
    }
}
