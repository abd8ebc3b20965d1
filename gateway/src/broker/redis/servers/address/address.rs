//! The address of Redis, as the settings describe it.

use super::peer::Peer;
use std::collections::BTreeMap;

/// The address of Redis, with login and TLS. The debug output contains no password.
#[derive(Clone, Debug)]
pub enum Address {
    /// One server.
    One(ServerAddress),
    /// Several independent servers, by name, which divide the channels. At least two.
    Several(BTreeMap<Box<str>, ServerAddress>),
    /// Some servers of a Redis Cluster, at least one. The gateway learns of the others from them.
    Cluster(Vec<Peer>),
}

/// How to find one server.
#[derive(Clone, Debug)]
pub enum ServerAddress {
    /// The server at a fixed address.
    Server(Peer),
    /// The current master of a service that sentinels watch.
    Sentinels {
        /// The sentinels. At least one.
        sentinels: Vec<Peer>,
        /// The name of the service.
        service: Box<str>,
        /// Login and TLS of the service's servers. [`Peer::at`] adds the address.
        server: Peer,
    },
}

impl ServerAddress {
    /// Whether both lead to the same server, as far as the URLs show that.
    pub(super) fn is_same_server(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => one.to_string() == other.to_string(),
            (Self::Sentinels { sentinels, service, .. }, Self::Sentinels { sentinels: others, service: other, .. }) => {
                let hosts: Vec<_> = others.iter().map(Peer::to_string).collect();
                service == other && sentinels.iter().any(|sentinel| hosts.contains(&sentinel.to_string()))
            }
            _ => false,
        }
    }
}
