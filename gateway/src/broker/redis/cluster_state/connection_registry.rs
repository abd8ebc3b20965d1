//! Who is connected to which node, for services that want to hear of every connection's end: of a dead node it is read here.
//!
//! Kept only where a service asks for it. A connection is entered before a service hears of it, and struck out after it has heard of its end; so what is
//! found here of a dead node was told, and its end perhaps not.

use super::nodes::Nodes;
use crate::broker::{
    BrokerError,
    redis::{
        commands::job::{Command, Resend, Target},
        schema::{answers::unexpected_answer, node_id::NodeId},
    },
};
use gateway_core::model::{ConnectionId, UserId};
use redis::{Cmd, ToRedisArgs, Value, cmd};

/// Connections of a dead node that are read in one step.
const STEP: usize = 256;
/// What one node changes here keeps its order.
const ORDER: Option<u64> = Some(0);

impl Nodes {
    /// Enters connections of this node.
    pub async fn register_connections(&self, these: &[(ConnectionId, UserId)]) -> Result<(), BrokerError> {
        if these.is_empty() {
            return Ok(());
        }
        let mut enter = cmd("HSET");
        enter.arg(self.keys.roll(&self.life.id()));
        for (connection, user) in these {
            enter.arg(connection.to_string()).arg(user.as_str());
        }
        self.change(enter).await
    }

    /// Strikes out connections of this node.
    pub async fn unregister_connections(&self, these: &[ConnectionId]) -> Result<(), BrokerError> {
        match self.struck(&self.life.id(), these.iter().map(ToString::to_string)) {
            Some(unregister_connections) => self.change(unregister_connections).await,
            None => Ok(()),
        }
    }

    /// Strikes out connections of a dead node, of which services have heard.
    pub async fn unregister_connections_of(&self, dead: &NodeId, these: &[ConnectionId]) -> Result<(), BrokerError> {
        match self.struck(dead, these.iter().map(ToString::to_string)) {
            Some(unregister_connections) => self.run(unregister_connections).await.map(drop),
            None => Ok(()),
        }
    }

    /// Strikes out all connections of a life of this node that has ended: they live on in its next.
    pub async fn delete_connections_of(&self, former: &NodeId) -> Result<(), BrokerError> {
        let mut unregister_connections = cmd("UNLINK");
        unregister_connections.arg(self.keys.roll(former));
        self.change(unregister_connections).await
    }

    /// None: there is nothing to strike out.
    fn struck<T: ToRedisArgs>(&self, node: &NodeId, these: impl Iterator<Item = T>) -> Option<Cmd> {
        let (mut unregister_connections, mut these) = (cmd("HDEL"), these.peekable());
        these.peek()?;
        unregister_connections.arg(self.keys.roll(node));
        these.for_each(|entry| {
            unregister_connections.arg(entry);
        });
        Some(unregister_connections)
    }

    /// Some connections of a dead node that are not struck out; none: there are no more. Entries that are none are struck out.
    pub async fn registered_connections(&self, dead: &NodeId) -> Result<Vec<(ConnectionId, UserId)>, BrokerError> {
        loop {
            let mut some = cmd("HRANDFIELD");
            some.arg(self.keys.roll(dead)).arg(STEP).arg("WITHVALUES");
            let Value::Array(found) = self.run(some).await? else { return Err(unexpected_answer()) };
            // In pairs, or flat: that depends on the protocol's version.
            let flat = found.into_iter().flat_map(|it| if let Value::Array(pair) = it { pair } else { vec![it] });
            let words: Vec<_> = flat.map(|it| if let Value::BulkString(word) = it { word } else { Vec::new() }).collect();
            let (good, odd): (Vec<_>, Vec<_>) = words.chunks_exact(2).partition(|pair| entry(pair).is_some());
            let Some(unregister_connections) = self.struck(dead, odd.iter().map(|pair| &pair[0])) else {
                return Ok(good.into_iter().filter_map(entry).collect());
            };
            tracing::warn!(node = %dead.name, entries = odd.len(), "struck out of the connections of a dead node: no gateway wrote them");
            self.run(unregister_connections).await?;
        }
    }

    /// How many connections of a node are not struck out.
    pub(crate) async fn registered_connections_count(&self, node: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("HLEN");
        count.arg(self.keys.roll(node));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected_answer()),
        }
    }

    async fn change(&self, cmd: Cmd) -> Result<(), BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: ORDER, again: Resend::Safe }).await.map(drop)
    }
}

/// A connection and its user.
fn entry(pair: &[Vec<u8>]) -> Option<(ConnectionId, UserId)> {
    let [connection, user] = pair else { return None };
    Some((str::from_utf8(connection).ok()?.parse().ok()?, str::from_utf8(user).ok()?.parse().ok()?))
}
