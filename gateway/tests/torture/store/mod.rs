//! Where publications are kept: servers of Redis that belong together.
//!
//! - [`redis`]: one of them; [`alone`], [`watched`], [`cluster`]: those of a world

pub(crate) mod alone;
pub(crate) mod cluster;
pub(crate) mod redis;
pub(crate) mod watched;

use alone::Alone;
use clap::ValueEnum;
use cluster::Cluster;
use std::{net::SocketAddr, path::Path};
use watched::{SERVICE, Watched};

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
    Watched(Watched),
    Cluster(Cluster),
}

impl Store {
    pub(crate) async fn start(kind: Kind, directory: &Path) -> Self {
        match kind {
            Kind::Standalone => Self::Alone(Alone::start(directory).await),
            Kind::Sentinel => Self::Watched(Watched::start(directory).await),
            Kind::Cluster => Self::Cluster(Cluster::start(directory).await),
        }
    }

    /// Whether all is as the last fault left it.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        match self {
            Self::Alone(_) => true,
            Self::Watched(watched) => watched.is_as_it_was().await,
            Self::Cluster(cluster) => cluster.is_as_it_was().await,
        }
    }

    /// What gateways may have connections to.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Alone(alone) => vec![alone.primary.address],
            Self::Watched(watched) => watched.servers.iter().chain(&watched.sentinels).map(|server| server.address).collect(),
            Self::Cluster(cluster) => cluster.members.iter().map(|member| member.address).collect(),
        }
    }

    /// What a gateway is told that reaches [`Self::servers`] there.
    pub(crate) fn url(&self, servers: &[SocketAddr]) -> String {
        let hosts = |some: &[SocketAddr]| some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Alone(_) => format!("redis://{}", hosts(servers)),
            Self::Watched(watched) => format!("redis+sentinel://{}/{SERVICE}", hosts(&servers[watched.servers.len()..])),
            Self::Cluster(_) => format!("redis+cluster://{}", hosts(&servers[..cluster::SERVING])),
        }
    }
}
