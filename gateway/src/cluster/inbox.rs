//! What other nodes say to this one. Their channel is like any other with a history: what the way from the store lost is read.

use crate::{
    broker::{Broker, BrokerError, Delivery, Mailbox, PageLimit, Post, Retention, Span},
    channel::{
        HoldRoom,
        feed::{Feed, Next, Offer},
    },
    model::{ChannelName, Data, Position, Publication, WorkerId},
};
use std::{collections::VecDeque, future::poll_fn, sync::Arc, time::Duration};
use tokio::time::sleep;

/// Whoever waits for an answer has given up long before.
pub(super) const RETENTION: Retention = Retention { size: 10_000, ttl: Duration::from_mins(1) };
/// Bytes that may wait while something before them is read.
const HOLD: usize = 1 << 20;
const PAGE: PageLimit = PageLimit { entries: 256, bytes: 1 << 20 };
/// Before a read that failed is tried again.
const RETRY: Duration = Duration::from_millis(200);

/// See the module.
pub(super) struct Inbox {
    broker: Arc<Broker>,
    mailbox: Arc<Mailbox>,
    channel: ChannelName,
    feed: Feed,
    ready: VecDeque<Data>,
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
        let page = broker.read(&channel, RETENTION, Span::Top, PAGE).await?;
        let mut feed = Feed::new(HoldRoom::new(HOLD));
        feed.start(Position { epoch: page.epoch, offset: page.top });
        Ok(Self { broker, mailbox, channel, feed, ready: VecDeque::new(), posts: Vec::new() })
    }

    /// The next message.
    pub(super) async fn next(&mut self) -> Data {
        loop {
            if let Some(data) = self.ready.pop_front() {
                return data;
            }
            poll_fn(|cx| self.mailbox.poll_take(cx, &mut self.posts)).await;
            for post in std::mem::take(&mut self.posts) {
                let gap = match post {
                    Post::Delivery(_, Delivery::Publication(publication)) => self.offer(publication),
                    Post::Dirty(_) | Post::AllDirty => self.feed.reread(),
                    Post::Top(_, top, _) => self.feed.stands_at(top),
                    Post::Delivery(..) | Post::Command(..) | Post::Survey(_) | Post::PresentAgain | Post::Drain(_) => None,
                };
                if let Some(after) = gap {
                    self.catch_up(after).await;
                }
            }
        }
    }

    fn offer(&mut self, publication: Arc<Publication>) -> Option<u64> {
        match self.feed.offer(&publication) {
            Offer::Deliver => self.ready.push_back(publication.data.clone()),
            Offer::Gap => return self.feed.position().map(|position| position.offset),
            Offer::Duplicate | Offer::Held => {}
        }
        None
    }

    async fn catch_up(&mut self, mut after: u64) {
        loop {
            match self.broker.read(&self.channel, RETENTION, Span::After(after), PAGE).await {
                Ok(page) => {
                    let caught = self.feed.page(page);
                    self.ready.extend(caught.deliver.into_iter().map(|publication| publication.data.clone()));
                    match caught.next {
                        Next::Read(next, _) => after = next,
                        Next::Rest | Next::Live => return,
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
