//! Deletes keys at a server to which they do not belong. With several servers, a change of `redis.url` leaves such keys behind. Some kinds
//! of keys have no expiry, and after a later change of the list, old histories could come back. A Redis Cluster moves its keys itself.

use super::{nodes::Nodes, presence::STEP};
use crate::broker::{
    BrokerError,
    redis::{
        channels::scan::Scan,
        commands::job::{Command, Resend, Target},
        schema::{answers::unexpected_answer, pubsub::PubSub, slot::Slot},
        servers::topology::Master,
    },
};
use redis::{Value, cmd};

/// The progress of a sweep through all keys of all servers.
#[derive(Debug, Default)]
pub(super) struct MisplacedSweep {
    scan: Scan,
    /// Misplaced keys that the server has not confirmed as deleted.
    found: Option<(Master, Vec<String>)>,
    deleted: u64,
    is_over: bool,
}

impl MisplacedSweep {
    /// A sweep that has nothing to do.
    pub(super) fn finished() -> Self {
        Self { is_over: true, ..Self::default() }
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Nodes {
    /// Takes one step. Deletes keys of gateways at a server to which they do not belong. After an error, the next step tries the same keys
    /// again.
    pub(super) async fn sweep_misplaced(&self, sweep: &mut MisplacedSweep) -> Result<(), BrokerError> {
        let topology = self.masters.topology();
        if self.masters.pubsub() == PubSub::Sharded || topology.only().is_some() {
            sweep.is_over = true;
            return Ok(());
        }
        if let Some((master, keys)) = &sweep.found {
            sweep.deleted += self.unlink(*master, keys).await?;
            sweep.found = None;
            return Ok(());
        }
        let Some((master, keys)) = sweep.scan.next(&self.masters, &self.lane, (&self.keys.all(), None), STEP).await? else {
            tracing::info!(deleted = sweep.deleted, "all servers of redis.url were searched for keys that belong to another server");
            sweep.is_over = true;
            return Ok(());
        };
        let is_elsewhere = |key: &str| topology.owner(Slot::of(key.as_bytes())) != Some(master);
        // NL-8.9
        for key in keys.iter().filter(|key| self.keys.has_entries(key) && is_elsewhere(key)) {
            tracing::warn!(
                key,
                "this queue belongs to another server of redis.url, so nobody delivers its entries: start nodes with the earlier list until it is \
                 empty, or delete the key"
            );
        }
        let misplaced: Vec<_> = keys.into_iter().filter(|key| self.keys.has_place(key) && is_elsewhere(key)).collect();
        if let Some(first) = misplaced.first() {
            if sweep.deleted == 0 {
                tracing::warn!(key = first, "deleting keys that belong to another server of redis.url: an earlier list left them here");
            }
            sweep.found = Some((master, misplaced));
        }
        Ok(())
    }

    /// Deletes keys at this server. Returns how many it had.
    async fn unlink(&self, master: Master, keys: &[String]) -> Result<u64, BrokerError> {
        let mut delete = cmd("UNLINK");
        delete.arg(keys);
        let answer = self.lane.run(Command { cmd: delete, to: Target::Master(master), order: None, resend: Resend::Safe }).await?;
        let Value::Int(deleted) = answer else { return Err(unexpected_answer()) };
        let deleted = deleted.try_into().map_err(|_| unexpected_answer())?;
        self.counters.misplaced.add(deleted);
        Ok(deleted)
    }
}
