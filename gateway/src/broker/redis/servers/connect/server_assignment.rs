//! Server assignment: the agreement of all nodes on the role of each server.
//!
//! Nodes with different servers in `redis.url`, or with different names for them, would look for a channel at different servers and not get
//! each other's publications. So before a node uses a server, it writes the server's role, as the node sees it, into a key at that server.
//! The key expires after one lease, and the node renews it. While the key exists, a node that sees another role may not use the server. A
//! node that cannot renew the key stops using the server after one lease.
//!
//! A node that finds another role at one server uses none of its servers. It writes no new key until one lease has passed without a
//! conflict. Otherwise a node with a wrong list could take over all servers as soon as Redis loses the keys, and store publications at a
//! server that only this node uses.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::scripts::SCRIPTS, servers::address::Peer};
use gateway_core::model::lock;
use redis::{ErrorKind, RedisResult, aio::MultiplexedConnection};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

/// What the assignments of all servers of one node share.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignments {
    key: Box<str>,
    lease: Duration,
    /// The time of the last conflict, at any server.
    last_conflict: Arc<Mutex<Option<Instant>>>,
}

/// The role of one server, as this node sees it.
#[derive(Debug)]
pub(crate) struct ServerAssignment {
    role: Box<str>,
    all: ServerAssignments,
    /// When the assignment ends if this node does not renew it. None while the node does not hold the assignment.
    ends: watch::Sender<Option<Instant>>,
}

impl ServerAssignments {
    /// Assignments in the key `key` at each server, which lives for the time `lease`.
    pub(crate) fn new(key: String, lease: Duration) -> Self {
        Self { key: key.into(), lease, last_conflict: Arc::default() }
    }

    /// The role of the only server.
    pub(crate) fn only_server(&self) -> ServerAssignment {
        self.assignment("the only server".into())
    }

    /// The role of one of several servers, by its name and the names of all.
    pub(crate) fn one_of(&self, name: &str, names: &[Box<str>]) -> ServerAssignment {
        self.assignment(format!("server {name} of {}", names.join(", ")).into())
    }

    fn assignment(&self, role: Box<str>) -> ServerAssignment {
        ServerAssignment { role, all: self.clone(), ends: watch::Sender::default() }
    }

    fn are_suspended(&self) -> bool {
        lock(&self.last_conflict).is_some_and(|last| last.elapsed() < self.lease)
    }
}

impl ServerAssignment {
    // NL-7.11
    /// Sets or renews the role at its server. Succeeds only if the key contains this role afterwards. A failed attempt does not change when
    /// the assignment ends.
    pub(crate) async fn renew(&self, peer: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        let (address, asked) = (peer.to_string().into(), Instant::now());
        match self.write(connection).await {
            Ok(current) if !current.is_empty() && *current != *self.role => {
                *lock(&self.all.last_conflict) = Some(Instant::now());
                Err(ConnectError::Disputed { address, here: self.role.clone(), there: current.into() })
            }
            Err(error) if error.kind() == ErrorKind::Io => Err(ConnectError::of(peer, &error)),
            _ if self.all.are_suspended() => Err(ConnectError::Suspended { address }),
            Err(error) => Err(ConnectError::of_assignment(peer, &self.all.key, &error)),
            // The key is empty because the suspension ended during the attempt. The next attempt may set the key.
            Ok(current) if current.is_empty() => Err(ConnectError::Suspended { address }),
            Ok(_) => {
                self.ends.send_replace(Some(asked + self.all.lease));
                Ok(())
            }
        }
    }

    /// Like [`Self::renew`], for a new connection. Also succeeds if the server refuses this renewal but an earlier one is still valid.
    pub(crate) async fn renew_or_keep(&self, peer: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        match self.renew(peer, connection).await {
            Err(ConnectError::Unassigned { .. } | ConnectError::Forbidden { .. }) if self.ends().is_some() => Ok(()),
            renewed => renewed,
        }
    }

    /// Time between two renewals.
    pub(crate) fn renew_interval(&self) -> Duration {
        self.all.lease / 3
    }

    /// When the assignment ends, if this node holds it.
    fn ends(&self) -> Option<Instant> {
        self.ends.borrow().filter(|ends| *ends > Instant::now())
    }

    /// Waits until the assignment ends because this node has not renewed it.
    pub(crate) async fn ended(&self) {
        let mut changes = self.ends.subscribe();
        loop {
            let ends = *changes.borrow_and_update();
            // The sender lives as long as `self`, so `changed` cannot fail.
            let is_over = match ends {
                Some(ends) => timeout_at(ends, changes.changed()).await.is_err(),
                None => changes.changed().await.is_err(),
            };
            // Clears the end, so that this resolves only once for each end. Only a renewal sets it again.
            if is_over && self.ends.send_if_modified(|ends| ends.take_if(|ends| *ends <= Instant::now()).is_some()) {
                return;
            }
        }
    }

    /// Writes or renews the key. Returns the role that it contains afterwards.
    async fn write(&self, connection: &mut MultiplexedConnection) -> RedisResult<String> {
        let mode = if self.all.are_suspended() { "again" } else { "first" };
        let mut assign = SCRIPTS.assign.key(&*self.all.key);
        assign.arg(&*self.role).arg(self.all.lease.as_millis() as u64).arg(mode).invoke_async(connection).await
    }
}
