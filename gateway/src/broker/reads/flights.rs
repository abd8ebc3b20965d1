//! One answer for all callers with the same question at the same time.
//!
//! An answer shows one moment between the begin and the end of its question. A caller that needs an answer of a later moment ([`Freshness::Fresh`]) may share a
//! question only if it has not begun, so it waits for the next one. A caller that sees from the answer whether it is new enough ([`Freshness::Any`]) shares the
//! running one. Of each question at most one runs and one waits, so a caller waits for two answers at most.
//!
//! A question ends when no caller waits for its answer any more.

use futures_util::{
    FutureExt as _,
    future::{Shared, WeakShared},
};
use gateway_core::model::{Freshness, lock};
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

/// Running and waiting questions.
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

/// Removes a question when it is answered, or when no caller waits for it any more.
struct Landing<K: Eq + Hash, V: Clone> {
    flights: Arc<Flights<K, V>>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V: Clone> Landing<K, V> {
    /// All callers that have joined by now did so before the question begins.
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
    /// The answer to `question`. It begins after `admitted` resolves, unless the caller can share another one. Nothing happens until the
    /// future is polled.
    pub(super) fn ask<A, F>(
        self: &Arc<Self>,
        key: K,
        freshness: Freshness,
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
            Some((answer, begun)) if freshness == Freshness::Any || !begun => {
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

    /// Number of questions that began, and of questions that were saved.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.begun.load(Relaxed), self.shared.load(Relaxed))
    }
}

#[cfg(test)]
mod tests;
