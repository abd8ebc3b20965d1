//! The sweep: it repairs what the cleanup of dead nodes missed. A node may stand still for longer than its lease and write after that, and
//! Redis may lose a part of its data. The sweep finds orphaned presence and occupations without end, deletes keys at a server to which they do not belong, adds missing
//! names to the channel index, and removes names of inactive channels.

use super::{
    misplaced::MisplacedSweep,
    nodes::{Nodes, OrphanedPresence},
    occupancy_sweep::OccupancySweep,
    presence::STEP,
};
use crate::broker::{
    BrokerError,
    redis::{
        channels::{channel_index::SHARDS, scan::Scan},
        commands::job::Target,
        servers::topology::Master,
    },
};
use gateway_core::model::ChannelName;
use redis::{Value, cmd};

/// The progress of a sweep: first the channels with presence, then occupations, then keys at the wrong server, then the channel index.
#[derive(Debug, Default)]
pub struct Sweep {
    /// The scan for channels with presence.
    scan: Scan,
    /// Channels that the scan found and that are not checked yet.
    channels: Vec<ChannelName>,
    /// The channel whose entries are being checked, and the cursor of the next entries.
    current: Option<(ChannelName, String)>,
    occupancy: OccupancySweep,
    misplaced: MisplacedSweep,
    index: IndexSweep,
}

/// What a step found.
#[derive(Debug, Default)]
pub struct Swept {
    /// Presence of connections whose node is dead.
    pub orphaned: Vec<OrphanedPresence>,
    /// Occupations that are vacant, with their generations. This node has to announce their ends.
    pub vacant: Vec<(ChannelName, u64)>,
}

/// The progress of a sweep through the channel index.
#[derive(Debug, Default)]
struct IndexSweep {
    /// Active channels that were found and are not in the index yet.
    found: Vec<ChannelName>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Adds channels that have a stream.
    WithStream(Scan),
    /// Adds channels that have subscribers at these masters.
    Subscribed(Vec<Master>),
    /// Removes inactive channels from this set, beginning at this name, and from all later sets.
    Inactive(u16, Vec<u8>),
    Done,
}

/// The begin of a set, as `ZRANGEBYLEX` takes it.
const BEGIN: &[u8] = b"-";

impl Default for Stage {
    fn default() -> Self {
        Self::WithStream(Scan::default())
    }
}

impl Sweep {
    /// A sweep that deletes no keys at the wrong server.
    pub fn without_misplaced() -> Self {
        Self { misplaced: MisplacedSweep::finished(), ..Self::default() }
    }

    /// Whether the sweep still has to delete keys at the wrong server.
    #[cfg(test)]
    pub(crate) fn deletes_misplaced(&self) -> bool {
        !self.misplaced.is_over()
    }

    /// Whether the sweep has checked all channels.
    pub fn is_over(&self) -> bool {
        self.is_past_presence() && self.occupancy.is_over() && matches!(self.index.stage, Stage::Done)
    }

    fn is_past_presence(&self) -> bool {
        self.scan.is_over() && self.channels.is_empty() && self.current.is_none()
    }
}

impl Nodes {
    /// Takes the lock for a sweep. In each period of the length `every`, one node of the cluster gets it.
    pub async fn lock_sweep(&self, every: std::time::Duration) -> Result<bool, BrokerError> {
        let mut lock = cmd("SET");
        lock.arg(self.keys.sweep()).arg(self.local_node.id().text()).arg("NX").arg("PX").arg(every.as_millis() as u64);
        Ok(self.run(lock).await? != Value::Nil)
    }

    // NL-7.6
    /// Takes one step. After an error, the next call repeats it. The caller passes orphaned presence to [`Self::remove_orphaned`]. If this node may
    /// not declare others dead, it finds nothing of them.
    pub async fn sweep(&self, sweep: &mut Sweep) -> Result<Swept, BrokerError> {
        if !sweep.is_past_presence() {
            return Ok(Swept { orphaned: self.sweep_presence(sweep).await?, ..Swept::default() });
        }
        if !sweep.occupancy.is_over() {
            return Ok(Swept { vacant: self.sweep_occupancy(&mut sweep.occupancy).await?, ..Swept::default() });
        }
        if sweep.misplaced.is_over() {
            self.sweep_index(&mut sweep.index).await?;
        } else {
            self.sweep_misplaced(&mut sweep.misplaced).await?;
        }
        Ok(Swept::default())
    }

    async fn sweep_presence(&self, sweep: &mut Sweep) -> Result<Vec<OrphanedPresence>, BrokerError> {
        if let Some((channel, cursor)) = sweep.current.clone() {
            return self.sweep_entries(sweep, channel, &cursor).await;
        }
        if let Some(channel) = sweep.channels.last() {
            let has_dead = !self.presence.dead(self.presence.nodes_of(channel).await?).await?.is_empty();
            sweep.current = sweep.channels.pop().filter(|_| has_dead).map(|channel| (channel, "0".into()));
            return Ok(Vec::new());
        }
        let pattern = self.keys.all_presence_nodes();
        let keys = sweep.scan.next(&self.masters, &self.lane, (&pattern, Some("hash")), STEP).await?;
        sweep.channels =
            keys.iter().flat_map(|(_, keys)| keys).filter_map(|key| self.keys.channel_of_presence_nodes(key)?.parse().ok()).collect();
        Ok(Vec::new())
    }

    async fn sweep_entries(&self, sweep: &mut Sweep, channel: ChannelName, cursor: &str) -> Result<Vec<OrphanedPresence>, BrokerError> {
        let (next, entries) = self.presence.page(&channel, cursor, STEP).await?;
        let dead = self.presence.dead(entries.iter().map(|entry| entry.node.clone())).await?;
        let dead = entries.into_iter().filter(|entry| dead.contains(&entry.node));
        let orphaned = dead.map(|entry| OrphanedPresence { channel: channel.clone(), info: entry.info, node: entry.node.into() }).collect();
        sweep.current = (next != "0").then_some((channel, next));
        Ok(orphaned)
    }

    async fn sweep_index(&self, sweep: &mut IndexSweep) -> Result<(), BrokerError> {
        let IndexSweep { found, stage } = sweep;
        if !found.is_empty() {
            let rest = found.len().saturating_sub(STEP);
            self.listing.channel_index.put(&found[rest..]).await?;
            found.truncate(rest);
            return Ok(());
        }
        match stage {
            Stage::WithStream(scan) => {
                let keys = scan.next(&self.masters, &self.lane, (&self.keys.all_streams(), Some("stream")), STEP).await?;
                *found = keys.iter().flat_map(|(_, keys)| keys).filter_map(|key| self.keys.channel_of_stream(key)?.parse().ok()).collect();
                if scan.is_over() {
                    *stage = Stage::Subscribed(self.masters.topology().serving().keys().copied().collect());
                }
            }
            Stage::Subscribed(masters) => match masters.last() {
                // If a master of a Redis Cluster has left since the step before, the nodes subscribe to its channels at other masters, and
                // add the names then.
                Some(master) if self.masters.connector(*master).is_some() => {
                    *found = self.listing.subscribed_at(Target::Master(*master)).await?;
                    masters.pop();
                }
                Some(_) => drop(masters.pop()),
                None => *stage = Stage::Inactive(0, BEGIN.to_vec()),
            },
            Stage::Inactive(SHARDS, _) => *stage = Stage::Done,
            Stage::Inactive(shard, from) => match self.listing.remove_inactive(*shard, from, STEP).await? {
                Some(next) => *from = next,
                None => *stage = Stage::Inactive(*shard + 1, BEGIN.to_vec()),
            },
            Stage::Done => {}
        }
        Ok(())
    }
}
