//! Deletes keys at a server to which they do not belong. With several servers, a change of `redis.url` leaves such keys behind. Some kinds
//! of keys have no expiry, and after a later change of the list, old histories could come back. A Redis Cluster moves its keys itself.

use super::{nodes::Nodes, presence::STEP};
use crate::broker::{
    BrokerError,
    redis::{
        channels::scan::Scan,
        commands::job::{Command, Resend, Target},
        schema::{pubsub::PubSub, slot::Slot},
    },
};
use redis::cmd;

/// The progress of a sweep through all keys of all servers.
#[derive(Debug, Default)]
pub(super) struct MisplacedSweep {
    scan: Scan,
    is_over: bool,
    deleted: usize,
}

impl MisplacedSweep {
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }
}

impl Nodes {
    /// Takes one step. Deletes keys of gateways at a server to which they do not belong.
    pub(super) async fn sweep_misplaced(&self, sweep: &mut MisplacedSweep) -> Result<(), BrokerError> {
        let topology = self.masters.topology();
        if self.masters.pubsub() == PubSub::Sharded || topology.only().is_some() {
            sweep.is_over = true;
            return Ok(());
        }
        let Some((master, keys)) = sweep.scan.next(&self.masters, &self.lane, (&self.keys.all(), None), STEP).await? else {
            if sweep.deleted > 0 {
                tracing::warn!(
                    keys = sweep.deleted,
                    "deleted keys that an earlier redis.url left at servers to which they do not belong now"
                );
            }
            sweep.is_over = true;
            return Ok(());
        };
        let is_misplaced = |key: &String| self.keys.has_place(key) && topology.owner(Slot::of(key.as_bytes())) != Some(master);
        let misplaced: Vec<_> = keys.into_iter().filter(is_misplaced).collect();
        if misplaced.is_empty() {
            return Ok(());
        }
        let mut delete = cmd("UNLINK");
        delete.arg(&misplaced);
        self.lane.run(Command { cmd: delete, to: Target::Master(master), order: None, resend: Resend::Safe }).await?;
        sweep.deleted += misplaced.len();
        self.counters.misplaced.add(misplaced.len() as u64);
        Ok(())
    }
}
