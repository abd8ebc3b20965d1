//! Questions whose answers may be remembered: a known answer is used, and equal questions at the same time are asked once.

use super::{
    super::services::Services,
    answer::{Answer, Decision},
    ask::{Question, Start},
    counters::QuestionResult,
    guards::Guards,
    memory::{Dated, Known, Memory, Terms},
    unanswered::Unanswered,
};
use gateway_core::{
    model::{Data, UserId},
    session::Occasion,
};
use serde::Serialize;
use std::{hash::Hash, sync::MutexGuard, time::SystemTime};
use tokio::time::timeout_at;

/// The answers to a kind of question.
pub(super) type MemoryOf<K, T> = fn(&Guards) -> MutexGuard<'_, Memory<K, T>>;

impl Services {
    /// Asks, unless the answer is known; a renewal is asked in any case. `user_of` finds the user whom an answer is about.
    pub(super) async fn ask_or_remember<Q: Serialize, K: Clone + Eq + Hash + Ord, T: Terms>(
        &self,
        mut question: Question<'_, Q>,
        check: impl Fn(&Data) -> Result<Answer<T>, String>,
        (key, occasion, memory): (K, Occasion, MemoryOf<K, T>),
        user_of: impl Fn(&Decision<T>) -> Option<UserId>,
    ) -> Result<Dated<T>, Unanswered> {
        loop {
            let known = memory(&self.guards).look_up(&key, occasion, self.now());
            match known {
                Known::Answer(dated) => return Ok(self.known(&question, dated)),
                Known::UnderWay(answer) => match timeout_at(question.deadline, answer).await {
                    Ok(Ok(Ok(Some(dated)))) => return Ok(self.known(&question, dated)),
                    Ok(Ok(Ok(None))) => {
                        return self.ask_now(Question { start: Start::AfterWait, ..question }, check).await.map(|(dated, _)| dated);
                    }
                    Ok(Ok(Err(unanswered))) => return Err(self.unanswered(&question, unanswered)),
                    // The connection that asked has ended.
                    Ok(Err(_)) => question.start = Start::AfterWait,
                    Err(_) => return Err(self.unanswered(&question, Unanswered::overloaded(question.service))),
                },
                Known::Nothing => break,
            }
        }
        let mut under_way = UnderWay { services: self, key: Some(key), memory };
        let answer = self.ask_now(question, check).await;
        let shared = answer.as_ref().map(|(dated, cache)| (!cache.is_zero()).then(|| (dated.clone(), user_of(&dated.decision), *cache)));
        if let Some(key) = under_way.key.take() {
            memory(&self.guards).end(key, shared.map_err(Clone::clone), self.now());
        }
        answer.map(|(dated, _)| dated)
    }

    /// Asks. Also returns how long the answer may be remembered.
    pub(super) async fn ask_now<Q: Serialize, T>(
        &self,
        question: Question<'_, Q>,
        check: impl Fn(&Data) -> Result<Answer<T>, String>,
    ) -> Result<(Dated<T>, std::time::Duration), Unanswered> {
        let asked = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let Answer { decision, cache } = self.ask(question, check).await?;
        Ok((Dated { decision, asked }, cache.min(self.guards.cache_max)))
    }

    fn known<Q, T>(&self, question: &Question<'_, Q>, dated: Dated<T>) -> Dated<T> {
        self.guards.counters.add(question.kind, QuestionResult::Cached);
        dated
    }

    /// Counts a question that waited for an equal one in vain.
    fn unanswered<Q>(&self, question: &Question<'_, Q>, why: Unanswered) -> Unanswered {
        self.guards.counters.add(question.kind, why.result());
        why
    }
}

/// A question that others may wait for. If it is dropped before its end, they ask themselves.
struct UnderWay<'a, K: Clone + Eq + Hash + Ord, T: Terms> {
    services: &'a Services,
    key: Option<K>,
    memory: MemoryOf<K, T>,
}

impl<K: Clone + Eq + Hash + Ord, T: Terms> Drop for UnderWay<'_, K, T> {
    fn drop(&mut self) {
        if let Some(key) = &self.key {
            (self.memory)(&self.services.guards).abandon(key);
        }
    }
}
