//! What other nodes say to this one. Their channel is like any other with a history: what the way from the store lost is read.

use crate::broker::{Broker, BrokerError, Delivery, Mailbox, Post};
use gateway_core::{
    channel::{
        GapBufferBudget,
        feed::{Continuity, Disposition, Feed, Next},
    },
    model::{ChannelName, Data, PageLimit, Position, Publication, ReadRange, Retention, WorkerId},
};
use std::{collections::VecDeque, future::poll_fn, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Whoever waits for an answer has given up long before.
pub(super) const RETENTION: Retention = Retention { size: 10_000, ttl: Duration::from_mins(1) };
/// Bytes that may wait while something before them is read.
const GAP_BUFFER_BYTES: usize = 1 << 20;
const PAGE: PageLimit = PageLimit { entries: 256, bytes: 1 << 20 };
/// Before a read that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// What comes in.
pub(super) enum Heard {
    Message(Data),
    /// Some messages are gone: this node was away for longer than they are kept.
    Gap,
}

/// See the module.
pub(super) struct Inbox {
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
    channel: ChannelName,
    feed: Feed,
    ready: VecDeque<Heard>,
    posts: Vec<Post>,
}

impl Inbox {
    /// Subscribes `channel` to `mailbox`, which the broker knows as that of `worker`.
    pub(super) async fn open(
        broker: Arc<Broker>,
        mailbox: Arc<Mailbox>,
        worker: WorkerId,
        channel: ChannelName,
    ) -> Result<Self, BrokerError> {
        broker.subscribe(&channel, worker, Some(RETENTION)).await?;
        let page = broker.read(&channel, RETENTION, ReadRange::Top, PAGE).await?;
        let mut feed = Feed::new(GapBufferBudget::new(GAP_BUFFER_BYTES));
        feed.start(Position { epoch: page.epoch, offset: page.top });
        Ok(Self { broker, mailbox, channel, feed, ready: VecDeque::new(), posts: Vec::new() })
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Heard {
        loop {
            if let Some(heard) = self.ready.pop_front() {
                return heard;
            }
            poll_fn(|cx| self.mailbox.poll_take(cx, &mut self.posts)).await;
            for post in std::mem::take(&mut self.posts) {
                let gap = match post {
                    Post::Delivery(_, Delivery::Publication(publication)) => self.offer(publication),
                    Post::Dirty(_) | Post::AllDirty => self.feed.require_read(),
                    Post::Top(_, top, _) => self.feed.observe_top(top),
                    Post::Delivery(..)
                    | Post::Command(..)
                    | Post::Survey(_)
                    | Post::Anew
                    | Post::Missed
                    | Post::Enroll
                    | Post::Drain(_) => None,
                };
                if let Some(after) = gap {
                    self.catch_up(after).await;
                }
            }
        }
    }

    fn offer(&mut self, publication: Arc<Publication>) -> Option<u64> {
        match self.feed.receive(&publication) {
            Disposition::Deliver => self.ready.push_back(Heard::Message(publication.data.clone())),
            Disposition::Gap => return self.feed.position().map(|position| position.offset),
            Disposition::Duplicate | Disposition::Buffered => {}
        }
        None
    }

    async fn catch_up(&mut self, mut after: u64) {
        loop {
            match self.broker.read(&self.channel, RETENTION, ReadRange::After(after), PAGE).await {
                Ok(page) => {
                    let caught = self.feed.apply(page);
                    self.ready.extend((caught.continuity == Continuity::Broken).then_some(Heard::Gap));
                    self.ready.extend(caught.deliver.into_iter().map(|publication| Heard::Message(publication.data.clone())));
                    match caught.next {
                        Next::Read(next, _) => after = next,
                        Next::Pull | Next::Live => return,
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "what other nodes said cannot be read yet");
                    sleep(RETRY).await;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{MemoryBroker, MemoryLimits, NewPublication};
    use gateway_core::model::Tags;

    fn message(n: usize) -> NewPublication {
        let data = Data::parse(&serde_json::value::to_raw_value(&n).expect("a number")).expect("shallow");
        NewPublication { data, tags: Tags::new(), info: None, traceparent: None, retention: Some(RETENTION), idempotency: None }
    }

    #[tokio::test]
    async fn messages_that_are_kept_no_more_leave_a_gap_and_others_none() {
        let mailbox = Arc::new(Mailbox::new(4, 1 << 20));
        let broker = Arc::new(Broker::Memory(MemoryBroker::new(vec![mailbox.clone()], MemoryLimits::default())));
        let channel: ChannelName = "$node:n1".parse().expect("valid");
        let mut inbox = Inbox::open(broker.clone(), mailbox, WorkerId::FIRST, channel.clone()).await.expect("in memory");
        let mut heard = Vec::new();
        for round in 0..2 {
            for n in 0..9 {
                broker.publish(&channel, message(10 * round + n)).await.expect("in memory");
            }
            if round == 1 {
                broker.clear(&channel).await.expect("in memory");
            }
            while heard.last() != Some(&None) && heard.len() < 9 * (round + 1) {
                heard.push(match inbox.next().await {
                    Heard::Message(data) => Some(data.get().parse::<usize>().expect("a number")),
                    Heard::Gap => None,
                });
            }
        }
        // Of the second round the mailbox took the first few; of the first all were read again.
        let (kept, rest) = heard.split_at(9);
        assert_eq!(kept, (0..9).map(Some).collect::<Vec<_>>());
        assert_eq!((rest.first(), rest.last()), (Some(&Some(10)), Some(&None)), "{rest:?}");
    }
}
