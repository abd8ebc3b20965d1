//! What is kept at a server, and that all nodes take it for the same.
//!
//! Nodes that name other servers in `redis.url`, or the same ones by other names, would look for channels in different places, and lose what they publish
//! from each other's sight. So each node claims each server in the words of its own list, before it carries out anything there, and again and again. A
//! claim holds for a lease; as long as it does, only those may come who say the same.
//!
//! Who was contradicted at one server uses none, and claims none anew before a lease has passed without that: else a node with a wrong list would take
//! the servers from all others whenever their claims are lost with Redis, and store at a server that only it knows what nobody else will see.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::scripts::SCRIPTS, servers::address::Peer};
use gateway_core::model::lock;
use redis::{ErrorKind, RedisResult, aio::MultiplexedConnection};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// How servers are claimed.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignments {
    key: Box<str>,
    lease: Duration,
    /// When this node was contradicted last, at any server.
    contradicted: Arc<Mutex<Option<Instant>>>,
}

/// What is kept at one server: a part of all channels, in the words of this node.
#[derive(Clone, Debug)]
pub(crate) struct ServerAssignment {
    words: Box<str>,
    claims: ServerAssignments,
}

impl ServerAssignments {
    /// At the key of that name, for so long each time.
    pub(crate) fn new(key: String, lease: Duration) -> Self {
        Self { key: key.into(), lease, contradicted: Arc::default() }
    }

    /// All channels.
    pub(crate) fn whole(&self) -> ServerAssignment {
        ServerAssignment { words: "the only server".into(), claims: self.clone() }
    }

    /// What belongs to the server of that name among these.
    pub(crate) fn of(&self, name: &str, all: &[Box<str>]) -> ServerAssignment {
        ServerAssignment { words: format!("server {name} of {}", all.join(", ")).into(), claims: self.clone() }
    }

    fn are_suspended(&self) -> bool {
        lock(&self.contradicted).is_some_and(|last| last.elapsed() < self.lease)
    }
}

impl ServerAssignment {
    // NL-7.11
    /// Claims it at a server. Whatever else may be wrong there is told by those whom it concerns.
    pub(crate) async fn claim(&self, at: &Peer, connection: &mut MultiplexedConnection) -> Result<(), ConnectError> {
        let address = at.to_string().into();
        match self.ask(connection).await {
            Ok(there) if !there.is_empty() && *there != *self.words => {
                *lock(&self.claims.contradicted) = Some(Instant::now());
                Err(ConnectError::Disputed { address, here: self.words.clone(), there: there.into() })
            }
            Err(error) if error.kind() == ErrorKind::Io => Err(ConnectError::of(at, &error)),
            _ if self.claims.are_suspended() => Err(ConnectError::Suspended { address }),
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Between two claims.
    pub(crate) fn pause(&self) -> Duration {
        self.claims.lease / 3
    }

    /// In whose words it is claimed now.
    async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<String> {
        let how = if self.claims.are_suspended() { "held" } else { "anew" };
        let mut claim = SCRIPTS.share.key(&*self.claims.key);
        claim.arg(&*self.words).arg(self.claims.lease.as_millis() as u64).arg(how).invoke_async(connection).await
    }
}
