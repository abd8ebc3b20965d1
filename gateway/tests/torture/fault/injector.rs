//! The parts that all fault injections share.

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

/// Injects faults into the gateway `at` or its store.
pub(super) struct FaultInjector<'a> {
    pub(super) world: &'a Arc<World>,
    pub(super) at: usize,
    pub(super) node: &'a Node,
    pub(super) random: &'a mut StdRng,
    pub(super) short: bool,
}

impl<'a> FaultInjector<'a> {
    pub(super) fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    pub(super) async fn pause(&mut self, seconds: u64) {
        let longest = seconds * if self.short { 400 } else { 1000 };
        let time = self.millis(50..longest);
        sleep(time).await;
    }

    pub(super) fn channel(&mut self) -> Arc<Channel> {
        self.world.channels.choose(self.random).expect("there are channels").clone()
    }

    /// The gateway's proxies to all servers of the store, or to a random one.
    pub(super) fn proxies(&mut self) -> &'a [Proxy] {
        let proxies = &self.node.proxies;
        if self.random.random() { proxies } else { std::slice::from_ref(proxies.choose(self.random).expect("there are servers")) }
    }

    /// Marks channels of which the store may lose acknowledged publications.
    pub(super) fn risk(&self, channels: impl Fn(&Channel) -> bool) -> AtRisk {
        AtRisk::begin(self.world.channels.iter().filter(|channel| channels(channel)).cloned().collect())
    }

    /// Publishes only through this gateway, into channels in which it may have no subscriber.
    pub(super) async fn publish_through_one_node(&mut self, channels: impl Fn(&Channel) -> bool) {
        let count = self.random.random_range(0..60);
        let sparse = self.world.channels.iter().filter(|channel| channel.kind == ChannelKind::Sparse && channels(channel));
        join_all(sparse.map(|channel| burst(self.world, channel, count, Some(self.at)))).await;
    }
}
