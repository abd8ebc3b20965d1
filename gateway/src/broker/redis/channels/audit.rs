//! Looks whether workers have what the streams hold.
//!
//! A canary proves a connection, not a channel; so the top of every stream that workers rely on is compared with what they have: after a connection
//! broke, and again and again, spread over time. Workers compare by themselves, each with its own position.

use super::streams::Streams;
use crate::broker::{
    Check,
    redis::{
        servers::masters::Masters,
        subscriptions::{subscription_table::Incarnation, subscriptions::Subscriptions},
    },
};
use futures_util::{
    StreamExt as _,
    future::{join, ready},
    stream,
};
use gateway_core::model::{ChannelName, Position, Span};
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// Reads at a time: they share a few round trips.
const AT_ONCE: usize = 256;
/// Parts into which a round is spread.
const PARTS: usize = 10;
/// A slot that moves has arrived by then, or goes on moving.
const SETTLED: Duration = Duration::from_secs(5);

/// See the module.
pub(crate) struct Audit {
    pub(crate) streams: Arc<Streams>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) masters: Arc<Masters>,
    /// For a round through all channels.
    pub(crate) round: Duration,
    /// What was announced so long ago has arrived, or its connection was found to be deaf.
    pub(crate) patience: Duration,
}

/// Where some streams stood, and when that is to be compared with what has arrived.
type Seen = (Instant, Vec<(ChannelName, Incarnation, Position)>);

impl Audit {
    /// Goes round until cancelled.
    pub(crate) async fn run(&self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(join(self.rounds(), self.moves())).await;
    }

    // NL-3.6
    /// Looks at the channels of slots that moved while something was published there: at once, and when subscriptions have followed.
    async fn moves(&self) {
        let mut changes = self.masters.map();
        loop {
            let slots = self.masters.moving().await;
            changes.mark_unchanged();
            self.resumed(self.subscriptions.kept_in(&slots)).await;
            let _ = timeout(SETTLED, changes.changed()).await;
            self.resumed(self.subscriptions.kept_in(&slots)).await;
        }
    }

    // NL-6.2
    async fn rounds(&self) {
        let mut seen = VecDeque::new();
        loop {
            let all = self.subscriptions.kept();
            let part = all.len().div_ceil(PARTS).max(1);
            let mut parts = all.chunks(part);
            for _ in 0..PARTS {
                let next = Instant::now() + self.round / PARTS as u32;
                let tops = self.tops(parts.next().unwrap_or_default().to_vec()).await;
                seen.push_back((Instant::now() + self.patience, tops));
                self.compare(&mut seen, next).await;
            }
        }
    }

    /// Where these streams stand, as far as that can be read now.
    pub(crate) async fn tops(&self, channels: Vec<(ChannelName, Incarnation)>) -> Vec<(ChannelName, Incarnation, Position)> {
        let top = async |(channel, incarnation): (ChannelName, Incarnation)| {
            let (channel, top) = self.top(channel).await;
            top.map(|top| (channel, incarnation, top))
        };
        stream::iter(channels).map(top).buffer_unordered(AT_ONCE).filter_map(ready).collect().await
    }

    /// Until then, lets the workers compare what is old enough.
    async fn compare(&self, seen: &mut VecDeque<Seen>, until: Instant) {
        while let Some(due) = seen.front().map(|(due, _)| *due).filter(|due| *due <= until) {
            sleep_until(due).await;
            for (channel, incarnation, top) in seen.pop_front().into_iter().flat_map(|(_, tops)| tops) {
                self.subscriptions.stood_at(&channel, top, incarnation);
            }
        }
        sleep_until(until).await;
    }

    // NL-3.3
    /// Reads where these streams stand now that they are subscribed anew, and lets the workers compare.
    pub(crate) async fn resumed(&self, channels: Vec<ChannelName>) {
        let mut tops = stream::iter(channels).map(|channel| self.top(channel)).buffer_unordered(AT_ONCE);
        while let Some((channel, top)) = tops.next().await {
            match top {
                Some(top) => self.subscriptions.stands_at(&channel, top, Check::Resumed),
                // The worker reads by itself, as long as it takes.
                None => self.subscriptions.dirty(&channel),
            }
        }
    }

    async fn top(&self, channel: ChannelName) -> (ChannelName, Option<Position>) {
        let page = self.streams.read(&channel, Duration::ZERO, Span::Top, super::streams::TOP_ONLY).await;
        (channel, page.ok().map(|page| Position { epoch: page.epoch, offset: page.top }))
    }
}
