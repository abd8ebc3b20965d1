//! Server assignment: the agreement of all nodes on the role of each server.
//!
//! Nodes with different servers in `redis.url`, or with different names for them, would look for a channel at different servers and miss each other's
//! publications. So before a node uses a server, it writes its own view of the server's role into a key there, with an expiry of one lease, and renews it.
//! While the key exists, a node with another view may not use the server.
//!
//! A node that finds another view at one server uses none of its servers. It writes no new key until a lease has passed without a conflict. Otherwise a
//! node with a wrong list could take over all servers as soon as Redis loses the keys, and store publications at a server that only this node uses.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::scripts::SCRIPTS, servers::address::Peer};
use gateway_core::model::lock;
use redis::{ErrorKind, RedisResult, aio::MultiplexedConnection};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// The assignments of all servers of one node.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignments {
    key: Box<str>,
    lease: Duration,
    /// The time of the last conflict, at any server.
    last_conflict: Arc<Mutex<Option<Instant>>>,
}

/// The role of one server, as this node sees it.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignment {
    role: Box<str>,
    all: ServerAssignments,
}

impl ServerAssignments {
    /// `key`: the name of the key at each server; `lease`: its lifetime.
    pub(crate) fn new(key: String, lease: Duration) -> Self {
        Self { key: key.into(), lease, last_conflict: Arc::default() }
    }

    /// The role of the only server.
    pub(crate) fn only_server(&self) -> ServerAssignment {
        ServerAssignment { role: "the only server".into(), all: self.clone() }
    }

    /// The role of one of several servers, by its name and the names of all.
    pub(crate) fn one_of(&self, name: &str, names: &[Box<str>]) -> ServerAssignment {
        ServerAssignment { role: format!("server {name} of {}", names.join(", ")).into(), all: self.clone() }
    }

    fn are_suspended(&self) -> bool {
        lock(&self.last_conflict).is_some_and(|last| last.elapsed() < self.lease)
    }
}

impl ServerAssignment {
    // NL-7.11
    /// Sets or renews the role at its server. Returns conflicts and errors of the connection; other parts report all other errors.
    pub(crate) async fn renew(&self, peer: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        let address = peer.to_string().into();
        match self.write(connection).await {
            Ok(current) if !current.is_empty() && *current != *self.role => {
                *lock(&self.all.last_conflict) = Some(Instant::now());
                Err(ConnectError::Disputed { address, here: self.role.clone(), there: current.into() })
            }
            Err(error) if error.kind() == ErrorKind::Io => Err(ConnectError::of(peer, &error)),
            _ if self.all.are_suspended() => Err(ConnectError::Suspended { address }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Time between two renewals.
    pub(crate) fn renew_interval(&self) -> Duration {
        self.all.lease / 3
    }

    /// Returns the role that the key contains now.
    async fn write(&self, connection: &mut MultiplexedConnection) -> RedisResult<String> {
        let mode = if self.all.are_suspended() { "again" } else { "first" };
        let mut assign = SCRIPTS.assign.key(&*self.all.key);
        assign.arg(&*self.role).arg(self.all.lease.as_millis() as u64).arg(mode).invoke_async(connection).await
    }
}
