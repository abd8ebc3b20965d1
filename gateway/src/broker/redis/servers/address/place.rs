//! The places where Redis may be.

use super::peer::Peer;
use std::collections::BTreeMap;

/// Where Redis is, and how it is spoken with. Shows no password.
#[derive(Clone, Debug)]
pub enum Address {
    /// All is in one place.
    One(Site),
    /// In several that know nothing of each other, by their names, of which each has a share of the channels. At least two.
    Several(BTreeMap<Box<str>, Site>),
    /// In a Redis Cluster: some of its servers, at least one; they know the others.
    Cluster(Vec<Peer>),
}

/// A place where something is kept.
#[derive(Clone, Debug)]
pub enum Site {
    /// A server.
    Server(Peer),
    /// The master of a service, wherever it is now.
    Sentinels {
        /// Who knows it. At least one.
        sentinels: Vec<Peer>,
        /// Its name among them.
        service: Box<str>,
        /// How the service's servers are spoken with; [`Peer::at`] makes one of it.
        server: Peer,
    },
}

impl Site {
    /// Whether both lead to the same server, for all that can be seen.
    pub(super) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => one.to_string() == other.to_string(),
            (Self::Sentinels { sentinels, service, .. }, Self::Sentinels { sentinels: others, service: named, .. }) => {
                let hosts: Vec<_> = others.iter().map(Peer::to_string).collect();
                service == named && sentinels.iter().any(|sentinel| hosts.contains(&sentinel.to_string()))
            }
            _ => false,
        }
    }
}
