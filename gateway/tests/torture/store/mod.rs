//! The store of a run: one or more Redis servers.
//!
//! - [`standalone`]: one server and its replica. `redis_testing` contains sentinels and clusters.

pub(crate) mod standalone;

use clap::ValueEnum;
use futures_util::future::join_all;
use gateway_core::model::rendezvous_score;
use redis_testing::{Cluster, ClusterOptions, Options, SERVICE, SentinelOptions, Sentinels, Server, slot};
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
    /// Several independent servers, which divide the keys.
    Servers,
}

/// How a client finds the server of a key.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// There is one server.
    Single,
    /// Sentinels name the master. The first of them has this place among the servers.
    Sentinels(usize),
    /// The members of a cluster redirect.
    Cluster,
    /// The servers divide the keys by their names.
    Named,
}

impl Kind {
    /// Its name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

/// The names of independent servers.
pub(crate) const SERVER_NAMES: [&str; 3] = ["a", "b", "c"];

/// The place of the independent server that has the keys with this hash tag. It costs less than to divide all slots.
pub(crate) fn server_of(tag: &str) -> usize {
    let slot = slot(tag).to_be_bytes();
    (0..SERVER_NAMES.len()).max_by_key(|at| rendezvous_score(SERVER_NAMES[*at], slot)).unwrap_or_default()
}

/// The servers of a store. Their processes end when it is dropped.
pub(crate) enum Store {
    Standalone(Standalone),
    Sentinels(Sentinels),
    Cluster(Cluster),
    Servers(Vec<Server>),
}

impl Store {
    pub(crate) async fn start(kind: Kind, directory: &Path) -> Self {
        match kind {
            Kind::Standalone => Self::Standalone(Standalone::start(directory).await),
            Kind::Sentinel => Self::Sentinels(Sentinels::start(sentinels(directory)).await),
            Kind::Cluster => Self::Cluster(Cluster::start(cluster(directory)).await),
            Kind::Servers => {
                let start = |name| Server::start_with(Options::default().with_port().in_directory(directory.join(format!("redis-{name}"))));
                Self::Servers(join_all(SERVER_NAMES.map(start)).await)
            }
        }
    }

    /// Whether the roles of all servers are as the last fault left them.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        match self {
            Self::Standalone(_) | Self::Servers(_) => true,
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
            Self::Servers(servers) => servers.iter().map(Server::address).collect(),
        }
    }

    /// How a client of the store finds the server of a key.
    pub(crate) fn route(&self) -> Route {
        match self {
            Self::Standalone(_) => Route::Single,
            Self::Sentinels(sentinels) => Route::Sentinels(sentinels.servers.len()),
            Self::Cluster(_) => Route::Cluster,
            Self::Servers(_) => Route::Named,
        }
    }

    /// Number of replicas that have an event before it is accepted.
    pub(crate) fn replicas(&self) -> u64 {
        u64::from(matches!(self, Self::Sentinels(_)))
    }

    /// The value of `redis.url`, as TOML, for a gateway that reaches [`Self::servers`] at these addresses.
    pub(crate) fn url(&self, servers: &[SocketAddr]) -> String {
        let hosts = |some: &[SocketAddr]| some.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let url = match self {
            Self::Standalone(_) => format!("redis://{}", hosts(servers)),
            Self::Sentinels(sentinels) => format!("redis+sentinel://{}/{SERVICE}", hosts(&servers[sentinels.servers.len()..])),
            Self::Cluster(_) => format!("redis+cluster://{}", hosts(&servers[..SERVING])),
            Self::Servers(_) => {
                let each = SERVER_NAMES.iter().zip(servers).map(|(name, server)| format!("{name} = \"redis://{server}\""));
                return format!("{{ {} }}", each.collect::<Vec<_>>().join(", "));
            }
        };
        format!("\"{url}\"")
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
