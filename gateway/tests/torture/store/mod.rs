//! Where publications are kept: servers of Redis that belong together.
//!
//! - [`alone`]: one server and its standby; sentinels and clusters are those of `redis_testing`

pub(crate) mod alone;

use alone::Alone;
use clap::ValueEnum;
use redis_testing::{Cluster, ClusterOptions, SERVICE, SentinelOptions, Sentinels, Server};
use std::{net::SocketAddr, path::Path, time::Duration};

/// Masters of a cluster that have slots from the start. One more gets some in time, and loses them again.
const SERVING: usize = 3;
/// A server that is silent for so long is dead for the others.
const DEAD_AFTER: Duration = Duration::from_secs(3);

/// What a world's store is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One server, and a replica that takes over when an operator says so.
    Standalone,
    /// A master and its replica, and sentinels that watch them.
    Sentinel,
    /// A Redis Cluster of three masters and one that comes and goes, each with a replica.
    Cluster,
}

/// See the module. All processes end with it.
pub(crate) enum Store {
    Alone(Alone),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

impl Store {
    pub(crate) async fn start(kind: Kind, directory: &Path) -> Self {
        match kind {
            Kind::Standalone => Self::Alone(Alone::start(directory).await),
            Kind::Sentinel => Self::Sentinels(Sentinels::start(sentinels(directory)).await),
            Kind::Cluster => Self::Cluster(Cluster::start(cluster(directory)).await),
        }
    }

    /// Whether all is as the last fault left it.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Sentinels(sentinels) => sentinels.is_as_it_was().await,
            Self::Cluster(cluster) => cluster.is_as_it_was().await,
        }
    }

    /// What gateways may have connections to.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Alone(alone) => vec![alone.primary.address()],
            Self::Sentinels(sentinels) => sentinels.servers.iter().chain(&sentinels.sentinels).map(Server::address).collect(),
            Self::Cluster(cluster) => cluster.members.iter().map(Server::address).collect(),
        }
    }

    /// The settings of a gateway that reaches [`Self::servers`] there.
    pub(crate) fn url(&self, servers: &[SocketAddr]) -> String {
        let hosts = |some: &[SocketAddr]| some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Alone(_) => format!("redis://{}", hosts(servers)),
            Self::Sentinels(sentinels) => format!("redis+sentinel://{}/{SERVICE}", hosts(&servers[sentinels.servers.len()..])),
            Self::Cluster(_) => format!("redis+cluster://{}", hosts(&servers[..SERVING])),
        }
    }
}

fn sentinels(directory: &Path) -> SentinelOptions {
    SentinelOptions {
        down_after: DEAD_AFTER,
        failover_timeout: Duration::from_secs(5),
        directory: Some(directory.into()),
        ..SentinelOptions::default()
    }
}

fn cluster(directory: &Path) -> ClusterOptions {
    ClusterOptions {
        masters: SERVING,
        spare: 1,
        replicas: 1,
        node_timeout: DEAD_AFTER,
        directory: Some(directory.into()),
        ..ClusterOptions::default()
    }
}
