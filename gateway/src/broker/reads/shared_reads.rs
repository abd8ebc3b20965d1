//! Reads of streams by which workers and clients catch up: bounded for the node, and shared by all who need the same.
//!
//! All workers of a node have the same gap when the way from the store was interrupted, and after a restart all clients of a channel come back from
//! the same place. What [`flights`] says of questions in general is meant so here:
//!
//! - *A client that attaches* needs a page of a moment after its subscription was confirmed, else what was published between the page and the confirmation
//!   is missed. It always asks afresh.
//! - *A worker that knows what it lacks*, because a later publication has come, holds that publication back, and asks on until a page reaches it.
//!   So a page of any moment does. Whoever began the read stood at the same place of the same timeline, which is part of the question: the page is not of a
//!   time before that place was reached, and cannot make it look lost.
//! - *A worker that does not know what it lacks*, because its mailbox overflowed or it was told that the stream is ahead, asks afresh.

use super::flights::Flights;
use crate::broker::{Broker, BrokerError};
use gateway_core::model::{Age, ChannelName, Epoch, Page, PageLimit, Position, Retention, Span};
use std::{future::ready, sync::Arc};
use tokio::sync::Semaphore;

/// See the module. One for a node.
pub struct Reads {
    broker: Arc<Broker>,
    flights: Arc<Flights<Question, Result<Page, BrokerError>>>,
    backfills: Arc<Semaphore>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    channel: ChannelName,
    span: Span,
    limit: PageLimit,
    /// That of the place where a worker stands.
    epoch: Option<Epoch>,
}

impl Reads {
    /// Reads from this broker, at most `backfills` at a time for workers.
    pub fn new(broker: Arc<Broker>, backfills: usize) -> Arc<Self> {
        Arc::new(Self { broker, flights: Arc::default(), backfills: Arc::new(Semaphore::new(backfills)) })
    }

    /// A page for one client, of a moment after this call.
    pub async fn page(&self, channel: &ChannelName, retention: Retention, span: Span, limit: PageLimit) -> Result<Page, BrokerError> {
        let question = Question { channel: channel.clone(), span, limit, epoch: None };
        self.ask(question, Age::Fresh, retention, ready(())).await
    }

    // NL-4.3, NL-4.8
    /// The page that follows a worker's position.
    pub async fn backfill(
        &self,
        channel: &ChannelName,
        retention: Retention,
        after: Position,
        limit: PageLimit,
        age: Age,
    ) -> Result<Page, BrokerError> {
        let question = Question { channel: channel.clone(), span: Span::After(after.offset), limit, epoch: Some(after.epoch) };
        self.ask(question, age, retention, self.backfills.clone().acquire_owned()).await
    }

    async fn ask(
        &self,
        question: Question,
        age: Age,
        retention: Retention,
        admitted: impl Future<Output: Send> + Send + 'static,
    ) -> Result<Page, BrokerError> {
        let (broker, asked) = (self.broker.clone(), question.clone());
        let read = move || async move { broker.read(&asked.channel, retention, asked.span, asked.limit).await };
        self.flights.ask(question, age, admitted, read).await
    }

    /// Reads that began, and reads that were saved because one served several.
    pub fn counts(&self) -> (u64, u64) {
        self.flights.counts()
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
        let reads = Reads::new(broker, 1);
        let busy = reads.backfills.clone().acquire_owned().await.expect("open");
        let backfill = |after| Box::pin(reads.backfill(&channel, retention, after, ALL, Age::Fresh));
        let (mut one, mut two, mut other) = (backfill(at), backfill(at), backfill(Position { epoch: Epoch::random(), ..at }));
        for each in [&mut one, &mut two, &mut other] {
            assert!(poll!(each).is_pending());
        }
        assert_eq!(reads.counts(), (0, 1), "a place in another timeline is another place");
        let page = reads.page(&channel, retention, Span::After(0), ALL).await.expect("in memory");
        assert_eq!((page.top, reads.counts()), (1, (1, 1)), "clients do not wait for workers");
        drop(busy);
        let (one, two) = join(one, two).await;
        assert_eq!([one, two].map(|page| page.expect("in memory").top), [1, 1]);
        other.await.expect("in memory");
        assert_eq!(reads.counts(), (3, 1));
    }
}
