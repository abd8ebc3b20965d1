//! Reads of streams for workers and clients that catch up. Callers that need the same page share a read. The number of reads for workers at
//! a time is limited per node.
//!
//! After an interruption, all workers of a node have the same gap. After a restart, all clients of a channel return with the same position.
//! The rules of [`shared_questions`] apply as follows:
//!
//! - *A client that attaches* needs a page that shows a moment after the confirmation of its subscription. An older page could lack
//!   publications from before the confirmation. So the client always asks for a fresh page.
//! - *A worker that has received a publication after a gap* keeps the publication, and reads until a page reaches it. So a page of any
//!   moment will do. The worker's position is part of the question, so the page cannot be older than that position. With an older page, the
//!   position would look lost.
//! - *A worker that does not know the size of its gap*, because its mailbox overflowed or the top is ahead, asks for a fresh page.

use super::{
    presence_reads::{PresenceLimits, PresenceReads},
    shared_questions::SharedQuestions,
};
use crate::broker::{Broker, BrokerError};
use gateway_core::model::{ChannelName, Epoch, Freshness, Page, PageLimit, Position, ReadRange, Retention};
use std::{future::ready, sync::Arc};
use tokio::sync::Semaphore;

/// The shared reads of a node.
pub struct Reads {
    broker: Arc<Broker>,
    presence: Arc<PresenceReads>,
    questions: Arc<SharedQuestions<Question, Result<Page, BrokerError>>>,
    backfills: Arc<Semaphore>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    channel: ChannelName,
    range: ReadRange,
    limit: PageLimit,
    /// The epoch of the worker's position. None for clients.
    epoch: Option<Epoch>,
}

impl Reads {
    /// Reads from this broker, with at most `backfills` reads for workers at a time.
    pub fn new(broker: Arc<Broker>, backfills: usize, presence: PresenceLimits) -> Arc<Self> {
        let presence = PresenceReads::new(broker.clone(), presence);
        Arc::new(Self { broker, presence, questions: Arc::default(), backfills: Arc::new(Semaphore::new(backfills)) })
    }

    /// Reads of presence.
    pub fn presence(&self) -> &Arc<PresenceReads> {
        &self.presence
    }

    /// Reads a page for one client. It shows a moment after this call.
    pub async fn page(&self, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        let question = Question { channel: channel.clone(), range, limit, epoch: None };
        self.ask(question, Freshness::Fresh, retention, ready(())).await
    }

    // NL-4.3, NL-4.8
    /// Reads the page that follows a worker's position.
    pub async fn backfill(
        &self,
        channel: &ChannelName,
        retention: Retention,
        after: Position,
        limit: PageLimit,
        freshness: Freshness,
    ) -> Result<Page, BrokerError> {
        let question = Question { channel: channel.clone(), range: ReadRange::After(after.offset), limit, epoch: Some(after.epoch) };
        self.ask(question, freshness, retention, self.backfills.clone().acquire_owned()).await
    }

    async fn ask(
        &self,
        question: Question,
        freshness: Freshness,
        retention: Retention,
        admitted: impl Future<Output: Send> + Send + 'static,
    ) -> Result<Page, BrokerError> {
        let (broker, asked) = (self.broker.clone(), question.clone());
        let read = move || async move {
            let page = broker.read(&asked.channel, retention, asked.range, asked.limit).await;
            page.map(|page| page.until_gap(asked.range))
        };
        self.questions.ask(question, freshness, admitted, read).await
    }

    /// Makes reads for workers wait until the returned permit is dropped.
    #[cfg(test)]
    pub(crate) fn hold_backfills(&self) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let all = self.backfills.available_permits().try_into().ok()?;
        self.backfills.clone().try_acquire_many_owned(all).ok()
    }

    /// Number of reads that began, and of callers that shared a read of another caller.
    pub fn counts(&self) -> (u64, u64) {
        self.questions.counts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        broker::{MemoryBroker, MemoryLimits},
        testing::fixtures::{ALL, HOUR, channel, kept, retention},
    };
    use futures_util::{future::join, poll};

    // NL-4.3, NL-4.8
    #[tokio::test]
    async fn workers_with_the_same_gap_share_a_read_and_wait_for_their_turn() {
        let broker = Arc::new(Broker::Memory(MemoryBroker::new(Vec::new(), MemoryLimits::default())));
        let (channel, retention) = (channel("c:shared"), retention(10, HOUR));
        let published = broker.publish(&channel, kept(1, retention)).await.expect("in memory");
        let at = Position { offset: 0, ..published.position.expect("kept") };
        let reads = Reads::new(broker, 1, PresenceLimits::default());
        let busy = reads.backfills.clone().acquire_owned().await.expect("open");
        let backfill = |after| Box::pin(reads.backfill(&channel, retention, after, ALL, Freshness::Fresh));
        let (mut one, mut two, mut other) = (backfill(at), backfill(at), backfill(Position { epoch: Epoch::random(), ..at }));
        for each in [&mut one, &mut two, &mut other] {
            assert!(poll!(each).is_pending());
        }
        assert_eq!(reads.counts(), (0, 1), "the same offset in another timeline is another position");
        let page = reads.page(&channel, retention, ReadRange::After(0), ALL).await.expect("in memory");
        assert_eq!((page.top, reads.counts()), (1, (1, 1)), "clients do not wait for workers");
        drop(busy);
        let (one, two) = join(one, two).await;
        assert_eq!([one, two].map(|page| page.expect("in memory").top), [1, 1]);
        other.await.expect("in memory");
        assert_eq!(reads.counts(), (3, 1));
    }
}
