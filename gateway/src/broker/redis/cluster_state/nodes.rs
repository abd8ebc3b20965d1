//! The nodes that share this Redis: each renews a lease; who does not is dead, and others clear away what it left.

use super::{local_node::LocalNode, presence::Presence};
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
            keys::Keys,
            node_id::NodeId,
            scripts::{SCRIPTS, call},
        },
        servers::masters::Masters,
    },
};
use gateway_core::model::{ChannelName, ClientInfo};
use redis::{Cmd, Value, cmd};
use std::{sync::Arc, time::Duration};

/// See the module.
pub struct Nodes {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    pub(crate) life: Arc<LocalNode>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) masters: Arc<Masters>,
    pub(crate) listing: Arc<Listing>,
}

/// Whether a lease goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It does.
    Held,
    /// It had ended: what the node had registered may be gone.
    Lost,
}

/// A node as it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Which.
    pub id: NodeId,
    /// What it said of itself.
    pub record: Box<str>,
    /// Whether its lease is held.
    pub is_alive: bool,
}

/// Somebody whose node is dead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanedPresence {
    /// Where it was present.
    pub channel: ChannelName,
    /// Who.
    pub info: Arc<ClientInfo>,
}

/// Connections of a dead node that are cleared away in one step.
const STEP: usize = 256;

impl Nodes {
    /// Takes the lease of a generation that begins.
    pub async fn enter(&self, record: &str, lease: Duration) -> Result<(), BrokerError> {
        self.renewed(record, lease, "first").await.map(drop)
    }

    /// Renews it.
    pub async fn renew(&self, record: &str, lease: Duration) -> Result<Lease, BrokerError> {
        self.renewed(record, lease, "again").await
    }

    async fn renewed(&self, record: &str, lease: Duration, which: &str) -> Result<Lease, BrokerError> {
        let id = self.life.id();
        let mut cmd = call(&SCRIPTS.renew, &[self.keys.nodes(), self.keys.lease(&id)]);
        cmd.arg(id.text()).arg(record).arg(lease.as_millis() as u64).arg(which);
        match self.run(cmd).await? {
            Value::Int(1) => Ok(Lease::Held),
            Value::Int(0) => Ok(Lease::Lost),
            _ => Err(unexpected_answer()),
        }
    }

    /// Begins another generation, after a lease was lost. What the last one had registered is a dead node's, and what it wrote after others had cleared
    /// that away is so as well. Answers which it was.
    pub async fn begin_generation(&self, record: &str) -> Result<NodeId, BrokerError> {
        let (mut left, former) = (cmd("HSETNX"), self.life.id());
        left.arg(self.keys.nodes()).arg(former.text()).arg(record);
        self.run(left).await?;
        self.life.begin_generation();
        Ok(former)
    }

    /// The address of this process, see [`NodeId::address`].
    pub fn address(&self) -> String {
        self.life.id().address()
    }

    /// This node and its generation, as one word.
    pub fn holder(&self) -> String {
        self.life.id().holder()
    }

    /// Whether this node may take others for dead whose lease is gone. After an outage all leases are: it has to have held its own for a whole lease,
    /// without an interruption.
    pub fn judge(&self, may: bool) {
        self.life.set_judge(may);
    }

    /// This node goes.
    pub async fn leave(&self) -> Result<(), BrokerError> {
        let id = self.life.id();
        let mut lease = cmd("DEL");
        lease.arg(self.keys.lease(&id));
        self.run(lease).await?;
        // What it had registered is gone already, or else is for others to clear away.
        if self.registered(&id).await? == 0 && self.registered_connections_count(&id).await? == 0 {
            self.forget(&id).await?;
        }
        Ok(())
    }

    /// All that registered and are not forgotten.
    pub async fn list(&self) -> Result<Vec<NodeRecord>, BrokerError> {
        let mut all = cmd("HGETALL");
        all.arg(self.keys.nodes());
        let Value::Array(fields) = self.run(all).await? else { return Err(unexpected_answer()) };
        let texts = fields.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
        let known = |pair: &[String]| Some((NodeId::parse(&pair[0])?, pair[1].clone()));
        let records: Vec<_> = texts.chunks_exact(2).map(known).collect::<Option<_>>().ok_or_else(unexpected_answer)?;
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

    /// Whether it is for this node to clear away what a dead one left, for as long as `lease` from now on. Of several nodes one is told so.
    pub async fn lock_cleanup(&self, dead: &NodeId, lease: Duration) -> Result<bool, BrokerError> {
        let mut claim = call(&SCRIPTS.claim, &[self.keys.cleanup(dead)]);
        claim.arg(self.life.id().text()).arg(lease.as_millis() as u64);
        Ok(self.run(claim).await? == Value::Int(1))
    }

    /// Leaves that to others, after [`Self::lock_cleanup`] said so.
    pub async fn unlock_cleanup(&self, dead: &NodeId) -> Result<(), BrokerError> {
        self.lock_cleanup(dead, Duration::from_millis(1)).await.map(drop)
    }

    /// Takes some of a dead node's connections out of presence; none once there are no more. They are told to the caller before they are forgotten:
    /// should this process end in between, the next heir finds the rest.
    pub async fn remove_presence_step(&self, dead: &NodeId) -> Result<Option<Vec<OrphanedPresence>>, BrokerError> {
        let mut some = cmd("SRANDMEMBER");
        some.arg(self.keys.registered(dead)).arg(STEP);
        let Value::Array(entries) = self.run(some).await? else { return Err(unexpected_answer()) };
        let entries = entries.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
        if entries.is_empty() {
            return Ok(None);
        }
        let mut left = Vec::new();
        for entry in &entries {
            let (connection, channel) = entry.split_once(' ').ok_or_else(unexpected_answer)?;
            let channel: ChannelName = channel.parse().map_err(|_| unexpected_answer())?;
            if let Some(info) = self.presence.remove(&channel, connection, &dead.text()).await? {
                left.push(OrphanedPresence { channel, info });
            }
        }
        let mut done = cmd("SREM");
        done.arg(self.keys.registered(dead)).arg(&entries);
        self.run(done).await?;
        Ok(Some(left))
    }

    async fn registered(&self, id: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("SCARD");
        count.arg(self.keys.registered(id));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected_answer()),
        }
    }

    /// Forgets a node that has left nothing.
    pub async fn forget(&self, id: &NodeId) -> Result<(), BrokerError> {
        let mut forget = cmd("HDEL");
        forget.arg(self.keys.nodes()).arg(id.text());
        self.run(forget).await.map(drop)
    }

    /// Everything here may be done twice.
    pub(crate) async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Safe }).await
    }
}
