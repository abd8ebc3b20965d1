//! Presence: the connections in each channel, and their nodes.
//!
//! An entry does not expire, so no node has to renew it. It contains the generation of the connection's node, and it counts as present
//! while that generation holds its lease. Each channel also has the number of entries of each generation. So a scan of all entries is
//! necessary only if one of these generations is dead.

use super::local_node::LocalNode;
use crate::broker::{
    BrokerError,
    redis::{
        channels::scan::scanned,
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::{text, unexpected_answer},
            codec,
            keys::Keys,
            node_id::NodeId,
            scripts::{SCRIPTS, call},
        },
    },
};
use gateway_core::model::{ChannelName, ClientInfo, ConnectionId, PresenceStats, lock};
use redis::{Cmd, Value, cmd};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// The presence of all channels.
pub(crate) struct Presence {
    keys: Keys,
    lane: Arc<Lane>,
    local_node: Arc<LocalNode>,
    /// Generations that held a lease, and when this was checked.
    alive: Mutex<HashMap<String, Instant>>,
}

/// How long the result of a check for a lease is used.
pub(crate) const LEASE_CHECK_VALIDITY: Duration = Duration::from_secs(1);
/// Largest number of entries that one step reads.
pub(crate) const STEP: usize = 1000;

/// An entry in Redis.
pub(crate) struct Entry {
    pub(crate) connection: String,
    user: String,
    pub(crate) node: String,
    pub(crate) info: Arc<ClientInfo>,
}

impl Entry {
    fn parse(connection: String, entry: &str) -> Option<Self> {
        let mut parts = entry.splitn(3, '\n');
        let (user, node, info) = (parts.next()?.into(), parts.next()?.into(), parts.next()?);
        Some(Self { connection, user, node, info: Arc::new(codec::decode_info(info.as_bytes())?) })
    }
}

impl Presence {
    pub(crate) fn new(keys: Keys, lane: Arc<Lane>, local_node: Arc<LocalNode>) -> Self {
        Self { keys, lane, local_node, alive: Mutex::default() }
    }

    pub(crate) async fn add(&self, channel: &ChannelName, info: &ClientInfo) -> Result<(), BrokerError> {
        let node = self.local_node.id();
        // The list of the node comes first. So if this node dies in between, other nodes find every entry with this list.
        let mut register = cmd("SADD");
        register.arg(self.keys.node_presence(&node)).arg(format!("{} {channel}", info.client));
        let mut add = call(&SCRIPTS.presence_add, &self.keys_of(channel));
        add.arg(info.client.to_string()).arg(info.user.as_str()).arg(node.text()).arg(codec::encode_info(info));
        let (registered, added) = futures_util::future::join(self.run(register), self.run(add)).await;
        registered.and(added).map(drop)
    }

    pub(crate) async fn remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        let (node, connection) = (self.local_node.id(), connection.to_string());
        let mut unregister = cmd("SREM");
        unregister.arg(self.keys.node_presence(&node)).arg(format!("{connection} {channel}"));
        let (removed, unregistered) =
            futures_util::future::join(self.remove_entry(channel, &connection, &node.text()), self.run(unregister)).await;
        removed.and(unregistered).map(drop)
    }

    /// Removes the entry of a connection, if it belongs to this generation of a node.
    pub(crate) async fn remove_entry(&self, channel: &ChannelName, connection: &str, node: &str) -> Result<(), BrokerError> {
        let mut remove = call(&SCRIPTS.presence_remove, &self.keys_of(channel));
        remove.arg(connection).arg(node);
        self.run(remove).await.map(drop)
    }

    /// The entry of a connection in a channel, if there is one.
    pub(crate) async fn entry(&self, channel: &ChannelName, connection: &str) -> Result<Option<Entry>, BrokerError> {
        let mut get = cmd("HGET");
        get.arg(self.keys.presence(channel)).arg(connection);
        let entry = text(self.run(get).await?);
        entry.map(|entry| Entry::parse(connection.into(), &entry).ok_or_else(unexpected_answer)).transpose()
    }

    /// Returns at most `limit` connections that are present, in no particular order.
    pub(crate) async fn list(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        let (mut found, mut seen, mut cursor) = (Vec::new(), BTreeSet::new(), "0".to_owned());
        loop {
            let (next, entries) = self.page(channel, &cursor, limit.clamp(16, STEP)).await?;
            let dead = self.dead(entries.iter().map(|entry| entry.node.clone())).await?;
            for entry in entries.into_iter().filter(|entry| !dead.contains(&entry.node)) {
                // A scan may return an entry twice if the hash changes during the scan.
                if found.len() < limit && seen.insert(entry.connection) {
                    found.push(entry.info);
                }
            }
            if next == "0" || found.len() >= limit {
                return Ok(found);
            }
            cursor = next;
        }
    }

    pub(crate) async fn stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        let Value::Array(parts) = self.run(call(&SCRIPTS.presence_stats, &self.keys_of(channel))).await? else {
            return Err(unexpected_answer());
        };
        let [Value::Int(clients), Value::Int(users), Value::Array(nodes)] =
            <[Value; 3]>::try_from(parts).map_err(|_| unexpected_answer())?
        else {
            return Err(unexpected_answer());
        };
        let nodes: Vec<String> = nodes.into_iter().map(text).collect::<Option<_>>().ok_or_else(unexpected_answer)?;
        let dead = self.dead(nodes).await?;
        if dead.is_empty() {
            let number = |number| usize::try_from(number).map_err(|_| unexpected_answer());
            return Ok(PresenceStats { clients: number(clients)?, users: number(users)? });
        }
        self.count(channel, &dead).await
    }

    /// Counts all entries except those of dead nodes.
    async fn count(&self, channel: &ChannelName, dead: &HashSet<String>) -> Result<PresenceStats, BrokerError> {
        let (mut clients, mut users, mut cursor) = (HashSet::new(), HashSet::new(), "0".to_owned());
        loop {
            let (next, entries) = self.page(channel, &cursor, STEP).await?;
            for entry in entries.into_iter().filter(|entry| !dead.contains(&entry.node)) {
                clients.insert(entry.connection);
                users.insert(entry.user);
            }
            if next == "0" {
                return Ok(PresenceStats { clients: clients.len(), users: users.len() });
            }
            cursor = next;
        }
    }

    /// Some entries, and the cursor of the next entries. The cursor is "0" at the end.
    pub(crate) async fn page(&self, channel: &ChannelName, cursor: &str, count: usize) -> Result<(String, Vec<Entry>), BrokerError> {
        let mut scan = cmd("HSCAN");
        scan.arg(self.keys.presence(channel)).arg(cursor).arg("COUNT").arg(count);
        let (next, fields) = scanned(self.run(scan).await?).ok_or_else(unexpected_answer)?;
        let (mut fields, mut entries) = (fields.into_iter(), Vec::new());
        while let (Some(connection), Some(entry)) = (fields.next(), fields.next()) {
            entries.push(Entry::parse(connection, &entry).ok_or_else(unexpected_answer)?);
        }
        Ok((next, entries))
    }

    // NL-7.5
    /// Returns those of these generations that hold no lease. Returns none of them if this node may not declare others dead.
    pub(crate) async fn dead(&self, nodes: impl IntoIterator<Item = String>) -> Result<HashSet<String>, BrokerError> {
        if !self.local_node.may_declare_dead() {
            return Ok(HashSet::new());
        }
        let (me, now) = (self.local_node.id().text(), Instant::now());
        let unchecked: BTreeSet<String> = {
            let mut alive = lock(&self.alive);
            alive.retain(|_, checked| now.duration_since(*checked) < LEASE_CHECK_VALIDITY);
            nodes.into_iter().filter(|node| *node != me && !alive.contains_key(node)).collect()
        };
        if unchecked.is_empty() {
            return Ok(HashSet::new());
        }
        let mut leases = cmd("MGET");
        for node in &unchecked {
            leases.arg(self.keys.lease(&NodeId::parse(node).ok_or_else(unexpected_answer)?));
        }
        let Value::Array(leases) = self.run(leases).await? else { return Err(unexpected_answer()) };
        let (dead, living): (Vec<_>, Vec<_>) = unchecked.into_iter().zip(leases).partition(|(_, lease)| *lease == Value::Nil);
        lock(&self.alive).extend(living.into_iter().map(|(node, _)| (node, now)));
        Ok(dead.into_iter().map(|(node, _)| node).collect())
    }

    /// The generations that have entries in a channel.
    pub(crate) async fn nodes_of(&self, channel: &ChannelName) -> Result<Vec<String>, BrokerError> {
        let mut nodes = cmd("HKEYS");
        nodes.arg(self.keys.presence_nodes(channel));
        let Value::Array(nodes) = self.run(nodes).await? else { return Err(unexpected_answer()) };
        nodes.into_iter().map(text).collect::<Option<_>>().ok_or_else(unexpected_answer)
    }

    fn keys_of(&self, channel: &ChannelName) -> [String; 3] {
        [self.keys.presence(channel), self.keys.presence_users(channel), self.keys.presence_nodes(channel)]
    }

    /// It does no harm to run any of these commands twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}
