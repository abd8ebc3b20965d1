//! One answer for all who ask the same question at the same time.
//!
//! An answer is of one moment, somewhere between the question's begin and its end. Who asks about what happened just now needs an answer of a
//! later moment, so it may share a question only if that has not begun: [`Age::Fresh`] waits behind one that has. Of each question one is under
//! way, and one waits at most; however many ask, an answer takes two at most. Who sees from the answer itself whether it reaches far enough
//! ([`Age::Any`]) takes the one that is under way.
//!
//! A question lives as long as somebody waits for its answer.

use futures_util::{
    FutureExt as _,
    future::{Shared, WeakShared},
};
use gateway_core::model::{Age, lock};
use std::{
    collections::HashMap,
    hash::Hash,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

type Answer<V> = Pin<Box<dyn Future<Output = V> + Send>>;

/// Questions under way.
pub(super) struct Flights<K: Eq + Hash, V: Clone> {
    open: Mutex<HashMap<K, Flight<V>>>,
    next: AtomicU64,
    begun: AtomicU64,
    shared: AtomicU64,
}

struct Flight<V: Clone> {
    id: u64,
    begun: bool,
    answer: WeakShared<Answer<V>>,
}

/// Forgets a question when it is answered, or when nobody waits for it any more.
struct Landing<K: Eq + Hash, V: Clone> {
    flights: Arc<Flights<K, V>>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V: Clone> Landing<K, V> {
    /// Whoever has joined by now did so before the question begins.
    fn begin(&self) {
        self.flights.begun.fetch_add(1, Relaxed);
        if let Some(flight) = lock(&self.flights.open).get_mut(&self.key).filter(|flight| flight.id == self.id) {
            flight.begun = true;
        }
    }
}

impl<K: Eq + Hash, V: Clone> Drop for Landing<K, V> {
    fn drop(&mut self) {
        let mut open = lock(&self.flights.open);
        if open.get(&self.key).is_some_and(|flight| flight.id == self.id) {
            open.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, V: Clone> Default for Flights<K, V> {
    fn default() -> Self {
        Self { open: Mutex::default(), next: AtomicU64::new(0), begun: AtomicU64::new(0), shared: AtomicU64::new(0) }
    }
}

impl<K, V> Flights<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    // NL-4.3
    /// The answer to `question`, which begins once `admitted` resolves, unless somebody else's serves. Nothing happens until it is polled.
    pub(super) fn ask<A, F>(
        self: &Arc<Self>,
        key: K,
        age: Age,
        admitted: A,
        question: impl FnOnce() -> F + Send + 'static,
    ) -> Shared<Answer<V>>
    where
        A: Future<Output: Send> + Send + 'static,
        F: Future<Output = V> + Send + 'static,
    {
        let mut open = lock(&self.open);
        let before = open.get(&key).and_then(|flight| Some((flight.answer.upgrade()?, flight.begun)));
        let before = match before {
            Some((answer, begun)) if age == Age::Any || !begun => {
                self.shared.fetch_add(1, Relaxed);
                return answer;
            }
            before => before.map(|(answer, _)| answer),
        };
        let id = self.next.fetch_add(1, Relaxed);
        let landing = Landing { flights: self.clone(), key: key.clone(), id };
        let answer: Answer<V> = Box::pin(async move {
            if let Some(before) = before {
                before.await;
            }
            let _admitted = admitted.await;
            landing.begin();
            question().await
        });
        let answer = answer.shared();
        if let Some(weak) = answer.downgrade() {
            open.insert(key, Flight { id, begun: false, answer: weak });
        }
        answer
    }

    /// Questions that began, and how many were saved.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.begun.load(Relaxed), self.shared.load(Relaxed))
    }
}

#[cfg(test)]
mod tests;
