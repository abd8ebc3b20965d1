//! The nodes that share this Redis. Each node renews a lease. A node without a lease is dead, and other nodes clean up after it.

use super::{local_node::LocalNode, occupancy::Occupancy, presence::Presence};
use crate::broker::{
    BrokerError,
    redis::{
        channels::listing::Listing,
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::{text, unexpected_answer},
            counters::Counters,
            keys::Keys,
            node_id::NodeId,
            scripts::{SCRIPTS, call},
        },
        servers::masters::Masters,
    },
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use gateway_core::model::{ChannelName, ClientInfo};
use redis::{Cmd, Value, cmd};
use std::{collections::HashSet, future::ready, sync::Arc, time::Duration};

/// The nodes of the cluster, their leases, and the cleanup after dead nodes.
pub struct Nodes {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    pub(crate) local_node: Arc<LocalNode>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) occupancy: Occupancy,
    pub(crate) masters: Arc<Masters>,
    pub(crate) listing: Arc<Listing>,
    pub(crate) counters: Arc<Counters>,
}

/// The state of a lease after its renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// The lease continues.
    Held,
    /// The lease had expired. Other nodes may have removed the data of this node.
    Lost,
}

/// A registered node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// The node and its generation.
    pub id: NodeId,
    /// What the node wrote about itself.
    pub record: Box<str>,
    /// Whether the node holds its lease.
    pub is_alive: bool,
}

/// The presence of a connection whose node is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedPresence {
    /// The channel.
    pub channel: ChannelName,
    /// The connection and its user.
    pub info: Arc<ClientInfo>,
    /// The generation of the connection's node.
    pub(super) node: Box<str>,
}

/// Some entries of the list in which a dead node recorded its presence.
#[derive(Debug)]
pub struct PresenceStep {
    /// The entries whose connections are still present.
    pub orphaned: Vec<OrphanedPresence>,
    listed: Vec<String>,
}

/// Number of connections in one step of a cleanup.
const STEP: usize = 256;
/// Largest number of concurrent commands in one step. They share a few round trips.
const CONCURRENT: usize = 32;

impl Nodes {
    /// Registers the first generation of this process, with a lease.
    pub async fn register(&self, record: &str, lease: Duration) -> Result<(), BrokerError> {
        self.renewed(record, lease, "first").await.map(drop)
    }

    /// Renews the lease and the record.
    pub async fn renew(&self, record: &str, lease: Duration) -> Result<Lease, BrokerError> {
        self.renewed(record, lease, "again").await
    }

    async fn renewed(&self, record: &str, lease: Duration, mode: &str) -> Result<Lease, BrokerError> {
        let id = self.local_node.id();
        let mut cmd = call(&SCRIPTS.renew, &[self.keys.nodes(), self.keys.lease(&id)]);
        cmd.arg(id.text()).arg(record).arg(lease.as_millis() as u64).arg(mode);
        match self.run(cmd).await? {
            Value::Int(1) => Ok(Lease::Held),
            Value::Int(0) => Ok(Lease::Lost),
            _ => Err(unexpected_answer()),
        }
    }

    /// Begins a new generation after a lost lease, and returns the former one. The former generation counts as a dead node. So other nodes
    /// clean up its data, including data that it wrote after an earlier cleanup.
    pub async fn begin_generation(&self, record: &str) -> Result<NodeId, BrokerError> {
        let (mut register, former) = (cmd("HSETNX"), self.local_node.id());
        register.arg(self.keys.nodes()).arg(former.text()).arg(record);
        self.run(register).await?;
        self.local_node.begin_generation();
        Ok(former)
    }

    /// The address of this process, see [`NodeId::address`].
    pub fn address(&self) -> String {
        self.local_node.id().address()
    }

    /// Name and generation of this node as one word, for event ids.
    pub fn holder(&self) -> String {
        self.local_node.id().holder()
    }

    /// Sets whether this node may declare others dead. Before that, it must have held its own lease for the whole time of a lease: after an
    /// outage all leases have expired, and a node that just renewed its own must give the others time.
    pub fn set_may_declare_dead(&self, may: bool) {
        self.local_node.set_may_declare_dead(may);
    }

    /// Ends the lease of this node at its shutdown.
    pub async fn leave(&self) -> Result<(), BrokerError> {
        let id = self.local_node.id();
        let mut lease = cmd("DEL");
        lease.arg(self.keys.lease(&id));
        self.run(lease).await?;
        // Otherwise this node has data left, and another node cleans up.
        if self.present_count(&id).await? == 0 && self.entry_count(&id).await? == 0 && self.occupancy.task_count(&id).await? == 0 {
            self.unregister(&id).await?;
        }
        Ok(())
    }

    /// All registered nodes, including dead ones.
    pub async fn list(&self) -> Result<Vec<NodeRecord>, BrokerError> {
        let mut all = cmd("HGETALL");
        all.arg(self.keys.nodes());
        let Value::Array(fields) = self.run(all).await? else { return Err(unexpected_answer()) };
        let texts = fields.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
        let parse = |pair: &[String]| Some((NodeId::parse(&pair[0])?, pair[1].clone()));
        let records: Vec<_> = texts.chunks_exact(2).map(parse).collect::<Option<_>>().ok_or_else(unexpected_answer)?;
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut leases = cmd("MGET");
        for (id, _) in &records {
            leases.arg(self.keys.lease(id));
        }
        let Value::Array(leases) = self.run(leases).await? else { return Err(unexpected_answer()) };
        let node =
            |((id, record), lease): ((NodeId, String), Value)| NodeRecord { id, record: record.into(), is_alive: lease != Value::Nil };
        Ok(records.into_iter().zip(leases).map(node).collect())
    }

    /// Takes or renews the lock for the cleanup after a dead node, for the time `lease`. Returns false if another node has the lock.
    pub async fn lock_cleanup(&self, dead: &NodeId, lease: Duration) -> Result<bool, BrokerError> {
        let mut lock = call(&SCRIPTS.lock, &[self.keys.cleanup(dead)]);
        lock.arg(self.local_node.id().text()).arg(lease.as_millis() as u64);
        Ok(self.run(lock).await? == Value::Int(1))
    }

    /// Releases the lock that [`Self::lock_cleanup`] took.
    pub async fn unlock_cleanup(&self, dead: &NodeId) -> Result<(), BrokerError> {
        self.lock_cleanup(dead, Duration::from_millis(1)).await.map(drop)
    }

    /// Reads some presence of a dead node. None if there is none left. The presence stays stored until [`Self::remove_presence_step`]. So
    /// if this process ends before it has announced the leaves, another node finds the presence.
    pub async fn presence_step(&self, dead: &NodeId) -> Result<Option<PresenceStep>, BrokerError> {
        let mut some = cmd("SRANDMEMBER");
        some.arg(self.keys.node_presence(dead)).arg(STEP);
        let Value::Array(listed) = self.run(some).await? else { return Err(unexpected_answer()) };
        let listed = listed.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
        if listed.is_empty() {
            return Ok(None);
        }
        let generation = dead.text();
        let reads: Vec<_> = listed.iter().map(|entry| self.orphaned(entry, &generation)).collect();
        let found: Vec<_> = stream::iter(reads).buffered(CONCURRENT).try_collect().await?;
        Ok(Some(PresenceStep { orphaned: found.into_iter().flatten().collect(), listed }))
    }

    /// The presence to which an entry of a dead node's list refers. None if it was removed, or if the connection now belongs to another
    /// generation.
    async fn orphaned(&self, entry: &str, generation: &str) -> Result<Option<OrphanedPresence>, BrokerError> {
        let (connection, channel) = entry.split_once(' ').ok_or_else(unexpected_answer)?;
        let channel: ChannelName = channel.parse().map_err(|_| unexpected_answer())?;
        let entry = self.presence.entry(&channel, connection).await?.filter(|entry| entry.node == generation);
        Ok(entry.map(|entry| OrphanedPresence { channel, info: entry.info, node: generation.into() }))
    }

    // NL-7.3
    /// Removes the presence of a step after its leaves were announced. Shortens the list of the dead node last. So if this process ends
    /// before that, another node finds everything that is left. After an error, the list has the entries that were not removed.
    pub async fn remove_presence_step(&self, dead: &NodeId, step: &PresenceStep) -> Result<(), BrokerError> {
        let (mut left, mut result) = (HashSet::new(), Ok(()));
        for (one, error) in self.remove_each(&step.orphaned).await {
            left.insert(format!("{} {}", one.info.client, one.channel));
            result = result.and(Err(error));
        }
        let removed: Vec<_> = step.listed.iter().filter(|entry| !left.contains(*entry)).collect();
        if !removed.is_empty() {
            let mut done = cmd("SREM");
            done.arg(self.keys.node_presence(dead)).arg(removed);
            self.run(done).await?;
        }
        result
    }

    /// Removes presence after its leaves were announced. Leaves out connections that now belong to another generation.
    pub async fn remove_orphaned(&self, orphaned: &[OrphanedPresence]) -> Result<(), BrokerError> {
        self.remove_each(orphaned).await.into_iter().next().map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Tries to remove each of these. Returns those that failed.
    async fn remove_each<'a>(&self, orphaned: &'a [OrphanedPresence]) -> Vec<(&'a OrphanedPresence, BrokerError)> {
        let remove = async |one: &'a OrphanedPresence| {
            let removed = self.presence.remove_entry(&one.channel, &one.info.client.to_string(), &one.node).await;
            removed.err().map(|error| (one, error))
        };
        let removals: Vec<_> = orphaned.iter().map(remove).collect();
        stream::iter(removals).buffer_unordered(CONCURRENT).filter_map(ready).collect().await
    }

    async fn present_count(&self, id: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("SCARD");
        count.arg(self.keys.node_presence(id));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected_answer()),
        }
    }

    /// Removes the record of a node that has no data left.
    pub async fn unregister(&self, id: &NodeId) -> Result<(), BrokerError> {
        let mut delete = cmd("HDEL");
        delete.arg(self.keys.nodes()).arg(id.text());
        self.run(delete).await.map(drop)
    }

    /// It does no harm to run any of these commands twice.
    pub(crate) async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}
