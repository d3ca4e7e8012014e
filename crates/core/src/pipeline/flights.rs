//! Questions that are on their way. Whoever asks what is being asked already waits for the same answer:
//! the question lives for as long as one of them waits, and it is all the same who began it.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};

use super::gate::Gate;

/// A question on its way. Dropping the last one gives it up.
pub(super) struct Flight<T: Clone> {
    /// What will come of it.
    pub(super) answer: Shared<BoxFuture<'static, T>>,
    /// Its way to the source, which is nobody's who waits.
    pub(super) gate: Arc<Gate>,
}

/// The questions that are on their way, by what they ask.
pub(super) struct Flights<K, T: Clone>(Arc<Air<K, T>>);

struct Air<K, T: Clone> {
    aloft: Mutex<HashMap<K, Aloft<T>>>,
    count: AtomicU64,
}

struct Aloft<T: Clone> {
    number: u64,
    answer: WeakShared<BoxFuture<'static, T>>,
    gate: Arc<Gate>,
}

impl<K, T: Clone> Default for Flights<K, T> {
    fn default() -> Self {
        Self(Arc::new(Air { aloft: Mutex::default(), count: AtomicU64::default() }))
    }
}

impl<K: Clone + Eq + Hash + Send + 'static, T: Clone + Send + Sync + 'static> Flights<K, T> {
    /// Joins whoever asks this already, or begins to ask. The second part says whether it was joined.
    pub(super) fn board(&self, key: &K, begin: impl FnOnce(Arc<Gate>) -> BoxFuture<'static, T>) -> (Flight<T>, bool) {
        let mut aloft = self.0.aloft();
        let known = aloft.get(key).and_then(|aloft| Some((aloft.answer.upgrade()?, aloft.gate.clone())));
        if let Some((answer, gate)) = known {
            return (Flight { answer, gate }, true);
        }
        let gate = Arc::new(Gate::default());
        let number = self.0.count.fetch_add(1, Ordering::Relaxed);
        let landing = Landing { air: self.0.clone(), key: key.clone(), number };
        let question = begin(gate.clone());
        let answer = async move {
            let answer = question.await;
            drop(landing);
            answer
        }
        .boxed()
        .shared();
        // It has not begun, so it has not ended.
        if let Some(weak) = answer.downgrade() {
            aloft.insert(key.clone(), Aloft { number, answer: weak, gate: gate.clone() });
        }
        (Flight { answer, gate }, false)
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.0.aloft().len()
    }
}

impl<K, T: Clone> Air<K, T> {
    fn aloft(&self) -> MutexGuard<'_, HashMap<K, Aloft<T>>> {
        self.aloft.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a flight off the list when it has ended or was given up.
struct Landing<K: Eq + Hash, T: Clone> {
    air: Arc<Air<K, T>>,
    key: K,
    number: u64,
}

impl<K: Eq + Hash, T: Clone> Drop for Landing<K, T> {
    fn drop(&mut self) {
        let mut aloft = self.air.aloft();
        // Another one may have begun since the last one waiting went away.
        if aloft.get(&self.key).is_some_and(|aloft| aloft.number == self.number) {
            aloft.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tokio::sync::oneshot;

    use super::*;

    fn answer(asked: &Arc<AtomicUsize>, end: oneshot::Receiver<i32>) -> BoxFuture<'static, Result<i32, ()>> {
        let asked = asked.clone();
        async move {
            asked.fetch_add(1, Ordering::SeqCst);
            end.await.map_err(drop)
        }
        .boxed()
    }

    #[tokio::test]
    async fn who_asks_the_same_gets_the_same_answer() {
        let (flights, asked, (end, ended)) = (Flights::default(), Arc::default(), oneshot::channel());
        let (first, joined) = flights.board(&"a", |_| answer(&asked, ended));
        assert!(!joined);
        let (second, joined) = flights.board(&"a", |_| unreachable!("it is asked already"));
        assert!(joined && flights.count() == 1);
        end.send(7).unwrap();
        assert_eq!((first.answer.await, second.answer.await), (Ok(7), Ok(7)));
        assert_eq!((asked.load(Ordering::SeqCst), flights.count()), (1, 0));
        assert!(!flights.board(&"a", |_| futures_util::future::ready(Ok(1)).boxed()).1, "a new question");
    }

    /// The one who began goes away in the middle; the others do not notice.
    #[tokio::test]
    async fn who_began_it_may_go() {
        let (flights, asked, (end, ended)) = (Flights::default(), Arc::default(), oneshot::channel());
        let (mut first, _) = flights.board(&1, |_| answer(&asked, ended));
        assert!(futures_util::poll!(&mut first.answer).is_pending());
        let (second, _) = flights.board(&1, |_| unreachable!("it is asked already"));
        drop(first);
        end.send(7).unwrap();
        assert_eq!((second.answer.await, asked.load(Ordering::SeqCst)), (Ok(7), 1));
    }

    /// Nobody waits any longer: the question is given up, and the next one is asked anew.
    #[tokio::test]
    async fn without_anybody_waiting_it_is_given_up() {
        let (flights, asked, (mut end, ended)) = (Flights::default(), Arc::default(), oneshot::channel());
        let (mut first, _) = flights.board(&1, |_| answer(&asked, ended));
        assert!(futures_util::poll!(&mut first.answer).is_pending());
        let (second, _) = flights.board(&1, |_| unreachable!("it is asked already"));
        drop((first, second));
        end.closed().await;
        assert_eq!(flights.count(), 0);
        let (end, ended) = oneshot::channel();
        let (third, joined) = flights.board(&1, |_| answer(&asked, ended));
        end.send(8).unwrap();
        assert_eq!((third.answer.await, joined, asked.load(Ordering::SeqCst)), (Ok(8), false, 2));
    }
}
