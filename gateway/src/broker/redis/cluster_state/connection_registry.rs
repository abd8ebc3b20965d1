//! The connection registry: the connections of each node, for services that ask for `disconnected`. When a node is dead, other nodes read
//! its connections here.
//!
//! The registry exists only if a service asks for these events. A connection is registered before its `connected` event, and unregistered
//! after its `disconnected` event. So services know every registered connection of a dead node, but perhaps not its end.

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

/// Number of connections of a dead node that one step reads.
const STEP: usize = 256;
/// One order for all changes of a node's registry.
const ORDER: Option<u64> = Some(0);

impl Nodes {
    /// Registers connections of this node.
    pub async fn register_connections(&self, connections: &[(ConnectionId, UserId)]) -> Result<(), BrokerError> {
        if connections.is_empty() {
            return Ok(());
        }
        let mut set = cmd("HSET");
        set.arg(self.keys.node_connections(&self.local_node.id()));
        for (connection, user) in connections {
            set.arg(connection.to_string()).arg(user.as_str());
        }
        self.change(set).await
    }

    /// Unregisters connections of this node.
    pub async fn unregister_connections(&self, connections: &[ConnectionId]) -> Result<(), BrokerError> {
        match self.delete_entries(&self.local_node.id(), connections.iter().map(ToString::to_string)) {
            Some(delete) => self.change(delete).await,
            None => Ok(()),
        }
    }

    /// Unregisters connections of a dead node after their `disconnected` events.
    pub async fn unregister_connections_of(&self, dead: &NodeId, connections: &[ConnectionId]) -> Result<(), BrokerError> {
        match self.delete_entries(dead, connections.iter().map(ToString::to_string)) {
            Some(delete) => self.run(delete).await.map(drop),
            None => Ok(()),
        }
    }

    /// Deletes the registry of a former generation of this process, because its connections belong to the current generation.
    pub async fn delete_connections_of(&self, former: &NodeId) -> Result<(), BrokerError> {
        let mut delete = cmd("UNLINK");
        delete.arg(self.keys.node_connections(former));
        self.change(delete).await
    }

    /// The command that deletes these entries. None if there are no entries.
    fn delete_entries<T: ToRedisArgs>(&self, node: &NodeId, entries: impl Iterator<Item = T>) -> Option<Cmd> {
        let (mut delete, mut entries) = (cmd("HDEL"), entries.peekable());
        entries.peek()?;
        delete.arg(self.keys.node_connections(node));
        entries.for_each(|entry| {
            delete.arg(entry);
        });
        Some(delete)
    }

    /// Some registered connections of a dead node; empty if there are none left. Deletes malformed entries.
    pub async fn registered_connections(&self, dead: &NodeId) -> Result<Vec<(ConnectionId, UserId)>, BrokerError> {
        loop {
            let mut some = cmd("HRANDFIELD");
            some.arg(self.keys.node_connections(dead)).arg(STEP).arg("WITHVALUES");
            let Value::Array(found) = self.run(some).await? else { return Err(unexpected_answer()) };
            // In RESP3 the answer consists of pairs, in RESP2 it is a flat array.
            let flat = found.into_iter().flat_map(|it| if let Value::Array(pair) = it { pair } else { vec![it] });
            let fields: Vec<_> = flat.map(|it| if let Value::BulkString(field) = it { field } else { Vec::new() }).collect();
            let (valid, malformed): (Vec<_>, Vec<_>) = fields.chunks_exact(2).partition(|pair| entry(pair).is_some());
            let Some(delete) = self.delete_entries(dead, malformed.iter().map(|pair| &pair[0])) else {
                return Ok(valid.into_iter().filter_map(entry).collect());
            };
            tracing::warn!(node = %dead.name, entries = malformed.len(), "deleted entries of a dead node's connection registry that no gateway wrote");
            self.run(delete).await?;
        }
    }

    /// Number of registered connections of a node.
    pub(crate) async fn registered_connections_count(&self, node: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("HLEN");
        count.arg(self.keys.node_connections(node));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected_answer()),
        }
    }

    async fn change(&self, cmd: Cmd) -> Result<(), BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: ORDER, resend: Resend::Safe }).await.map(drop)
    }
}

/// Reads an entry: a connection and its user.
fn entry(pair: &[Vec<u8>]) -> Option<(ConnectionId, UserId)> {
    let [connection, user] = pair else { return None };
    Some((str::from_utf8(connection).ok()?.parse().ok()?, str::from_utf8(user).ok()?.parse().ok()?))
}
