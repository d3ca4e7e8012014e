//! What every [`EffectStore`] has to keep: what [`EffectTable`] does, also where many ask at once.

use std::{future::Future, sync::Arc};

use bridgehead_auth::{StoreError, keys::to_microsecond};
use bridgehead_core::{
    EffectId, EffectStore, EffectStoreError, EndpointId, IdempotencyKey,
    effects::{
        Change, ClaimOutcome, ClaimToken, EffectOrigin, EffectRecord, EffectState, EffectTable, KeptAnswer, Lease,
        Standing,
    },
};
use jiff::Timestamp;

use super::{CROWD, at, crowd};

/// Holds an [`EffectStore`] to its promises. Has to run on a Tokio runtime, best one with several
/// threads.
///
/// # Errors
/// What the store answered where it should have succeeded.
pub async fn effect_store<Make, Made>(make: Make) -> Result<(), EffectStoreError>
where
    Make: Fn() -> Made,
    Made: Future<Output = Result<Arc<dyn EffectStore>, StoreError>>,
{
    an_empty_store_knows_nothing(&*make().await?).await?;
    what_is_claimed_is_found_as_it_was(&*make().await?).await?;
    times_are_kept_to_the_microsecond(&*make().await?).await?;
    an_answer_is_found_as_it_was_and_stays(&*make().await?).await?;
    what_is_over_is_as_good_as_gone(&*make().await?).await?;
    what_is_void_is_there_for_its_handle_alone(&*make().await?).await?;
    every_order_of_verbs_ends_as_in_the_table(&*make().await?).await?;
    long_ways_end_as_in_the_table(&*make().await?).await?;
    of_many_claims_one_counts(make().await?).await?;
    of_many_who_take_over_one_does(make().await?).await?;
    one_of_a_late_answer_and_a_takeover_counts(make().await?).await
}

const HOSTILE: &str = "Žofie 张伟 👩‍🔧 <zofie@example.com>'; DROP TABLE effect; -- %_\\";

/// How long a lease of the suite lasts, and how long a record is kept beyond it, in microseconds.
const LEASE: i64 = 10;
const KEPT: i64 = 100;

fn origin() -> EffectOrigin {
    EffectOrigin { endpoint: EndpointId::main(), subject: HOSTILE.into(), tool: "crm.create \"order\"".into() }
}

fn id(key: &str) -> EffectId {
    origin().effect(&IdempotencyKey::parse(key).expect("the suite's keys are well formed"))
}

fn token(name: &str) -> ClaimToken {
    ClaimToken::new(name)
}

fn lease(now: i64) -> Lease {
    Lease { until: at(now + LEASE), keep_until: at(now + LEASE + KEPT) }
}

fn claim(key: &str, name: &str, now: i64) -> EffectRecord {
    EffectRecord {
        id: id(key),
        origin: origin(),
        digest: std::array::from_fn(|index| if index == 0 { 0 } else { 0xff }),
        token: token(name),
        state: EffectState::Running { lease_until: lease(now).until },
        first_sent_at: at(now),
        upstream_header: Some("Idempotency-Key".into()),
        keep_until: lease(now).keep_until,
    }
}

fn answer(text: &str) -> KeptAnswer {
    KeptAnswer::new(text.as_bytes().to_vec())
}

async fn an_empty_store_knows_nothing(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let (id, token) = (id("k"), token("a"));
    assert_eq!(store.find_effect(&id, at(0)).await?, None);
    assert_eq!(store.renew(&id, &token, lease(0)).await?, Change::TooLate);
    assert_eq!(store.settle(&id, &token, &answer("x"), at(9)).await?, Change::TooLate);
    assert_eq!(store.doubt(&id, &token, at(9)).await?, Change::TooLate);
    assert_eq!(store.release(&id, &token).await?, Change::TooLate);
    assert_eq!(store.void(&id, &token, &answer("x"), at(9)).await?, Change::TooLate);
    assert_eq!(store.take_over(&id, &token, &token, lease(0), at(0)).await?, Change::TooLate);
    assert_eq!(store.sweep_effects(Timestamp::MAX).await?, 0);
    assert_eq!(store.find_effect(&id, at(0)).await?, None, "to ask for an effect makes none");
    Ok(())
}

async fn what_is_claimed_is_found_as_it_was(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let full = claim("full", "a", 1_750_000_000_123_456);
    let bare = EffectRecord { upstream_header: None, digest: [0; 32], ..claim("bare", "b", 0) };
    for record in [&full, &bare] {
        assert_eq!(store.claim(record, record.first_sent_at).await?, ClaimOutcome::Claimed);
        assert_eq!(store.find_effect(&record.id, record.first_sent_at).await?.as_ref(), Some(record));
    }
    let second = EffectRecord { digest: [7; 32], ..claim("full", "z", 1_750_000_000_123_457) };
    assert_eq!(store.claim(&second, second.first_sent_at).await?, ClaimOutcome::Found(full), "nothing was changed");
    Ok(())
}

async fn times_are_kept_to_the_microsecond(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let finer = |at: Timestamp| Timestamp::from_nanosecond(at.as_nanosecond() + 999).unwrap_or(at);
    let exact = claim("k", "a", 1_750_000_000_000_001);
    let given = EffectRecord {
        state: EffectState::Running { lease_until: finer(lease(1_750_000_000_000_001).until) },
        first_sent_at: finer(exact.first_sent_at),
        keep_until: finer(exact.keep_until),
        ..exact.clone()
    };
    let _ = store.claim(&given, exact.first_sent_at).await?;
    assert_eq!(store.find_effect(&exact.id, exact.first_sent_at).await?, Some(exact));
    let endless = EffectRecord { keep_until: Timestamp::MAX, ..claim("endless", "a", 0) };
    let _ = store.claim(&endless, at(0)).await?;
    let found = store.find_effect(&endless.id, at(0)).await?.map(|record| record.keep_until);
    assert_eq!(found, Some(to_microsecond(Timestamp::MAX)));
    Ok(())
}

async fn an_answer_is_found_as_it_was_and_stays(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let first = KeptAnswer::new(vec![0, 0xff, b'\'', 0]);
    let record = claim("k", "a", 0);
    let _ = store.claim(&record, at(0)).await?;
    assert_eq!(store.settle(&record.id, &token("b"), &first, at(500)).await?, Change::TooLate, "another's claim");
    assert_eq!(store.settle(&record.id, &token("a"), &first, at(500)).await?, Change::Made);
    assert_eq!(store.settle(&record.id, &token("a"), &answer("other"), at(900)).await?, Change::TooLate);
    assert_eq!(store.renew(&record.id, &token("a"), lease(9)).await?, Change::TooLate);
    assert_eq!(store.doubt(&record.id, &token("a"), at(900)).await?, Change::TooLate);
    assert_eq!(store.release(&record.id, &token("a")).await?, Change::TooLate);
    assert_eq!(store.take_over(&record.id, &token("a"), &token("b"), lease(99), at(99)).await?, Change::TooLate);
    let settled = EffectRecord { state: EffectState::Settled { answer: first }, keep_until: at(500), ..record };
    assert_eq!(store.find_effect(&settled.id, at(499)).await?, Some(settled));
    Ok(())
}

async fn what_is_over_is_as_good_as_gone(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    for key in ["settled", "doubted", "running"] {
        let _ = store.claim(&claim(key, "a", 0), at(0)).await?;
    }
    let _ = store.settle(&id("settled"), &token("a"), &answer("x"), at(50)).await?;
    let _ = store.doubt(&id("doubted"), &token("a"), at(60)).await?;
    assert_eq!(store.find_effect(&id("settled"), at(50)).await?, None);
    assert_eq!(store.take_over(&id("doubted"), &token("a"), &token("b"), lease(60), at(60)).await?, Change::TooLate);
    let anew = claim("settled", "b", 50);
    assert_eq!(store.claim(&anew, at(50)).await?, ClaimOutcome::Claimed, "the key is fresh again");
    assert_eq!(store.find_effect(&anew.id, at(50)).await?, Some(anew), "and nothing of the old record is left");
    assert_eq!(store.sweep_effects(at(59)).await?, 0);
    assert_eq!(store.sweep_effects(at(60)).await?, 1);
    assert_eq!(store.sweep_effects(at(LEASE + KEPT)).await?, 1);
    assert_eq!(store.find_effect(&id("settled"), at(50)).await?.map(|record| record.token), Some(token("b")));
    Ok(())
}

async fn what_is_void_is_there_for_its_handle_alone(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let (record, said) = (claim("k", "a", 0), KeptAnswer::new(vec![0, 0xff, b'\'', 0]));
    let _ = store.claim(&record, at(0)).await?;
    assert_eq!(store.void(&record.id, &token("b"), &said, at(500)).await?, Change::TooLate, "another's claim");
    assert_eq!(store.void(&record.id, &token("a"), &said, at(500)).await?, Change::Made);
    assert_eq!(store.settle(&record.id, &token("a"), &answer("late"), at(900)).await?, Change::TooLate);
    assert_eq!(store.release(&record.id, &token("a")).await?, Change::TooLate);
    let void = EffectRecord { state: EffectState::Void { answer: said }, keep_until: at(500), ..record };
    assert_eq!(store.find_effect(&void.id, at(499)).await?, Some(void));
    let anew = EffectRecord { digest: [7; 32], ..claim("k", "b", 1) };
    assert_eq!(store.claim(&anew, at(1)).await?, ClaimOutcome::Claimed, "the key is fresh");
    assert_eq!(store.find_effect(&anew.id, at(1)).await?, Some(anew), "and nothing of the old record is left");
    Ok(())
}

/// One step of two claims, `a` and `b`, that contend for one effect.
#[derive(Debug, Clone, Copy)]
enum Step {
    Claim(&'static str),
    Renew(&'static str),
    Settle(&'static str),
    Doubt(&'static str),
    Release(&'static str),
    Void(&'static str),
    TakeOver(&'static str, &'static str),
    /// Time goes on by so many microseconds.
    Wait(i64),
}

const STEPS: [Step; 16] = [
    Step::Claim("a"),
    Step::Claim("b"),
    Step::Renew("a"),
    Step::Renew("b"),
    Step::Settle("a"),
    Step::Settle("b"),
    Step::Doubt("a"),
    Step::Doubt("b"),
    Step::Release("a"),
    Step::Release("b"),
    Step::Void("a"),
    Step::Void("b"),
    Step::TakeOver("a", "b"),
    Step::TakeOver("b", "a"),
    Step::Wait(LEASE),
    Step::Wait(LEASE + KEPT),
];

/// A store and the table beside it, one effect, and the time.
struct Beside<'s> {
    store: &'s dyn EffectStore,
    table: EffectTable,
    key: String,
    now: i64,
}

impl<'s> Beside<'s> {
    fn new(store: &'s dyn EffectStore, key: String) -> Self {
        Self { store, table: EffectTable::default(), key, now: 0 }
    }

    /// Takes the step in both and compares what each says of it, and what is there then.
    async fn step(&mut self, step: Step) -> Result<(), EffectStoreError> {
        let (id, now, keep_until) = (id(&self.key), self.now, at(self.now + KEPT));
        let (store, table) = (self.store, &mut self.table);
        let (in_store, in_table) = match step {
            Step::Claim(name) => {
                let record = claim(&self.key, name, now);
                assert_eq!(store.claim(&record, at(now)).await?, table.claim(&record, at(now)), "{step:?}");
                return self.same(step).await;
            }
            Step::Renew(name) => {
                (store.renew(&id, &token(name), lease(now)).await?, table.renew(&id, &token(name), lease(now)))
            }
            Step::Settle(name) => (
                store.settle(&id, &token(name), &answer(name), keep_until).await?,
                table.settle(&id, &token(name), &answer(name), keep_until),
            ),
            Step::Doubt(name) => {
                (store.doubt(&id, &token(name), keep_until).await?, table.doubt(&id, &token(name), keep_until))
            }
            Step::Release(name) => (store.release(&id, &token(name)).await?, table.release(&id, &token(name))),
            Step::Void(name) => (
                store.void(&id, &token(name), &answer(name), keep_until).await?,
                table.void(&id, &token(name), &answer(name), keep_until),
            ),
            Step::TakeOver(from, to) => (
                store.take_over(&id, &token(from), &token(to), lease(now), at(now)).await?,
                table.take_over(&id, &token(from), &token(to), lease(now), at(now)),
            ),
            Step::Wait(time) => {
                self.now += time;
                return self.same(step).await;
            }
        };
        assert_eq!(in_store, in_table, "{step:?}");
        self.same(step).await
    }

    async fn same(&self, step: Step) -> Result<(), EffectStoreError> {
        let (id, now) = (id(&self.key), at(self.now));
        assert_eq!(self.store.find_effect(&id, now).await?, self.table.find(&id, now), "after {step:?}");
        Ok(())
    }
}

/// Every two steps in every order, from each of the states that a claim can be in.
async fn every_order_of_verbs_ends_as_in_the_table(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let begins: [&[Step]; 5] = [
        &[],
        &[Step::Claim("a")],
        &[Step::Claim("a"), Step::Doubt("a")],
        &[Step::Claim("a"), Step::Void("a")],
        &[Step::Claim("a"), Step::Wait(LEASE)],
    ];
    for (number, begin) in begins.iter().enumerate() {
        for (first, second) in STEPS.iter().flat_map(|first| STEPS.iter().map(move |second| (first, second))) {
            let mut beside = Beside::new(store, format!("{number}-{first:?}-{second:?}").replace(' ', ""));
            for step in begin.iter().chain([first, second]) {
                beside.step(*step).await?;
            }
        }
    }
    Ok(())
}

/// Steps drawn as by lot, always the same ones.
async fn long_ways_end_as_in_the_table(store: &dyn EffectStore) -> Result<(), EffectStoreError> {
    let mut lot = 0x2545_f491_4f6c_dd1d_u64;
    for way in 0..40 {
        let mut beside = Beside::new(store, format!("way-{way}"));
        for _ in 0..16 {
            // Xorshift (Marsaglia 2003).
            lot ^= lot << 13;
            lot ^= lot >> 7;
            lot ^= lot << 17;
            let step = STEPS.iter().cycle().nth(usize::try_from(lot % 251).unwrap_or_default());
            beside.step(*step.expect("a cycle does not end")).await?;
        }
    }
    Ok(())
}

async fn of_many_claims_one_counts(store: Arc<dyn EffectStore>) -> Result<(), EffectStoreError> {
    for round in 0..10 {
        let key = format!("wanted-{round}");
        // One that is over is contended as one that never was.
        if round % 2 == 1 {
            let _ = store.claim(&claim(&key, "old", -1_000), at(-1_000)).await?;
        }
        let outcomes = crowd(&store, |store, number| {
            let record = claim(&key, &number.to_string(), 0);
            async move { store.claim(&record, at(0)).await.map(|outcome| (outcome, record)) }
        })
        .await?;
        let (claimed, found): (Vec<_>, Vec<_>) =
            outcomes.into_iter().partition(|(outcome, _)| *outcome == ClaimOutcome::Claimed);
        let winners: Vec<_> = claimed.into_iter().map(|(_, record)| record).collect();
        assert_eq!((winners.len(), found.len()), (1, CROWD - 1));
        for (outcome, _) in found {
            assert_eq!(Some(outcome), winners.first().cloned().map(ClaimOutcome::Found));
        }
    }
    Ok(())
}

async fn of_many_who_take_over_one_does(store: Arc<dyn EffectStore>) -> Result<(), EffectStoreError> {
    for round in 0..10 {
        let key = format!("lost-{round}");
        let _ = store.claim(&claim(&key, "dead", 0), at(0)).await?;
        let changes = crowd(&store, |store, number| {
            let (id, to) = (id(&key), token(&number.to_string()));
            let (lease, now) = (lease(LEASE), at(LEASE));
            async move { store.take_over(&id, &token("dead"), &to, lease, now).await.map(|change| (change, to)) }
        })
        .await?;
        let winners: Vec<_> = changes.into_iter().filter(|(change, _)| *change == Change::Made).collect();
        let found = store.find_effect(&id(&key), at(LEASE)).await?.map(|record| record.token);
        assert_eq!((winners.len(), winners.first().map(|(_, to)| to.clone())), (1, found));
    }
    Ok(())
}

/// The owner's answer comes just when somebody else takes the effect over.
async fn one_of_a_late_answer_and_a_takeover_counts(store: Arc<dyn EffectStore>) -> Result<(), EffectStoreError> {
    for round in 0..10 {
        let key = format!("late-{round}");
        let _ = store.claim(&claim(&key, "owner", 0), at(0)).await?;
        let changes = crowd(&store, |store, number| {
            let id = id(&key);
            async move {
                if number % 2 == 0 {
                    store.settle(&id, &token("owner"), &answer("late"), at(LEASE + KEPT)).await
                } else {
                    store.take_over(&id, &token("owner"), &token("other"), lease(LEASE), at(LEASE)).await
                }
            }
        })
        .await?;
        assert_eq!(changes.iter().filter(|change| **change == Change::Made).count(), 1);
        let record = store.find_effect(&id(&key), at(LEASE)).await?.expect("it is kept");
        let settled = matches!(record.standing(at(LEASE)), Standing::Settled(_));
        assert_eq!(settled, record.token == token("owner"), "{record:?}");
    }
    Ok(())
}
