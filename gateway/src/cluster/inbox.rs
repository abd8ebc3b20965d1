//! Messages from other nodes, in order. They arrive in a channel with a history, so lost ones are read again.

use crate::{
    broker::{Broker, BrokerError, Delivery, Mailbox, MailboxEntry},
    telemetry::FailureLog,
};
use gateway_core::{
    channel::{
        GapBufferBudget,
        feed::{Continuity, Disposition, Feed, Next},
    },
    model::{ChannelName, Data, PageLimit, Position, Publication, ReadRange, Retention, WorkerId},
};
use std::{collections::VecDeque, future::poll_fn, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Longer than any request waits for its responses.
pub(super) const RETENTION: Retention = Retention { size: 10_000, ttl: Duration::from_mins(1) };
/// Bytes of messages that wait while a gap before them is read.
const GAP_BUFFER_BYTES: usize = 1 << 20;
const PAGE_LIMIT: PageLimit = PageLimit { entries: 256, bytes: 1 << 20 };
/// Pause before a failed read is repeated.
const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The next thing that arrived.
pub(super) enum Incoming {
    Message(Data),
    /// Messages were lost: they left the history before this node could read them.
    Gap,
}

// NL-7.7
/// See the module.
pub(super) struct Inbox {
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
    channel: ChannelName,
    feed: Feed,
    ready: VecDeque<Incoming>,
    entries: Vec<MailboxEntry>,
}

impl Inbox {
    /// Subscribes `mailbox` to `channel`. The broker has registered the mailbox as that of `worker`.
    pub(super) async fn open(
        broker: Arc<Broker>,
        mailbox: Arc<Mailbox>,
        worker: WorkerId,
        channel: ChannelName,
    ) -> Result<Self, BrokerError> {
        broker.subscribe(&channel, worker, Some(RETENTION)).await?;
        let page = broker.read(&channel, RETENTION, ReadRange::Top, PAGE_LIMIT).await?;
        let mut feed = Feed::new(GapBufferBudget::new(GAP_BUFFER_BYTES));
        feed.start(Position { epoch: page.epoch, offset: page.top });
        Ok(Self { broker, mailbox, channel, feed, ready: VecDeque::new(), entries: Vec::new() })
    }

    /// Waits for the next message or gap.
    pub(super) async fn next(&mut self) -> Incoming {
        loop {
            if let Some(incoming) = self.ready.pop_front() {
                return incoming;
            }
            poll_fn(|cx| self.mailbox.poll_take(cx, &mut self.entries)).await;
            for entry in std::mem::take(&mut self.entries) {
                let gap = match entry {
                    MailboxEntry::Delivery(_, Delivery::Publication(publication)) => self.offer(publication),
                    MailboxEntry::Dirty(_) | MailboxEntry::AllDirty => self.feed.require_read(),
                    MailboxEntry::Top(_, top, _) => self.feed.observe_top(top),
                    MailboxEntry::Delivery(..)
                    | MailboxEntry::Command(..)
                    | MailboxEntry::Query(_)
                    | MailboxEntry::Post(..)
                    | MailboxEntry::RegisterAgain
                    | MailboxEntry::CheckRevocations
                    | MailboxEntry::RegisterConnections
                    | MailboxEntry::RegisterSubscriptions
                    | MailboxEntry::Drain(_) => None,
                };
                if let Some(after) = gap {
                    self.catch_up(after).await;
                }
            }
        }
    }

    fn offer(&mut self, publication: Arc<Publication>) -> Option<u64> {
        match self.feed.receive(&publication) {
            Disposition::Deliver => self.ready.push_back(message(&publication)),
            Disposition::Gap => return self.feed.position().map(|position| position.offset),
            Disposition::Duplicate | Disposition::Buffered => {}
        }
        None
    }

    // NL-7.7
    async fn catch_up(&mut self, mut after: u64) {
        let mut failures = FailureLog::default();
        loop {
            let range = ReadRange::After(after);
            match self.broker.read(&self.channel, RETENTION, range, PAGE_LIMIT).await {
                Ok(page) => {
                    let caught = self.feed.apply(page.until_gap(range));
                    self.ready.extend((caught.continuity == Continuity::Broken).then_some(Incoming::Gap));
                    self.ready.extend(caught.deliver.iter().map(|publication| message(publication)));
                    match caught.next {
                        Next::Read(next, _) => after = next,
                        Next::Pull | Next::Live => return,
                    }
                }
                Err(error) => {
                    failures.failed(
                        || tracing::warn!(%error, "reading lost messages of other nodes failed; the node tries again until it succeeds"),
                    );
                    sleep(RETRY_PAUSE).await;
                }
            }
        }
    }
}

/// Nodes send only JSON. `null` stands for anything else, and no message is `null`.
fn message(publication: &Publication) -> Incoming {
    Incoming::Message(publication.content.as_json().cloned().unwrap_or_else(Data::null))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::{MemoryBroker, MemoryLimits, NewPublication};
    use gateway_core::model::Tags;

    fn message(n: usize) -> NewPublication {
        let data = Data::parse(&serde_json::value::to_raw_value(&n).expect("a number")).expect("shallow");
        NewPublication {
            content: data.into(),
            tags: Tags::new(),
            info: None,
            traceparent: None,
            retention: Some(RETENTION),
            identity: None,
        }
    }

    // NL-7.7
    #[tokio::test]
    async fn only_messages_that_left_the_history_make_a_gap() {
        let mailbox = Arc::new(Mailbox::new(4, 1 << 20));
        let broker = Arc::new(Broker::Memory(MemoryBroker::new(vec![mailbox.clone()], MemoryLimits::default())));
        let channel: ChannelName = "$node:n1".parse().expect("valid");
        let mut inbox = Inbox::open(broker.clone(), mailbox, WorkerId::FIRST, channel.clone()).await.expect("in memory");
        let mut incoming = Vec::new();
        for round in 0..2 {
            for n in 0..9 {
                broker.publish(&channel, message(10 * round + n)).await.expect("in memory");
            }
            if round == 1 {
                broker.clear(&channel).await.expect("in memory");
            }
            while incoming.last() != Some(&None) && incoming.len() < 9 * (round + 1) {
                incoming.push(match inbox.next().await {
                    Incoming::Message(data) => Some(data.get().parse::<usize>().expect("a number")),
                    Incoming::Gap => None,
                });
            }
        }
        // All of the first round were delivered or read. In the second, those that the mailbox dropped had left the history.
        let (kept, rest) = incoming.split_at(9);
        assert_eq!(kept, (0..9).map(Some).collect::<Vec<_>>());
        assert_eq!((rest.first(), rest.last()), (Some(&Some(10)), Some(&None)), "{rest:?}");
    }
}
