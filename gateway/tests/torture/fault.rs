//! What can break, and how it is broken and mended.

use crate::{
    ledger::{Channel, Kind},
    node::Node,
    proxy::{Weather, Which},
    publisher::burst,
    redis::Redis,
    tally::Count,
    world::{LEASE, World},
};
use clap::ValueEnum;
use futures_util::future::join_all;
use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};
use rustix::process::Signal;
use std::{ops::Range, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// For connections to a Redis that is no longer the one.
const LET_GO: Duration = Duration::from_secs(10);

/// See the module. Moving a slot of a Redis Cluster takes its place here once the broker speaks to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// A gateway's process is killed and started again.
    KillGateway,
    /// A gateway is ended by an operator, and started again.
    DrainGateway,
    /// A gateway's process stands still for longer than its lease.
    StopGateway,
    /// Redis is restarted, and keeps everything.
    RestartRedis,
    /// Redis is killed, and goes on with what it saved some time before.
    CrashRedis,
    /// Redis is killed, and has nothing left.
    WipeRedis,
    /// Redis stands still.
    PauseRedis,
    /// Redis is emptied.
    Flush,
    /// A replica that lags behind takes over, for one node before the others.
    Promote,
    /// Redis closes all connections that subscribe.
    KillPubsub,
    /// A gateway's connection that subscribes delivers nothing, and stays open.
    MuteSubscriber,
    /// All of a gateway's connections to Redis deliver nothing, and stay open.
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
    pub(crate) const SHORT: &[Self] =
        &[Self::KillGateway, Self::KillPubsub, Self::MuteSubscriber, Self::Overflow, Self::DropClients, Self::PauseRedis, Self::Promote];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Whether Redis loses what it acknowledged.
    pub(crate) fn is_lossy(self) -> bool {
        matches!(self, Self::CrashRedis | Self::WipeRedis | Self::Flush | Self::Promote)
    }

    /// Breaks something, and mends it. In the short form things stay broken for a shorter time.
    pub(crate) async fn strike(self, world: &Arc<World>, random: &mut StdRng, short: bool) {
        let at = random.random_range(0..world.nodes.len());
        let mut hand = Hand { world, at, node: &world.nodes[at], random, short };
        match self {
            Self::KillGateway | Self::DrainGateway | Self::StopGateway => hand.strike_gateway(self).await,
            Self::RestartRedis | Self::CrashRedis | Self::WipeRedis | Self::PauseRedis | Self::Flush | Self::KillPubsub => {
                hand.strike_redis(self).await;
            }
            Self::Promote => hand.promote().await,
            Self::MuteSubscriber | Self::Isolate | Self::CutRedis | Self::SlowRedis | Self::ThrottleRedis => hand.strike_line(self).await,
            Self::Overflow | Self::DropClients | Self::SlowClients => hand.strike_clients(self).await,
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

impl Hand<'_> {
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

    async fn strike_redis(&mut self, fault: Fault) {
        let mut redis = self.world.redis.lock().await;
        match fault {
            Fault::RestartRedis => redis.shut_down().await,
            Fault::CrashRedis => {
                redis.command(&["SAVE"]).await;
                self.pause(2).await;
                redis.kill().await;
            }
            Fault::WipeRedis => {
                redis.kill().await;
                redis.wipe();
            }
            Fault::PauseRedis => {
                redis.signal(Signal::STOP);
                sleep(Duration::from_secs(if self.short { 3 } else { 15 })).await;
                redis.signal(Signal::CONT);
                return;
            }
            Fault::KillPubsub => {
                for _ in 0..self.random.random_range(1..5) {
                    redis.command(&["CLIENT", "KILL", "TYPE", "pubsub"]).await;
                    self.pause(1).await;
                }
                return;
            }
            _ => {
                redis.command(&["FLUSHALL"]).await;
                return;
            }
        }
        self.pause(3).await;
        redis.resume().await;
    }

    async fn strike_line(&mut self, fault: Fault) {
        let redis = &self.node.redis;
        let (weather, time) = match fault {
            Fault::MuteSubscriber => (Weather { silent: Which::Subscribers, ..Weather::default() }, self.millis(1000..5000)),
            Fault::Isolate => (Weather { silent: Which::All, ..Weather::default() }, self.millis(1000..8000)),
            Fault::SlowRedis => (Weather { delay: self.millis(10..150), ..Weather::default() }, Duration::from_secs(4)),
            Fault::ThrottleRedis => {
                (Weather { rate: Some(self.random.random_range(10_000..100_000)), ..Weather::default() }, Duration::from_secs(4))
            }
            _ => {
                for _ in 0..self.random.random_range(1..6) {
                    redis.cut([Which::All, Which::Subscribers, Which::Commands][self.random.random_range(0..3)]);
                    self.pause(1).await;
                }
                return;
            }
        };
        redis.set(weather);
        sleep(time).await;
        redis.set(Weather::default());
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

    /// A replica is cut off, lags behind, and takes over: first for one node, which publishes into channels of which it may have no subscriber.
    /// The old one still answers: whoever has any connection to the new one has to leave it.
    async fn promote(&mut self) {
        let mut primary = self.world.redis.lock().await;
        let mut standby = self.world.standby.lock().await;
        standby.follow(&primary).await;
        let next = Redis::start(self.world.directory.join(format!("redis-{:08x}", self.random.random::<u32>()))).await;
        let replica = std::mem::replace(&mut *standby, next);
        replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        self.pause(2).await;
        let point = |node: &Node, which| {
            node.redis.point_to(replica.address);
            node.redis.cut(which);
        };
        point(self.node, Which::All);
        let ahead = self.random.random_range(0..60);
        let lonely = self.world.channels.iter().filter(|channel| channel.kind == Kind::Lonely);
        join_all(lonely.map(|channel| burst(self.world, channel, ahead, Some(self.at)))).await;
        for (at, node) in self.world.nodes.iter().enumerate() {
            if at != self.at {
                point(node, [Which::All, Which::Commands, Which::Subscribers][self.random.random_range(0..3)]);
                self.pause(1).await;
            }
        }
        let let_go = async {
            while primary.clients().await > 0 {
                sleep(Duration::from_millis(50)).await;
            }
        };
        if timeout(LET_GO, let_go).await.is_err() {
            let case = || "gateways hold on to the old Redis, and to the new one as well".into();
            self.world.tally.wrong(Count::Other, 1, case);
        }
        primary.kill().await;
        *primary = replica;
        standby.follow(&primary).await;
    }
}
