//! The list of faults.

use crate::{scope::Workload, store::Kind};
use clap::ValueEnum;

/// A fault that the torture injects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Fault {
    /// A gateway's process is killed and restarted.
    KillGateway,
    /// An operator stops a gateway in order, and restarts it.
    DrainGateway,
    /// A gateway's process is suspended for longer than its lease.
    StopGateway,
    /// Redis is restarted and loses nothing. In a cluster, this and all other faults of Redis affect one master.
    RestartRedis,
    /// Redis is killed and restarts with an older snapshot.
    CrashRedis,
    /// Redis is killed and restarts empty.
    WipeRedis,
    /// Redis is suspended. With sentinels or in a cluster, its replica takes over.
    PauseRedis,
    /// An operator deletes all data of Redis.
    Flush,
    /// Redis is killed, and its replica takes over. Redis restarts as a replica.
    KillMaster,
    /// An operator starts a failover to the replica.
    Failover,
    /// A replica that lags behind takes over. At first only one node publishes through it.
    Promote,
    /// Slots of a cluster move to another master, under load.
    MoveSlot,
    /// A cluster's master dies while some keys of a slot have moved. An operator completes the move later.
    BreakMove,
    /// Redis closes all subscriber connections.
    KillPubsub,
    // NL-6.1
    /// A gateway's subscriber connections stay open but deliver nothing.
    MuteSubscriber,
    /// All connections of a gateway to Redis stay open but deliver nothing.
    Isolate,
    /// A gateway's connections to Redis break repeatedly.
    CutRedis,
    /// A gateway's connections to Redis have a high latency.
    SlowRedis,
    /// A gateway's connections to Redis have a low bandwidth.
    ThrottleRedis,
    /// More publications arrive at once than the mailboxes can hold.
    Overflow,
    /// Clients lose their connections during a burst of publications.
    DropClients,
    /// Clients read more slowly than publications arrive.
    SlowClients,
    /// Some consumers of queues are killed with their work in hand, and restarted.
    KillConsumer,
    /// Some consumers of queues are suspended for longer than they may take for an event.
    FreezeConsumer,
}

impl Fault {
    /// The faults of the short form.
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
                Self::StopGateway,
                Self::KillConsumer,
                Self::FreezeConsumer,
                Self::RestartRedis,
            ],
            Kind::Sentinel => &[Self::Failover, Self::KillMaster],
            Kind::Cluster => &[Self::MoveSlot, Self::Failover, Self::CutRedis, Self::KillMaster, Self::KillConsumer],
            Kind::Servers => &[Self::RestartRedis, Self::StopGateway, Self::KillConsumer],
        }
    }

    /// Whether this fault is possible with this kind of store and this workload.
    pub(crate) fn applies_to(self, store: Kind, workload: Workload) -> bool {
        match self {
            Self::KillConsumer | Self::FreezeConsumer => workload.has_queues(),
            Self::Promote => store != Kind::Servers,
            Self::RestartRedis | Self::CrashRedis => store != Kind::Sentinel,
            Self::KillMaster | Self::Failover => matches!(store, Kind::Sentinel | Kind::Cluster),
            Self::MoveSlot | Self::BreakMove => store == Kind::Cluster,
            _ => true,
        }
    }

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}
