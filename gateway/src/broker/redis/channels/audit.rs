//! The audit: it compares the streams with the positions of the workers.
//!
//! A canary proves that a connection delivers, but not that every channel does. So the audit reads the top of every stream with
//! subscribers: after a broken connection, and also regularly, spread over time. Each worker compares the top with its own position.

use super::streams::Streams;
use crate::broker::{
    TopReason,
    redis::{
        servers::masters::Masters,
        subscriptions::{subscribed_channel::SubscriptionNumber, subscriptions::Subscriptions},
    },
};
use futures_util::{
    StreamExt as _,
    future::{join, ready},
    stream,
};
use gateway_core::model::{ChannelName, Position, ReadRange};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Largest number of concurrent reads. They share a few round trips.
const CONCURRENT_READS: usize = 256;
/// Number of parts into which a round through all channels is divided.
const PARTS: usize = 10;
/// Longest wait for the new slot map after a slot began to move.
const MOVE_TIMEOUT: Duration = Duration::from_secs(5);

/// The audit of all channels.
pub(crate) struct Audit {
    pub(crate) streams: Arc<Streams>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) masters: Arc<Masters>,
    /// Time in which the audit checks every channel with a history once.
    pub(crate) round: Duration,
    /// Within this time after a publish, either the publication arrives, or the gateway replaces the connection because it does not
    /// deliver.
    pub(crate) delivery_limit: Duration,
}

/// The tops of some streams, and the time at which to report them.
type Observed = (Instant, Vec<(ChannelName, SubscriptionNumber, Position)>);

impl Audit {
    /// Audits until cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(join(self.rounds(), self.check_moving())).await;
    }

    // NL-3.6
    /// Checks the channels of moving slots in which something was published: at once, and again when the subscriptions have moved.
    async fn check_moving(&self) {
        let mut changes = self.masters.watch_topology();
        loop {
            let slots = self.masters.next_moving().await;
            changes.mark_unchanged();
            self.check(self.subscriptions.with_history_in(&slots)).await;
            let _ = timeout(MOVE_TIMEOUT, changes.changed()).await;
            self.check(self.subscriptions.with_history_in(&slots)).await;
        }
    }

    // NL-6.2
    async fn rounds(&self) {
        let mut observed = VecDeque::new();
        loop {
            let all = self.subscriptions.with_history();
            let part = all.len().div_ceil(PARTS).max(1);
            let mut parts = all.chunks(part);
            for _ in 0..PARTS {
                let next = Instant::now() + self.round / PARTS as u32;
                let tops = self.tops(parts.next().unwrap_or_default().to_vec()).await;
                observed.push_back((Instant::now() + self.delivery_limit, tops));
                self.report_due(&mut observed, next).await;
            }
        }
    }

    /// Reads the tops of these streams. Leaves out a stream that cannot be read now.
    pub(crate) async fn tops(&self, channels: Vec<(ChannelName, SubscriptionNumber)>) -> Vec<(ChannelName, SubscriptionNumber, Position)> {
        let top = async |(channel, number): (ChannelName, SubscriptionNumber)| {
            let (channel, top) = self.top(channel).await;
            top.map(|top| (channel, number, top))
        };
        stream::iter(channels).map(top).buffer_unordered(CONCURRENT_READS).filter_map(ready).collect().await
    }

    /// Waits until the time `until`. Until then, reports tops to the workers as soon as they are due.
    async fn report_due(&self, observed: &mut VecDeque<Observed>, until: Instant) {
        while let Some(due) = observed.front().map(|(due, _)| *due).filter(|due| *due <= until) {
            sleep_until(due).await;
            for (channel, number, top) in observed.pop_front().into_iter().flat_map(|(_, tops)| tops) {
                self.subscriptions.report_earlier_top(&channel, top, number);
            }
        }
        sleep_until(until).await;
    }

    // NL-3.3
    /// Reads the tops of these streams after a new subscription and reports them to the workers.
    pub(crate) async fn check(&self, channels: Vec<ChannelName>) {
        let mut tops = stream::iter(channels).map(|channel| self.top(channel)).buffer_unordered(CONCURRENT_READS);
        while let Some((channel, top)) = tops.next().await {
            match top {
                Some(top) => self.subscriptions.report_top(&channel, top, TopReason::Resumed),
                // The worker now reads the channel itself, and retries until it succeeds.
                None => self.subscriptions.mark_dirty(&channel),
            }
        }
    }

    async fn top(&self, channel: ChannelName) -> (ChannelName, Option<Position>) {
        let page = self.streams.read(&channel, Duration::ZERO, ReadRange::Top, super::streams::TOP_ONLY).await;
        (channel, page.ok().map(|page| Position { epoch: page.epoch, offset: page.top }))
    }
}
