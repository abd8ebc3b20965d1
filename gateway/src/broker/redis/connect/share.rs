//! What is kept at a server, and that all nodes take it for the same.
//!
//! Nodes that name other servers in `redis.url`, or the same ones by other names, would look for channels in different places, and lose what they publish
//! from each other's sight. So each node claims each server in the words of its own list, before it carries out anything there, and again and again. A
//! claim holds for a lease; as long as it does, only those may come who say the same.

use super::{address::Peer, trouble::Trouble};
use crate::broker::redis::{keys::Keys, scripts::SCRIPTS};
use redis::{ErrorKind, RedisResult, aio::MultiplexedConnection};
use std::time::Duration;

/// How servers are claimed.
#[derive(Clone, Debug)]
pub(in super::super) struct Claims {
    key: Box<str>,
    lease: Duration,
}

/// What is kept at one server: a part of all channels, in the words of this node.
#[derive(Clone, Debug)]
pub(in super::super) struct Share {
    words: Box<str>,
    claims: Claims,
}

impl Claims {
    /// For so long each time.
    pub(in super::super) fn new(keys: &Keys, lease: Duration) -> Self {
        Self { key: keys.share().into(), lease }
    }

    /// All channels.
    pub(in super::super) fn whole(&self) -> Share {
        Share { words: "the only server".into(), claims: self.clone() }
    }

    /// What belongs to the server of that name among these.
    pub(in super::super) fn of(&self, name: &str, all: &[Box<str>]) -> Share {
        Share { words: format!("server {name} of {}", all.join(", ")).into(), claims: self.clone() }
    }
}

impl Share {
    /// Claims it at a server. Whatever else may be wrong there is told by those whom it concerns.
    pub(super) async fn claim(&self, at: &Peer, connection: &mut MultiplexedConnection) -> Result<(), Trouble> {
        match self.ask(connection).await {
            Ok(Some(claimed)) => Err(Trouble::Disputed { address: at.to_string().into(), here: self.words.clone(), there: claimed.into() }),
            Err(error) if error.kind() == ErrorKind::Io => Err(Trouble::of(at, &error)),
            Ok(None) | Err(_) => Ok(()),
        }
    }

    /// Between two claims.
    pub(super) fn pause(&self) -> Duration {
        self.claims.lease / 3
    }

    /// In whose words it is claimed otherwise.
    async fn ask(&self, connection: &mut MultiplexedConnection) -> RedisResult<Option<String>> {
        loop {
            let mut claim = SCRIPTS.claim.key(&*self.claims.key);
            let claimed: bool = claim.arg(&*self.words).arg(self.claims.lease.as_millis() as u64).invoke_async(connection).await?;
            if claimed {
                return Ok(None);
            }
            // It may have ended in between.
            if let Some(words) = redis::cmd("GET").arg(&*self.claims.key).query_async(connection).await? {
                return Ok(Some(words));
            }
        }
    }
}
