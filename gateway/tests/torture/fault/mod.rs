//! What can break, and how it is broken and mended.
//!
//! - [`store`]: the store, whatever it is; what is of one kind only: [`alone`], [`watched`], [`cluster`]

mod alone;
mod cluster;
mod store;
mod watched;

use crate::{
    ledger::{AtRisk, Channel, Kind as ChannelKind},
    node::Node,
    proxy::{Proxy, Weather, Which},
    publisher::burst,
    store::Kind,
    world::{LEASE, World},
};
use clap::ValueEnum;
use futures_util::future::join_all;
use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use rustix::process::Signal;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::sleep;

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// A gateway's process is killed and started again.
    KillGateway,
    /// A gateway is ended by an operator, and started again.
    DrainGateway,
    /// A gateway's process stands still for longer than its lease.
    StopGateway,
    /// Redis is restarted, and keeps everything. (A master of a cluster: as all that befalls Redis.)
    RestartRedis,
    /// Redis is killed, and goes on with what it saved some time before.
    CrashRedis,
    /// Redis is killed, and has nothing left.
    WipeRedis,
    /// Redis stands still. With sentinels, or in a cluster, its replica takes over meanwhile.
    PauseRedis,
    /// Redis is emptied.
    Flush,
    /// Redis is killed, and its replica takes over; it comes back as a replica.
    KillMaster,
    /// The replica takes over since an operator says so.
    Failover,
    /// A replica that lags behind takes over; publications go through one node first.
    Promote,
    /// A cluster's slots move to another master, under load.
    MoveSlot,
    /// A cluster's master dies when a slot has begun to move, and some of its keys are elsewhere; an operator ends the move later.
    BreakMove,
    /// Redis closes all connections that subscribe.
    KillPubsub,
    // NL-6.1
    /// A gateway's connections that subscribe deliver nothing, and stay open.
    MuteSubscriber,
    /// A gateway's connections to Redis deliver nothing, and stay open.
    Isolate,
    /// A gateway's connections to Redis break, again and again.
    CutRedis,
    /// Redis is far away from a gateway.
    SlowRedis,
    /// Redis is behind a narrow line.
    ThrottleRedis,
    /// More comes at once than mailboxes hold.
    Overflow,
    /// Clients lose their connections amid a burst.
    DropClients,
    /// Clients read too slowly for what comes.
    SlowClients,
}

impl Fault {
    /// Those of the short form.
    pub(crate) fn short(store: Kind) -> &'static [Self] {
        match store {
            Kind::Standalone => &[
                Self::KillGateway,
                Self::KillPubsub,
                Self::MuteSubscriber,
                Self::Overflow,
                Self::DropClients,
                Self::PauseRedis,
                Self::Promote,
            ],
            Kind::Sentinel => &[Self::Failover, Self::KillMaster],
            Kind::Cluster => &[Self::MoveSlot, Self::Failover, Self::CutRedis, Self::KillMaster],
        }
    }

    /// Whether such a store can break so.
    pub(crate) fn befalls(self, store: Kind) -> bool {
        match self {
            Self::RestartRedis | Self::CrashRedis => store != Kind::Sentinel,
            Self::KillMaster | Self::Failover => store != Kind::Standalone,
            Self::MoveSlot | Self::BreakMove => store == Kind::Cluster,
            _ => true,
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Breaks something, and mends it. In the short form things stay broken for a shorter time.
    pub(crate) async fn strike(self, world: &Arc<World>, random: &mut StdRng, short: bool) {
        let at = random.random_range(0..world.nodes.len());
        let mut hand = Hand { world, at, node: &world.nodes[at], random, short };
        match self {
            Self::KillGateway | Self::DrainGateway | Self::StopGateway => hand.strike_gateway(self).await,
            Self::MuteSubscriber | Self::Isolate | Self::CutRedis | Self::SlowRedis | Self::ThrottleRedis => hand.strike_line(self).await,
            Self::Overflow | Self::DropClients | Self::SlowClients => hand.strike_clients(self).await,
            _ => hand.strike_store(self).await,
        }
    }
}

/// What strikes, and where.
struct Hand<'a> {
    world: &'a Arc<World>,
    at: usize,
    node: &'a Node,
    random: &'a mut StdRng,
    short: bool,
}

impl<'a> Hand<'a> {
    fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.random.random_range(range))
    }

    async fn pause(&mut self, seconds: u64) {
        let most = seconds * if self.short { 400 } else { 1000 };
        let time = self.millis(50..most);
        sleep(time).await;
    }

    fn channel(&mut self) -> Arc<Channel> {
        self.world.channels.choose(self.random).expect("there are channels").clone()
    }

    /// The gateway's ways to all servers of the store, or to one of them.
    fn lines(&mut self) -> &'a [Proxy] {
        let lines = &self.node.lines;
        if self.random.random() { lines } else { std::slice::from_ref(lines.choose(self.random).expect("there are some")) }
    }

    /// The store may lose what it acknowledged, in these channels.
    fn risk(&self, channels: impl Fn(&Channel) -> bool) -> AtRisk {
        AtRisk::begin(self.world.channels.iter().filter(|channel| channels(channel)).cloned().collect())
    }

    /// Publishes through this gateway alone into channels of which it may have no subscriber.
    async fn publish_unseen(&mut self, channels: impl Fn(&Channel) -> bool) {
        let ahead = self.random.random_range(0..60);
        let lonely = self.world.channels.iter().filter(|channel| channel.kind == ChannelKind::Lonely && channels(channel));
        join_all(lonely.map(|channel| burst(self.world, channel, ahead, Some(self.at)))).await;
    }

    async fn strike_gateway(&mut self, fault: Fault) {
        let node = self.node;
        let _alone = node.struck.lock().await;
        match fault {
            Fault::StopGateway => {
                node.signal(Signal::STOP).await;
                sleep(LEASE.mul_f64(self.random.random_range(1.5..3.0))).await;
                node.signal(Signal::CONT).await;
                return;
            }
            Fault::DrainGateway => node.drain().await,
            _ => node.kill().await,
        }
        self.pause(2).await;
        node.start().await;
    }

    async fn strike_line(&mut self, fault: Fault) {
        let lines = self.lines();
        let set = |weather| lines.iter().for_each(|line| line.set(weather));
        let (weather, time) = match fault {
            Fault::MuteSubscriber => (Weather { silent: Which::Subscribers, ..Weather::default() }, self.millis(1000..5000)),
            Fault::Isolate => (Weather { silent: Which::All, ..Weather::default() }, self.millis(1000..8000)),
            Fault::SlowRedis => (Weather { delay: self.millis(10..150), ..Weather::default() }, Duration::from_secs(4)),
            Fault::ThrottleRedis => {
                (Weather { rate: Some(self.random.random_range(10_000..100_000)), ..Weather::default() }, Duration::from_secs(4))
            }
            _ => {
                for _ in 0..self.random.random_range(1..6) {
                    let which = [Which::All, Which::Subscribers, Which::Commands][self.random.random_range(0..3)];
                    for line in lines {
                        line.cut(which);
                    }
                    self.pause(1).await;
                }
                return;
            }
        };
        set(weather);
        sleep(time).await;
        set(Weather::default());
    }

    async fn strike_clients(&mut self, fault: Fault) {
        let (world, at) = (self.world, self.at);
        let (channel, other) = (self.channel(), self.channel());
        match fault {
            Fault::DropClients => {
                let drops = async {
                    for _ in 0..self.random.random_range(4..12) {
                        self.pause(1).await;
                        world.nodes[self.random.random_range(0..world.nodes.len())].public.cut(Which::All);
                    }
                };
                tokio::join!(burst(world, &channel, 600, None), drops);
            }
            Fault::SlowClients => {
                self.node.public.set(Weather { rate: Some(2_000), ..Weather::default() });
                tokio::join!(burst(world, &channel, 2500, None), sleep(Duration::from_secs(5)));
                self.node.public.set(Weather::default());
            }
            _ => {
                tokio::join!(burst(world, &channel, 600, None), burst(world, &other, 600, Some(at)));
            }
        }
    }
}
