//! Reads of presence for frontends. Callers that ask about the same channel within a short time share a read.
//!
//! Whoever has subscribed expects to see itself. So an answer is not shared any more once this node knows of a change: one that it made itself, or
//! a join or leave that it delivers. Changes of other nodes show after the time for which an answer is shared.

use super::shared_questions::SharedQuestions;
use crate::broker::{Broker, BrokerError};
use gateway_core::model::{ChannelName, ClientInfo, Freshness, PresenceStats, lock};
use std::{
    collections::{HashMap, VecDeque},
    future::ready,
    hash::{BuildHasher as _, RandomState},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Channels share the counters of their changes. A change in one of them only costs the others a read.
const COUNTERS: usize = 4096;

/// Bounds of the shared answers.
#[derive(Clone, Copy, Debug)]
pub struct PresenceLimits {
    /// How long an answer is shared, from the begin of its read. Zero: not at all.
    pub shared_for: Duration,
    /// Connections in all kept answers together.
    pub kept: usize,
    /// Connections in one answer.
    pub list: usize,
}

impl Default for PresenceLimits {
    fn default() -> Self {
        Self { shared_for: Duration::from_secs(1), kept: 1000, list: 100 }
    }
}

/// The reads of presence of a node.
pub struct PresenceReads {
    broker: Arc<Broker>,
    limits: PresenceLimits,
    questions: Arc<SharedQuestions<Question, Result<Answer, BrokerError>>>,
    kept: Mutex<Kept>,
    changes: Box<[AtomicU64]>,
    hasher: RandomState,
    /// Callers that got a kept answer.
    shared: AtomicU64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    channel: ChannelName,
    subject: Subject,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Subject {
    List,
    Stats,
}

#[derive(Clone)]
enum Answer {
    List(Arc<[Arc<ClientInfo>]>),
    Stats(PresenceStats),
}

/// Kept answers, and the order in which they get too old.
#[derive(Default)]
struct Kept {
    answers: HashMap<Question, KeptAnswer>,
    order: VecDeque<(Question, Instant)>,
    connections: usize,
}

struct KeptAnswer {
    answer: Answer,
    begun: Instant,
    /// How many changes of the channel were known when the read began.
    changes: u64,
}

impl PresenceReads {
    /// Reads from this broker.
    pub fn new(broker: Arc<Broker>, limits: PresenceLimits) -> Arc<Self> {
        let changes = (0..COUNTERS).map(|_| AtomicU64::new(0)).collect();
        let (questions, kept, hasher, shared) = (Arc::default(), Mutex::default(), RandomState::new(), AtomicU64::new(0));
        Arc::new(Self { broker, limits, questions, kept, changes, hasher, shared })
    }

    /// Connections in a channel, at most one more than one answer may have.
    pub async fn list(self: &Arc<Self>, channel: &ChannelName) -> Result<Arc<[Arc<ClientInfo>]>, BrokerError> {
        match self.ask(Question { channel: channel.clone(), subject: Subject::List }).await? {
            Answer::List(clients) => Ok(clients),
            Answer::Stats(_) => Ok(Arc::default()),
        }
    }

    /// How many connections and users are in a channel.
    pub async fn stats(self: &Arc<Self>, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        match self.ask(Question { channel: channel.clone(), subject: Subject::Stats }).await? {
            Answer::Stats(stats) => Ok(stats),
            Answer::List(clients) => Ok(PresenceStats { clients: clients.len(), users: 0 }),
        }
    }

    /// The presence of a channel has changed.
    pub fn changed(&self, channel: &ChannelName) {
        self.counter(channel).fetch_add(1, Relaxed);
    }

    /// Number of reads that began, and of callers that shared one of another caller.
    pub fn counts(&self) -> (u64, u64) {
        let (begun, shared) = self.questions.counts();
        (begun, shared + self.shared.load(Relaxed))
    }

    async fn ask(self: &Arc<Self>, question: Question) -> Result<Answer, BrokerError> {
        if let Some(answer) = self.kept(&question) {
            self.shared.fetch_add(1, Relaxed);
            return Ok(answer);
        }
        let (reads, asked) = (self.clone(), question.clone());
        let read = move || async move {
            // Another caller may have read while this one waited.
            match reads.kept(&asked) {
                Some(answer) => Ok(answer),
                None => reads.read(asked).await,
            }
        };
        self.questions.ask(question, Freshness::Fresh, ready(()), read).await
    }

    async fn read(&self, question: Question) -> Result<Answer, BrokerError> {
        let (begun, changes) = (Instant::now(), self.counter(&question.channel).load(Relaxed));
        let answer = match question.subject {
            Subject::List => Answer::List(self.broker.presence(&question.channel, self.limits.list.saturating_add(1)).await?.into()),
            Subject::Stats => Answer::Stats(self.broker.presence_stats(&question.channel).await?),
        };
        if !self.limits.shared_for.is_zero() {
            lock(&self.kept).add(question, KeptAnswer { answer: answer.clone(), begun, changes }, self.limits);
        }
        Ok(answer)
    }

    fn kept(&self, question: &Question) -> Option<Answer> {
        let changes = self.counter(&question.channel).load(Relaxed);
        let kept = lock(&self.kept);
        let answer = kept.answers.get(question)?;
        (answer.changes == changes && answer.begun.elapsed() < self.limits.shared_for).then(|| answer.answer.clone())
    }

    fn counter(&self, channel: &ChannelName) -> &AtomicU64 {
        &self.changes[self.hasher.hash_one(channel.as_str()) as usize % COUNTERS]
    }
}

impl Kept {
    fn add(&mut self, question: Question, answer: KeptAnswer, limits: PresenceLimits) {
        let begun = answer.begun;
        self.remove(&question);
        self.connections += answer.answer.connections();
        self.answers.insert(question.clone(), answer);
        self.order.push_back((question, begun));
        let is_full = |kept: &Self| kept.connections > limits.kept || kept.order.len() > limits.kept;
        while self.order.front().is_some_and(|(_, begun)| is_full(self) || begun.elapsed() >= limits.shared_for) {
            let Some((oldest, begun)) = self.order.pop_front() else { break };
            if self.answers.get(&oldest).is_some_and(|kept| kept.begun == begun) {
                self.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, question: &Question) {
        if let Some(removed) = self.answers.remove(question) {
            self.connections -= removed.answer.connections();
        }
    }
}

impl Answer {
    /// What it counts for the limit, at least 1.
    fn connections(&self) -> usize {
        match self {
            Self::List(clients) => clients.len().max(1),
            Self::Stats(_) => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        broker::{MemoryBroker, MemoryLimits},
        testing::fixtures::{channel, client},
    };
    use tokio::time::{advance, pause};

    const LIMITS: PresenceLimits = PresenceLimits { shared_for: Duration::from_secs(1), kept: 10, list: 3 };

    fn reads(limits: PresenceLimits) -> (Arc<Broker>, Arc<PresenceReads>) {
        let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
        (broker.clone(), PresenceReads::new(broker, limits))
    }

    /// Kept answers, their places in the order, and connections in them.
    fn kept(reads: &PresenceReads) -> (usize, usize, usize) {
        let kept = lock(&reads.kept);
        (kept.answers.len(), kept.order.len(), kept.connections)
    }

    #[tokio::test]
    async fn an_answer_is_shared_until_it_is_too_old_or_the_channel_changes() {
        pause();
        let (broker, reads) = reads(LIMITS);
        let (room, other) = (channel("chat:a"), channel("chat:b"));
        broker.presence_add(&room, client("alice")).await.expect("in memory");
        for _ in 0..5 {
            assert_eq!(reads.list(&room).await.expect("in memory").len(), 1);
            assert_eq!(reads.stats(&room).await.expect("in memory"), PresenceStats { clients: 1, users: 1 });
        }
        assert_eq!(reads.counts(), (2, 8));
        assert_eq!(reads.list(&other).await.expect("in memory").len(), 0);
        assert_eq!(reads.counts(), (3, 8), "another channel");

        broker.presence_add(&room, client("bob")).await.expect("in memory");
        assert_eq!(reads.list(&room).await.expect("in memory").len(), 1, "a change of another node");
        reads.changed(&room);
        assert_eq!(reads.list(&room).await.expect("in memory").len(), 2);

        broker.presence_add(&room, client("carol")).await.expect("in memory");
        advance(Duration::from_millis(999)).await;
        assert_eq!(reads.list(&room).await.expect("in memory").len(), 2);
        advance(Duration::from_millis(1)).await;
        assert_eq!(reads.list(&room).await.expect("in memory").len(), 3);
    }

    #[tokio::test]
    async fn a_list_is_cut_and_kept_answers_are_limited() {
        pause();
        let (broker, reads) = reads(LIMITS);
        let rooms: Vec<_> = (0..10).map(|number| channel(&format!("chat:{number}"))).collect();
        for room in &rooms {
            for user in ["a", "b", "c", "d", "e"] {
                broker.presence_add(room, client(user)).await.expect("in memory");
            }
            assert_eq!(reads.list(room).await.expect("in memory").len(), 4, "one more than the limit shows that there are more");
        }
        assert_eq!(kept(&reads), (2, 2, 8));
        advance(Duration::from_secs(1)).await;
        reads.stats(&rooms[0]).await.expect("in memory");
        assert_eq!(kept(&reads), (1, 1, 1), "old answers are dropped");
    }

    #[tokio::test]
    async fn with_zero_nothing_is_kept() {
        let (broker, reads) = reads(PresenceLimits { shared_for: Duration::ZERO, ..LIMITS });
        let room = channel("chat:a");
        assert_eq!(reads.stats(&room).await.expect("in memory").clients, 0);
        broker.presence_add(&room, client("alice")).await.expect("in memory");
        assert_eq!(reads.stats(&room).await.expect("in memory").clients, 1);
    }
}
