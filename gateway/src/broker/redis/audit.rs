//! Looks whether workers have what the streams hold.
//!
//! A canary proves a connection, not a channel; so the top of every stream that workers rely on is compared with what they have: after a connection
//! broke, and again and again, spread over time. Workers compare by themselves, each with its own position.

use super::{streams::Streams, subscriptions::Subscriptions};
use crate::{
    broker::{Check, Span},
    model::{ChannelName, Position},
};
use futures_util::{StreamExt as _, future::join, stream};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Reads at a time: they share a few round trips.
const AT_ONCE: usize = 256;
/// Parts into which a round is spread.
const PARTS: usize = 10;
/// What was announced this long ago has arrived, or never will.
const ARRIVED: Duration = Duration::from_secs(2);

/// See the module.
pub(super) struct Audit {
    pub(super) streams: Arc<Streams>,
    pub(super) subscriptions: Arc<Subscriptions>,
    /// For a round through all channels.
    pub(super) round: Duration,
}

impl Audit {
    /// Goes round until cancelled.
    pub(super) async fn run(&self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.rounds()).await;
    }

    async fn rounds(&self) {
        loop {
            let all = self.subscriptions.kept();
            let part = all.len().div_ceil(PARTS).max(1);
            let mut parts = all.chunks(part);
            for _ in 0..PARTS {
                let channels = parts.next().unwrap_or_default().to_vec();
                join(self.check(channels, Check::Audit), sleep(self.round / PARTS as u32)).await;
            }
        }
    }

    /// Reads where these streams stand, and lets the workers compare.
    pub(super) async fn check(&self, channels: Vec<ChannelName>, check: Check) {
        if channels.is_empty() {
            return;
        }
        let tops: Vec<_> = stream::iter(channels).map(|channel| self.top(channel)).buffer_unordered(AT_ONCE).collect().await;
        if check == Check::Audit {
            sleep(ARRIVED).await;
        }
        for (channel, top) in tops {
            match top {
                Some(top) => self.subscriptions.stands_at(&channel, top, check),
                // The worker reads by itself, as long as it takes.
                None if check == Check::Resumed => self.subscriptions.dirty(&channel),
                None => {}
            }
        }
    }

    async fn top(&self, channel: ChannelName) -> (ChannelName, Option<Position>) {
        let page = self.streams.read(&channel, Duration::ZERO, Span::Top, super::streams::TOP_ONLY).await;
        (channel, page.ok().map(|page| Position { epoch: page.epoch, offset: page.top }))
    }
}
