//! What breaks things, and where.

use crate::{
    ledger::{AtRisk, Channel, Kind as ChannelKind},
    node::Node,
    publisher::burst,
    world::World,
};
use futures_util::future::join_all;
use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use redis_testing::Proxy;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::sleep;

/// What strikes, and where.
pub(super) struct Hand<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) at: usize,
    pub(super) node: &'a Node,
    pub(super) random: &'a mut StdRng,
    pub(super) short: bool,
}

impl<'a> Hand<'a> {
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    pub(super) async fn pause(&mut self, seconds: u64) {
        let most = seconds * if self.short { 400 } else { 1000 };
        let time = self.millis(50..most);
        sleep(time).await;
    }

    pub(super) fn channel(&mut self) -> Arc<Channel> {
        self.world.channels.choose(self.random).expect("there are channels").clone()
    }

    /// The gateway's ways to all servers of the store, or to one of them.
    pub(super) fn lines(&mut self) -> &'a [Proxy] {
        let lines = &self.node.lines;
        if self.random.random() { lines } else { std::slice::from_ref(lines.choose(self.random).expect("there are some")) }
    }

    /// The store may lose what it acknowledged, in these channels.
    pub(super) fn risk(&self, channels: impl Fn(&Channel) -> bool) -> AtRisk {
        AtRisk::begin(self.world.channels.iter().filter(|channel| channels(channel)).cloned().collect())
    }

    /// Publishes through this gateway alone into channels of which it may have no subscriber.
    pub(super) async fn publish_unseen(&mut self, channels: impl Fn(&Channel) -> bool) {
        let ahead = self.random.random_range(0..60);
        let lonely = self.world.channels.iter().filter(|channel| channel.kind == ChannelKind::Lonely && channels(channel));
        join_all(lonely.map(|channel| burst(self.world, channel, ahead, Some(self.at)))).await;
    }
}
