//! The store of a run: one or more Redis servers.
//!
//! - [`standalone`]: one server and its replica. `redis_testing` contains sentinels and clusters.

pub(crate) mod standalone;

use clap::ValueEnum;
use redis_testing::{Cluster, ClusterOptions, SERVICE, SentinelOptions, Sentinels, Server};
use standalone::Standalone;
use std::{net::SocketAddr, path::Path, time::Duration};

/// Number of masters of a cluster that have slots at the start. One more master gets slots during the run, and loses them again.
const SERVING: usize = 3;
/// Time without an answer after which sentinels and cluster members regard a server as dead.
const DEAD_AFTER: Duration = Duration::from_secs(3);

/// The kind of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One server, and a replica that an operator promotes.
    Standalone,
    /// A master, its replica, and sentinels.
    Sentinel,
    /// A Redis Cluster of four masters, each with a replica. The fourth master has no slots at the start.
    Cluster,
}

/// The servers of a store. Their processes end when it is dropped.
pub(crate) enum Store {
    Standalone(Standalone),
    Sentinels(Sentinels),
    Cluster(Cluster),
}

impl Store {
    pub(crate) async fn start(kind: Kind, directory: &Path) -> Self {
        match kind {
            Kind::Standalone => Self::Standalone(Standalone::start(directory).await),
            Kind::Sentinel => Self::Sentinels(Sentinels::start(sentinels(directory)).await),
            Kind::Cluster => Self::Cluster(Cluster::start(cluster(directory)).await),
        }
    }

    /// Whether the roles of all servers are as the last fault left them.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        match self {
            Self::Standalone(_) => true,
            Self::Sentinels(sentinels) => sentinels.is_as_it_was().await,
            Self::Cluster(cluster) => cluster.is_as_it_was().await,
        }
    }

    /// The addresses of all servers to which gateways connect.
    pub(crate) fn servers(&self) -> Vec<SocketAddr> {
        match self {
            Self::Standalone(standalone) => vec![standalone.primary.address()],
            Self::Sentinels(sentinels) => sentinels.servers.iter().chain(&sentinels.sentinels).map(Server::address).collect(),
            Self::Cluster(cluster) => cluster.members.iter().map(Server::address).collect(),
        }
    }

    /// The value of `redis.url` for a gateway that reaches [`Self::servers`] at these addresses.
    pub(crate) fn url(&self, servers: &[SocketAddr]) -> String {
        let hosts = |some: &[SocketAddr]| some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        match self {
            Self::Standalone(_) => format!("redis://{}", hosts(servers)),
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
