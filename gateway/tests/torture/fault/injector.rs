//! The parts that all fault injections share.

use super::kind::Fault;
use crate::{
    ledger::{AtRisk as AtRiskChannels, Channel, Kind as ChannelKind},
    node::Node,
    publisher::burst,
    queues::{
        events::AtRisk as AtRiskEvents,
        lifecycle::AtRisk as AtRiskLifecycle,
        plan::{INGEST_PARTITIONS, SERVICES, Service, ingest_tag},
    },
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

/// What a fault may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// What only the master has: not what `queues.replicas` waits for.
    OfOneServer,
    /// What the replicas have, too.
    Everywhere,
}

impl Loss {
    /// That of a fault that wipes all servers at once, or of others.
    pub(super) fn of(fault: Fault) -> Self {
        if matches!(fault, Fault::WipeRedis | Fault::Flush) { Self::Everywhere } else { Self::OfOneServer }
    }
}

/// Marks what the store may lose, until this is dropped.
pub(super) struct AtRisk<'a> {
    _events: Option<AtRiskEvents<'a>>,
    _lifecycle: Option<AtRiskLifecycle<'a>>,
    _channels: AtRiskChannels,
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

    /// The hash tag of a random channel, or of a partition of a queue.
    pub(super) fn tag(&mut self) -> String {
        if self.world.queues.is_none() || self.random.random() {
            return self.channel().name.clone();
        }
        let queues = SERVICES.into_iter().flat_map(Service::tags).chain((0..INGEST_PARTITIONS).map(ingest_tag));
        queues.collect::<Vec<_>>().choose(self.random).expect("there are partitions").clone()
    }

    /// The gateway's proxies to all servers of the store, or to a random one.
    pub(super) fn proxies(&mut self) -> &'a [Proxy] {
        let proxies = &self.node.proxies;
        if self.random.random() { proxies } else { std::slice::from_ref(proxies.choose(self.random).expect("there are servers")) }
    }

    /// Marks what the store may lose: what it has acknowledged under these hash tags.
    pub(super) fn risk(&self, loss: Loss, has: impl Fn(&str) -> bool) -> AtRisk<'a> {
        let is_safe = loss == Loss::OfOneServer && self.world.replicas > 0;
        // An entry is in its partition before it is published, and in its channel after that.
        let has_feed = |channel: &Channel| channel.partitions.iter().any(|partition| has(&ingest_tag(*partition)));
        let loses_entries = |channel: &Channel| !is_safe && (has(&channel.name) || has_feed(channel));
        let queues = self.world.queues.as_ref();
        AtRisk {
            _events: queues.map(|queues| queues.events.at_risk(&has, !is_safe)),
            _lifecycle: queues.map(|queues| queues.lifecycle.at_risk()),
            _channels: AtRiskChannels::begin(&self.world.channels, &has, loses_entries),
        }
    }

    /// Publishes only through this gateway, into channels in which it may have no subscriber.
    pub(super) async fn publish_through_one_node(&mut self, has: impl Fn(&str) -> bool) {
        let count = self.random.random_range(0..60);
        let sparse = self.world.channels.iter().filter(|channel| channel.kind == ChannelKind::Sparse && has(&channel.name));
        join_all(sparse.map(|channel| burst(self.world, channel, count, Some(self.at)))).await;
    }
}
