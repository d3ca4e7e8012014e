//! What becomes of a request that has reached the system behind: decided by the seed, the intent and how often it has
//! come before.

use std::time::Duration;

use crate::dice::{About, Dice};

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is done and answered.
    Good,
    /// Done, and answered late; `true`: later than the caller may wait.
    Late(bool),
    /// The connection is reset; `true`: after it was done.
    Reset(bool),
    /// A gateway answers 502; `true`: after it was done.
    BadGateway(bool),
    /// Done, and the answer breaks off.
    HalfAnswer,
    /// 429, and nothing is done.
    TooMany,
    /// 503 with `Retry-After`, and nothing is done.
    Busy,
    /// Whoever sent it is killed before an answer; `true`: it is done all the same.
    Kill(bool),
    /// Done, and never answered.
    Silence,
}

/// One of each, which the first intents meet whatever the seed.
const EACH: [Fate; 14] = [
    Fate::Kill(true),
    Fate::Kill(false),
    Fate::Silence,
    Fate::Reset(true),
    Fate::Reset(false),
    Fate::BadGateway(true),
    Fate::BadGateway(false),
    Fate::HalfAnswer,
    Fate::Late(true),
    Fate::Late(false),
    Fate::TooMany,
    Fate::Busy,
    Fate::Kill(true),
    Fate::Good,
];

/// Answers within the caller's time.
pub(crate) const LATE: Duration = Duration::from_millis(300);
/// Answers when the caller's time is up, and the server's is not.
pub(crate) const TOO_LATE: Duration = Duration::from_millis(2600);

impl Fate {
    /// The fate of the intent's request that came as the `nth`, counted from 0.
    pub(crate) fn of(seed: u64, intent: u64, nth: u64) -> Self {
        if nth == 0
            && let Some(fate) = usize::try_from(intent).ok().and_then(|intent| EACH.get(intent))
        {
            return *fate;
        }
        let dice = Dice::new(seed, About::Fate, intent, nth);
        let is_done = dice.below(2) == 0;
        match dice.below(1000) {
            0..700 => Self::Good,
            700..750 => Self::Reset(is_done),
            750..800 => Self::BadGateway(is_done),
            800..830 => Self::HalfAnswer,
            830..880 => Self::TooMany,
            880..930 => Self::Busy,
            930..970 => Self::Late(false),
            970..985 => Self::Late(true),
            985..997 => Self::Kill(is_done),
            _ => Self::Silence,
        }
    }
}

/// Whether the system behind refuses what is intended, however often it is asked.
pub(crate) fn is_refused(seed: u64, intent: u64) -> bool {
    intent >= EACH.len() as u64 && Dice::new(seed, About::Arguments, intent, 0).per_mille(30)
}

/// How many units are ordered. What is to be refused has too many.
pub(crate) fn units(seed: u64, intent: u64) -> u64 {
    if is_refused(seed, intent) { 100 } else { 1 + Dice::new(seed, About::Arguments, intent, 1).below(90) }
}
