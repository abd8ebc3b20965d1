//! One answer for all callers that ask the same question at the same time.
//!
//! An answer shows one moment between the begin and the end of its question. With [`Freshness::Fresh`], a caller needs an answer that shows
//! a moment after its call. So it may share a question only if the question has not begun; otherwise it waits for the next one. With
//! [`Freshness::Any`], a caller recognises from the answer whether it is new enough, so it may share a running question too.
//!
//! Of each question at most one runs and one waits. So a caller waits for at most two answers.
//!
//! A question is cancelled when no caller waits for its answer any more.

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
pub(super) struct SharedQuestions<K: Eq + Hash, V: Clone> {
    open: Mutex<HashMap<K, SharedQuestion<V>>>,
    next: AtomicU64,
    begun: AtomicU64,
    shared: AtomicU64,
}

struct SharedQuestion<V: Clone> {
    id: u64,
    begun: bool,
    answer: WeakShared<Answer<V>>,
}

/// Removes a question when it is answered, or when no caller waits for it any more.
struct QuestionGuard<K: Eq + Hash, V: Clone> {
    questions: Arc<SharedQuestions<K, V>>,
    key: K,
    id: u64,
}

impl<K: Eq + Hash, V: Clone> QuestionGuard<K, V> {
    /// Marks the question as begun. From now on, only callers with [`Freshness::Any`] may share it.
    fn begin(&self) {
        self.questions.begun.fetch_add(1, Relaxed);
        if let Some(open) = lock(&self.questions.open).get_mut(&self.key).filter(|open| open.id == self.id) {
            open.begun = true;
        }
    }
}

impl<K: Eq + Hash, V: Clone> Drop for QuestionGuard<K, V> {
    fn drop(&mut self) {
        let mut open = lock(&self.questions.open);
        if open.get(&self.key).is_some_and(|open| open.id == self.id) {
            open.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, V: Clone> Default for SharedQuestions<K, V> {
    fn default() -> Self {
        Self { open: Mutex::default(), next: AtomicU64::new(0), begun: AtomicU64::new(0), shared: AtomicU64::new(0) }
    }
}

impl<K, V> SharedQuestions<K, V>
where
    K: Clone + Eq + Hash + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    // NL-4.3
    /// Returns the answer to `question`, or the answer to an open question with the same `key` if the caller may share it. A new question
    /// begins after the earlier question with this key has ended and `admitted` has resolved. Nothing happens until the future is polled.
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
        let before = open.get(&key).and_then(|open| Some((open.answer.upgrade()?, open.begun)));
        let before = match before {
            Some((answer, begun)) if freshness == Freshness::Any || !begun => {
                self.shared.fetch_add(1, Relaxed);
                return answer;
            }
            before => before.map(|(answer, _)| answer),
        };
        let id = self.next.fetch_add(1, Relaxed);
        let guard = QuestionGuard { questions: self.clone(), key: key.clone(), id };
        let answer: Answer<V> = Box::pin(async move {
            if let Some(before) = before {
                before.await;
            }
            let _admitted = admitted.await;
            guard.begin();
            question().await
        });
        let answer = answer.shared();
        if let Some(weak) = answer.downgrade() {
            open.insert(key, SharedQuestion { id, begun: false, answer: weak });
        }
        answer
    }

    /// Number of questions that began, and of callers that shared a question of another caller.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.begun.load(Relaxed), self.shared.load(Relaxed))
    }
}

#[cfg(test)]
mod tests;
