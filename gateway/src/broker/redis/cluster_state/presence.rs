//! Who is present where, and for which node.
//!
//! An entry has no time to live that somebody would have to renew: it names the generation of the node that holds the connection, and counts as long as
//! that holds its lease. Each channel has a count of its entries by generation as well, so that a look at all of them is needed only while one is dead.

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

/// See the module.
pub(crate) struct Presence {
    keys: Keys,
    lane: Arc<Lane>,
    life: Arc<LocalNode>,
    /// Generations that lived a moment ago.
    alive: Mutex<HashMap<String, Instant>>,
}

/// How long it is taken for granted that a node lives.
pub(crate) const TRUST: Duration = Duration::from_secs(1);
/// Entries that are looked at in one step.
pub(crate) const STEP: usize = 1000;

/// One that is present, as it is kept.
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
    pub(crate) fn new(keys: Keys, lane: Arc<Lane>, life: Arc<LocalNode>) -> Self {
        Self { keys, lane, life, alive: Mutex::default() }
    }

    pub(crate) async fn arrive(&self, channel: &ChannelName, info: &ClientInfo) -> Result<(), BrokerError> {
        let node = self.life.id();
        // Known as this node's before it is present: so others find it, whenever this node dies.
        let mut register = cmd("SADD");
        register.arg(self.keys.registered(&node)).arg(format!("{} {channel}", info.client));
        let mut arrive = call(&SCRIPTS.arrive, &self.keys_of(channel));
        arrive.arg(info.client.to_string()).arg(info.user.as_str()).arg(node.text()).arg(codec::encode_info(info));
        let (registered, arrived) = futures_util::future::join(self.run(register), self.run(arrive)).await;
        registered.and(arrived).map(drop)
    }

    pub(crate) async fn depart(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        let (node, connection) = (self.life.id(), connection.to_string());
        let mut forget = cmd("SREM");
        forget.arg(self.keys.registered(&node)).arg(format!("{connection} {channel}"));
        let (departed, forgotten) = futures_util::future::join(self.remove(channel, &connection, &node.text()), self.run(forget)).await;
        departed.and(forgotten).map(drop)
    }

    /// Takes a connection that `node` held out of presence; answers what others saw of it, if it was there.
    pub(crate) async fn remove(&self, channel: &ChannelName, connection: &str, node: &str) -> Result<Option<Arc<ClientInfo>>, BrokerError> {
        let mut depart = call(&SCRIPTS.depart, &self.keys_of(channel));
        depart.arg(connection).arg(node);
        match text(self.run(depart).await?) {
            Some(seen) => Ok(Some(Arc::new(codec::decode_info(seen.as_bytes()).ok_or_else(unexpected_answer)?))),
            None => Ok(None),
        }
    }

    /// At most `limit`, in no particular order.
    pub(crate) async fn present(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        let (mut found, mut seen, mut cursor) = (Vec::new(), BTreeSet::new(), "0".to_owned());
        loop {
            let (next, entries) = self.page(channel, &cursor, limit.clamp(16, STEP)).await?;
            let gone = self.gone(entries.iter().map(|entry| entry.node.clone())).await?;
            for entry in entries.into_iter().filter(|entry| !gone.contains(&entry.node)) {
                // A hash that is changed during the scan may show an entry twice.
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
        let Value::Array(parts) = self.run(call(&SCRIPTS.attendance, &self.keys_of(channel))).await? else {
            return Err(unexpected_answer());
        };
        let [Value::Int(clients), Value::Int(users), Value::Array(nodes)] =
            <[Value; 3]>::try_from(parts).map_err(|_| unexpected_answer())?
        else {
            return Err(unexpected_answer());
        };
        let nodes: Vec<String> = nodes.into_iter().map(text).collect::<Option<_>>().ok_or_else(unexpected_answer)?;
        let gone = self.gone(nodes).await?;
        if gone.is_empty() {
            let number = |number| usize::try_from(number).map_err(|_| unexpected_answer());
            return Ok(PresenceStats { clients: number(clients)?, users: number(users)? });
        }
        self.count(channel, &gone).await
    }

    /// Those who are not of these nodes.
    async fn count(&self, channel: &ChannelName, gone: &HashSet<String>) -> Result<PresenceStats, BrokerError> {
        let (mut clients, mut users, mut cursor) = (HashSet::new(), HashSet::new(), "0".to_owned());
        loop {
            let (next, entries) = self.page(channel, &cursor, STEP).await?;
            for entry in entries.into_iter().filter(|entry| !gone.contains(&entry.node)) {
                clients.insert(entry.connection);
                users.insert(entry.user);
            }
            if next == "0" {
                return Ok(PresenceStats { clients: clients.len(), users: users.len() });
            }
            cursor = next;
        }
    }

    /// Some entries, and where to go on; "0": that is all.
    pub(crate) async fn page(&self, channel: &ChannelName, cursor: &str, count: usize) -> Result<(String, Vec<Entry>), BrokerError> {
        let mut scan = cmd("HSCAN");
        scan.arg(self.keys.who(channel)).arg(cursor).arg("COUNT").arg(count);
        let (next, fields) = scanned(self.run(scan).await?).ok_or_else(unexpected_answer)?;
        let (mut fields, mut entries) = (fields.into_iter(), Vec::new());
        while let (Some(connection), Some(entry)) = (fields.next(), fields.next()) {
            entries.push(Entry::parse(connection, &entry).ok_or_else(unexpected_answer)?);
        }
        Ok((next, entries))
    }

    // NL-7.5
    /// Which of these generations hold no lease any more. None, as long as this node may not judge.
    pub(crate) async fn gone(&self, nodes: impl IntoIterator<Item = String>) -> Result<HashSet<String>, BrokerError> {
        if !self.life.judges() {
            return Ok(HashSet::new());
        }
        let (me, now) = (self.life.id().text(), Instant::now());
        let asked: BTreeSet<String> = {
            let mut alive = lock(&self.alive);
            alive.retain(|_, seen| now.duration_since(*seen) < TRUST);
            nodes.into_iter().filter(|node| *node != me && !alive.contains_key(node)).collect()
        };
        if asked.is_empty() {
            return Ok(HashSet::new());
        }
        let mut leases = cmd("MGET");
        for node in &asked {
            leases.arg(self.keys.lease(&NodeId::parse(node).ok_or_else(unexpected_answer)?));
        }
        let Value::Array(leases) = self.run(leases).await? else { return Err(unexpected_answer()) };
        let (dead, living): (Vec<_>, Vec<_>) = asked.into_iter().zip(leases).partition(|(_, lease)| *lease == Value::Nil);
        lock(&self.alive).extend(living.into_iter().map(|(node, _)| (node, now)));
        Ok(dead.into_iter().map(|(node, _)| node).collect())
    }

    /// The generations that somebody is present for.
    pub(crate) async fn nodes_of(&self, channel: &ChannelName) -> Result<Vec<String>, BrokerError> {
        let mut nodes = cmd("HKEYS");
        nodes.arg(self.keys.held(channel));
        let Value::Array(nodes) = self.run(nodes).await? else { return Err(unexpected_answer()) };
        nodes.into_iter().map(text).collect::<Option<_>>().ok_or_else(unexpected_answer)
    }

    fn keys_of(&self, channel: &ChannelName) -> [String; 3] {
        [self.keys.who(channel), self.keys.users(channel), self.keys.held(channel)]
    }

    /// Everything here may be done twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Safe }).await
    }
}
