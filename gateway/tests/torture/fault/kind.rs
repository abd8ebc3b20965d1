//! What can break.

use crate::store::Kind;
use clap::ValueEnum;

/// What can break.
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
}
