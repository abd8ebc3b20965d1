//! History reads that close a gap in a channel's deliveries on this worker.

use crate::{
    broker::BrokerError,
    hub::{hub::Hub, keys::ChannelKey},
    telemetry::{Count, FailureLog, OpenTask},
};
use gateway_core::{
    channel::feed::{Next, PULL_INTERVAL},
    model::{ChannelName, Freshness, Page},
};
use std::rc::Rc;
use tokio::{task::spawn_local, time::sleep};

/// Number of pending deliveries of one channel above which its backfill pauses.
const MAX_AHEAD: usize = 512;

impl Hub {
    /// Starts a task that reads a channel's history after the position of its feed, until the feed is live again.
    pub(crate) fn begin_backfill(self: &Rc<Self>, local_channel: ChannelKey, freshness: Freshness) {
        self.parts.metrics.count(Count::Backfills, 1);
        spawn_local(self.clone().backfill(local_channel, freshness));
    }

    // NL-4.7
    async fn backfill(self: Rc<Self>, key: ChannelKey, mut freshness: Freshness) {
        let _task = OpenTask::new(&self.parts.metrics);
        let Some((channel, number)) =
            self.state.borrow_mut().local_channel(key).map(|local_channel| (local_channel.name.clone(), local_channel.number))
        else {
            return;
        };
        let mut failures = FailureLog::default();
        loop {
            while self.pending_count(key) > MAX_AHEAD {
                self.batch_done.notified().await;
            }
            let Some(read) = self.read(&channel, key, freshness).await else { return };
            let mut next = match read {
                Ok(page) => self.apply_page(key, number, page),
                Err(error) => {
                    failures.failed(
                        || tracing::warn!(%channel, %error, "cannot read missing publications; the worker retries until it succeeds"),
                    );
                    sleep(self.retry()).await;
                    continue;
                }
            };
            while next == Some(Next::Pull) {
                sleep(PULL_INTERVAL).await;
                next = self.after_pause(key, number);
            }
            match next {
                Some(Next::Read(_, next)) => freshness = next,
                Some(Next::Pull | Next::Live) | None => return,
            }
        }
    }

    /// Reads one page. `None` if the channel is not open on this worker any more, or has no history.
    async fn read(&self, channel: &ChannelName, key: ChannelKey, freshness: Freshness) -> Option<Result<Page, BrokerError>> {
        let after = self.state.borrow_mut().local_channel(key)?.feed.position()?;
        let retention = self.parts.namespaces.options(channel)?.retention?;
        Some(self.parts.reads.backfill(channel, retention, after, self.parts.limits.page, freshness).await)
    }

    fn after_pause(&self, key: ChannelKey, number: u64) -> Option<Next> {
        let now = self.now();
        self.state
            .borrow_mut()
            .local_channel(key)
            .filter(|local_channel| local_channel.number == number)
            .map(|local_channel| local_channel.feed.pull(now))
    }

    fn pending_count(&self, key: ChannelKey) -> usize {
        self.state.borrow_mut().local_channel(key).map_or(0, |local_channel| local_channel.pending.len())
    }
}
