//! The registry: the connections of each node, and their subscriptions to channels with `lifecycle`, for services that want to know of every end.
//! When a node is dead, other nodes read here what has ended.
//!
//! The registry exists only if a service wants these events. An entry is added before services get the event of its begin, and removed after they
//! got that of its end. So services know every entry of a dead node, but perhaps not its end.

use super::nodes::Nodes;
use crate::broker::{
    BrokerError, RegistryKey,
    redis::{
        commands::job::{Command, Resend, Target},
        schema::{answers::unexpected_answer, node_id::NodeId},
    },
};
use gateway_core::model::UserId;
use redis::{Cmd, Value, cmd};

/// Number of entries of a dead node that one step reads.
const STEP: usize = 256;
/// One order for all changes of a node's registry.
const ORDER: Option<u64> = Some(0);

impl Nodes {
    /// Adds entries of this node.
    pub async fn register_entries(&self, entries: &[(RegistryKey, UserId)]) -> Result<(), BrokerError> {
        for (hash, _) in self.hashes(&self.local_node.id()) {
            let mut set = cmd("HSET");
            set.arg(&hash.name);
            let mut count = 0;
            for (key, user) in entries.iter().filter(|(key, _)| hash.has(key)) {
                set.arg(field(key)).arg(user.as_str());
                count += 1;
            }
            if count > 0 {
                self.change(set).await?;
            }
        }
        Ok(())
    }

    /// Removes entries of this node.
    pub async fn unregister_entries(&self, entries: &[RegistryKey]) -> Result<(), BrokerError> {
        for delete in self.deletes(&self.local_node.id(), entries) {
            self.change(delete).await?;
        }
        Ok(())
    }

    /// Removes entries of a dead node after services got the events of their ends.
    pub async fn unregister_entries_of(&self, dead: &NodeId, entries: &[RegistryKey]) -> Result<(), BrokerError> {
        for delete in self.deletes(dead, entries) {
            self.run(delete).await?;
        }
        Ok(())
    }

    /// Deletes the registry of a former generation of this process, because its connections belong to the current generation.
    pub async fn delete_registry_of(&self, former: &NodeId) -> Result<(), BrokerError> {
        for (hash, _) in self.hashes(former) {
            let mut delete = cmd("UNLINK");
            delete.arg(hash.name);
            self.change(delete).await?;
        }
        Ok(())
    }

    /// Some entries of a dead node, each with its user; subscriptions come before connections. Empty if there are none left. Deletes malformed entries.
    pub async fn registered_entries(&self, dead: &NodeId) -> Result<Vec<(RegistryKey, UserId)>, BrokerError> {
        for (hash, parse) in self.hashes(dead) {
            let found = self.some_of(dead, &hash, parse).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    async fn some_of(&self, dead: &NodeId, hash: &Hash, parse: Parse) -> Result<Vec<(RegistryKey, UserId)>, BrokerError> {
        let entry = |pair: &[Vec<u8>]| {
            let [field, user] = pair else { return None };
            Some((parse(str::from_utf8(field).ok()?)?, str::from_utf8(user).ok()?.parse().ok()?))
        };
        loop {
            let mut some = cmd("HRANDFIELD");
            some.arg(&hash.name).arg(STEP).arg("WITHVALUES");
            let Value::Array(found) = self.run(some).await? else { return Err(unexpected_answer()) };
            // In RESP3 the answer consists of pairs, in RESP2 it is a flat array.
            let flat = found.into_iter().flat_map(|it| if let Value::Array(pair) = it { pair } else { vec![it] });
            let fields: Vec<_> = flat.map(|it| if let Value::BulkString(field) = it { field } else { Vec::new() }).collect();
            let (valid, malformed): (Vec<_>, Vec<_>) = fields.chunks_exact(2).partition(|pair| entry(pair).is_some());
            if malformed.is_empty() {
                return Ok(valid.into_iter().filter_map(entry).collect());
            }
            tracing::warn!(node = %dead.name, entries = malformed.len(), "deleted entries of a dead node's registry that no gateway wrote");
            let mut delete = cmd("HDEL");
            delete.arg(&hash.name).arg(malformed.iter().map(|pair| &pair[0]).collect::<Vec<_>>());
            self.run(delete).await?;
        }
    }

    /// Number of entries of a node.
    pub(crate) async fn entry_count(&self, node: &NodeId) -> Result<i64, BrokerError> {
        let mut sum = 0;
        for (hash, _) in self.hashes(node) {
            let mut count = cmd("HLEN");
            count.arg(hash.name);
            let Value::Int(number) = self.run(count).await? else { return Err(unexpected_answer()) };
            sum += number;
        }
        Ok(sum)
    }

    /// The commands that delete these entries.
    fn deletes(&self, node: &NodeId, entries: &[RegistryKey]) -> Vec<Cmd> {
        let delete = |(hash, _): (Hash, Parse)| {
            let fields: Vec<_> = entries.iter().filter(|key| hash.has(key)).map(field).collect();
            let mut delete = cmd("HDEL");
            delete.arg(&hash.name).arg(&fields);
            (!fields.is_empty()).then_some(delete)
        };
        self.hashes(node).into_iter().filter_map(delete).collect()
    }

    fn hashes(&self, node: &NodeId) -> [(Hash, Parse); 2] {
        let subscriptions = Hash { name: self.keys.node_subscriptions(node), of_subscriptions: true };
        let connections = Hash { name: self.keys.node_connections(node), of_subscriptions: false };
        [(subscriptions, parse_subscription), (connections, parse_connection)]
    }

    async fn change(&self, cmd: Cmd) -> Result<(), BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: ORDER, resend: Resend::Safe }).await.map(drop)
    }
}

/// One of the two hashes of a node's registry.
struct Hash {
    name: String,
    of_subscriptions: bool,
}

impl Hash {
    fn has(&self, key: &RegistryKey) -> bool {
        matches!(key, RegistryKey::Subscription { .. }) == self.of_subscriptions
    }
}

/// Reads a field of a hash.
type Parse = fn(&str) -> Option<RegistryKey>;

/// The field of an entry.
fn field(key: &RegistryKey) -> String {
    match key {
        RegistryKey::Connection(connection) => connection.to_string(),
        RegistryKey::Subscription { connection, number, channel } => format!("{connection} {number} {channel}"),
    }
}

fn parse_connection(field: &str) -> Option<RegistryKey> {
    field.parse().ok().map(RegistryKey::Connection)
}

fn parse_subscription(field: &str) -> Option<RegistryKey> {
    let (connection, rest) = field.split_once(' ')?;
    let (number, channel) = rest.split_once(' ')?;
    Some(RegistryKey::Subscription { connection: connection.parse().ok()?, number: number.parse().ok()?, channel: channel.parse().ok()? })
}
