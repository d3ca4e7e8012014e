//! What callers were told, held against what really happened. Pure: whether it would find a duplicate, a loss or a lie
//! is tested here.

use std::collections::BTreeMap;

/// What one request came to, as its caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It was done, and this is the order's number. `replayed`: it was marked as answered before.
    Done {
        /// The number that the answer has.
        order: i64,
        /// Whether the answer was marked as given before.
        replayed: bool,
    },
    /// It was refused for good, and is not done.
    Refused,
    /// It was not done, and may be asked for again under the same key.
    Released,
    /// Nobody knows. `may_settle`: the same call under the same key may bring certainty.
    InDoubt {
        /// Whether the error said that a repeat makes sense.
        may_settle: bool,
    },
    /// It goes on, and a repeat under the same key waits for its end.
    GoesOn,
    /// Nothing was said of the effect: come again.
    ComeAgain,
    /// No answer at all: the server was killed, or the caller did not wait.
    Nothing,
    /// What no caller should ever be told.
    Nonsense(String),
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Violation {
    /// It was done more than once.
    Duplicate,
    /// A caller was told that it was done, and it was not.
    Loss,
    /// A caller was told that it was not done, and it was.
    DoneAllTheSame,
    /// Two answers to one intent, or an answer with a number that no order of it has.
    OtherAnswer,
    /// It was not known in the end what became of it, and could have been.
    LeftInDoubt,
    /// The caller was told nothing that it could act on, to the end.
    NeverTold,
    /// What no caller should ever be told.
    Nonsense(String),
}

/// What is known of one intent.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// What its callers were told, in order.
    pub told: Vec<Told>,
    /// What was found wrong while it was pursued.
    pub found: Vec<Violation>,
    /// Whether its caller went away for good in the middle.
    pub is_abandoned: bool,
}

impl Account {
    /// Notes an answer. `orders` are those there are at this moment; `None` where another request for the same intent is
    /// on its way, so that the moment says nothing.
    pub fn hear(&mut self, told: Told, orders: Option<&[i64]>) {
        match (&told, orders) {
            (Told::Refused | Told::Released, Some([_, ..])) => self.found.push(Violation::DoneAllTheSame),
            (Told::Done { .. }, Some([])) => self.found.push(Violation::Loss),
            (Told::Nonsense(text), _) => self.found.push(Violation::Nonsense(text.clone())),
            _ => {}
        }
        self.told.push(told);
    }

    /// What is wrong in the end, when `orders` were made for the intent. `always_settles`: whether every doubt can be
    /// settled.
    #[must_use]
    pub fn violations(&self, orders: &[i64], always_settles: bool) -> Vec<Violation> {
        let mut found = self.found.clone();
        let answers: Vec<i64> = self.told.iter().filter_map(Told::order).collect();
        if orders.len() > 1 {
            found.push(Violation::Duplicate);
        }
        if !answers.is_empty() && orders.is_empty() && !found.contains(&Violation::Loss) {
            found.push(Violation::Loss);
        }
        if answers.iter().any(|answer| !orders.is_empty() && !orders.contains(answer)) {
            found.push(Violation::OtherAnswer);
        }
        if answers.windows(2).any(|pair| pair[0] != pair[1]) && orders.len() == 1 {
            found.push(Violation::OtherAnswer);
        }
        if self.told.contains(&Told::Refused) && !orders.is_empty() && !found.contains(&Violation::DoneAllTheSame) {
            found.push(Violation::DoneAllTheSame);
        }
        if !self.is_abandoned {
            match self.told.last() {
                Some(Told::Done { .. } | Told::Refused) => {}
                Some(Told::InDoubt { .. }) if always_settles => found.push(Violation::LeftInDoubt),
                Some(Told::InDoubt { .. }) => {}
                _ => found.push(Violation::NeverTold),
            }
        }
        found.dedup();
        found
    }
}

impl Told {
    const fn order(&self) -> Option<i64> {
        match self {
            Self::Done { order, .. } => Some(*order),
            _ => None,
        }
    }
}

/// The sums of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Intents.
    pub intents: u64,
    /// Requests of callers.
    pub requests: u64,
    /// What was done.
    pub effects: u64,
    /// Done once too often, each time.
    pub duplicates: u64,
    /// Said to be done, and not done.
    pub losses: u64,
    /// Everything else that must not be.
    pub lies: u64,
    /// Intents whose callers were told at least once that nobody knows.
    pub in_doubt: u64,
    /// Of those, the ones that stayed so, and were done.
    pub stayed_and_done: u64,
    /// Of those, the ones that stayed so, and were not done.
    pub stayed_and_not_done: u64,
    /// Answers that were marked as given before.
    pub replayed: u64,
    /// Answers that freed the key.
    pub released: u64,
    /// Intents that were refused for good.
    pub refused: u64,
    /// Intents whose callers went away for good in the middle.
    pub abandoned: u64,
}

/// Adds all accounts up; what is wrong comes with the intent's number.
#[must_use]
pub fn close(
    accounts: &BTreeMap<u64, Account>,
    orders: impl Fn(u64) -> Vec<i64>,
    always_settles: bool,
) -> (Sums, Vec<(u64, Violation)>) {
    let mut sums = Sums::default();
    let mut violations = Vec::new();
    let count = |told: &[Told], is_one: fn(&Told) -> bool| told.iter().filter(|told| is_one(told)).count() as u64;
    for (intent, account) in accounts {
        let orders = orders(*intent);
        let told = &account.told;
        sums.intents += 1;
        sums.requests += told.len() as u64;
        sums.effects += orders.len() as u64;
        sums.duplicates += orders.len().saturating_sub(1) as u64;
        sums.replayed += count(told, |told| matches!(told, Told::Done { replayed: true, .. }));
        sums.released += count(told, |told| matches!(told, Told::Released));
        sums.refused += u64::from(told.last() == Some(&Told::Refused));
        sums.abandoned += u64::from(account.is_abandoned);
        sums.in_doubt += u64::from(told.iter().any(|told| matches!(told, Told::InDoubt { .. })));
        if matches!(told.last(), Some(Told::InDoubt { .. })) {
            sums.stayed_and_done += u64::from(!orders.is_empty());
            sums.stayed_and_not_done += u64::from(orders.is_empty());
        }
        for violation in account.violations(&orders, always_settles) {
            sums.losses += u64::from(violation == Violation::Loss);
            sums.lies += u64::from(!matches!(violation, Violation::Loss | Violation::Duplicate));
            violations.push((*intent, violation));
        }
    }
    (sums, violations)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: Told = Told::Done { order: 7, replayed: false };
    const AGAIN: Told = Told::Done { order: 7, replayed: true };
    const DOUBT: Told = Told::InDoubt { may_settle: false };

    fn account(told: &[(Told, &[i64])]) -> Account {
        let mut account = Account::default();
        for (told, orders) in told {
            account.hear(told.clone(), Some(orders));
        }
        account
    }

    /// What callers are told and the orders that are there then, the orders in the end, what is wrong.
    type Case<'c> = (&'c [(Told, &'c [i64])], &'c [i64], &'c [Violation]);

    /// The check can fail: each thing that must not be is found, and nothing else.
    #[test]
    fn each_violation_is_found() {
        use Violation::{DoneAllTheSame, Duplicate, LeftInDoubt, Loss, NeverTold, OtherAnswer};
        let other = Told::Done { order: 8, replayed: true };
        let cases: &[Case<'_>] = &[
            (&[(DONE, &[7]), (AGAIN, &[7])], &[7], &[]),
            (&[(Told::Nothing, &[]), (Told::Released, &[]), (DONE, &[7])], &[7], &[]),
            (&[(Told::Refused, &[])], &[], &[]),
            (&[(DONE, &[7, 8])], &[7, 8], &[Duplicate]),
            (&[(DONE, &[])], &[], &[Loss]),
            // It was there, and went away again.
            (&[(DONE, &[7])], &[], &[Loss]),
            (&[(Told::Released, &[7]), (AGAIN, &[7])], &[7], &[DoneAllTheSame]),
            (&[(Told::Refused, &[])], &[7], &[DoneAllTheSame]),
            (&[(DONE, &[7]), (other, &[7])], &[7], &[OtherAnswer]),
            (&[(DOUBT, &[7])], &[7], &[LeftInDoubt]),
            (&[(Told::GoesOn, &[])], &[], &[NeverTold]),
        ];
        for (told, orders, expected) in cases {
            assert_eq!(account(told).violations(orders, true), *expected, "{told:?} {orders:?}");
        }
    }

    #[test]
    fn a_doubt_that_nobody_can_settle_is_no_violation() {
        for orders in [&[][..], &[7]] {
            assert_eq!(account(&[(Told::Nothing, &[]), (DOUBT, orders)]).violations(orders, false), []);
        }
        let mut abandoned = account(&[(Told::Nothing, &[])]);
        abandoned.is_abandoned = true;
        assert_eq!(abandoned.violations(&[7], true), []);
        assert_eq!(abandoned.violations(&[7, 8], true), [Violation::Duplicate]);
    }

    #[test]
    fn sums_are_of_all_accounts() {
        let accounts = BTreeMap::from([
            (1, account(&[(Told::Released, &[]), (DONE, &[7]), (AGAIN, &[7])])),
            (2, account(&[(DOUBT, &[7])])),
            (3, account(&[(DOUBT, &[])])),
            (4, account(&[(DONE, &[7])])),
        ]);
        let orders = |intent: u64| match intent {
            1 | 2 => vec![7],
            4 => vec![7, 8, 9],
            _ => Vec::new(),
        };
        let (sums, violations) = close(&accounts, orders, false);
        let expected = Sums {
            intents: 4,
            requests: 6,
            effects: 5,
            duplicates: 2,
            in_doubt: 2,
            stayed_and_done: 1,
            stayed_and_not_done: 1,
            replayed: 1,
            released: 1,
            ..Sums::default()
        };
        assert_eq!((sums, violations), (expected, vec![(4, Violation::Duplicate)]));
    }
}
