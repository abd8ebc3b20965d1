//! The nodes that share this Redis: each renews a lease; who does not is dead.

use super::{
    keys::Keys,
    lane::{Again, Command, Lane},
    scripts::{SCRIPTS, call},
    streams::{garbled, text},
};
use crate::broker::BrokerError;
use redis::{Cmd, Value, cmd};
use std::{sync::Arc, time::Duration};

/// See the module.
pub struct Nodes {
    pub(super) keys: Keys,
    pub(super) lane: Arc<Lane>,
}

/// Whether a lease goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It does.
    Held,
    /// It had ended, or another process took the name: what the node had registered may be gone.
    Lost,
}

/// A node as it registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRecord {
    /// Unique in the cluster.
    pub name: Box<str>,
    /// What it said of itself.
    pub record: Box<str>,
    /// Whether its lease is held.
    pub is_alive: bool,
}

impl Nodes {
    /// Takes the lease of a generation that begins.
    pub async fn enter(&self, name: &str, generation: &str, record: &str, lease: Duration) -> Result<(), BrokerError> {
        self.renewed(name, generation, record, lease, "first").await.map(drop)
    }

    /// Renews it.
    pub async fn renew(&self, name: &str, generation: &str, record: &str, lease: Duration) -> Result<Lease, BrokerError> {
        self.renewed(name, generation, record, lease, "again").await
    }

    async fn renewed(&self, name: &str, generation: &str, record: &str, lease: Duration, which: &str) -> Result<Lease, BrokerError> {
        let mut cmd = call(&SCRIPTS.renew, &[self.keys.nodes(), self.keys.lease(name)]);
        cmd.arg(name).arg(generation).arg(record).arg(lease.as_millis() as u64).arg(which);
        match self.run(cmd).await? {
            Value::Int(1) => Ok(Lease::Held),
            Value::Int(0) => Ok(Lease::Lost),
            _ => Err(garbled()),
        }
    }

    /// Takes a node off the list, if it is still of this generation.
    pub async fn leave(&self, name: &str, generation: &str) -> Result<(), BrokerError> {
        let mut cmd = call(&SCRIPTS.leave, &[self.keys.nodes(), self.keys.lease(name)]);
        cmd.arg(name).arg(generation);
        self.run(cmd).await.map(drop)
    }

    /// All that registered and did not leave.
    pub async fn list(&self) -> Result<Vec<NodeRecord>, BrokerError> {
        let mut all = cmd("HGETALL");
        all.arg(self.keys.nodes());
        let Value::Array(fields) = self.run(all).await? else { return Err(garbled()) };
        let texts = fields.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(garbled)?;
        let records: Vec<_> = texts.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let mut leases = cmd("MGET");
        for (name, _) in &records {
            leases.arg(self.keys.lease(name));
        }
        let Value::Array(leases) = self.run(leases).await? else { return Err(garbled()) };
        let node = |((name, record), lease): ((String, String), Value)| NodeRecord {
            name: name.into(),
            record: record.into(),
            is_alive: lease != Value::Nil,
        };
        Ok(records.into_iter().zip(leases).map(node).collect())
    }

    /// Everything here may be done twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, order: None, again: Again::Safe }).await
    }
}
