//! What dead nodes left in presence although somebody cleared it away: what a node wrote that stood still for longer than its lease, what nobody
//! could find any more after Redis forgot a part. And names of channels that are missing, or there in vain, for the same reasons.

use super::{
    nodes::{Nodes, OrphanedPresence},
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

/// How far a round is through all channels that somebody is present in, and then through the names of all.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Of all keys.
    scan: Scan,
    /// Found, and not looked at yet.
    channels: Vec<ChannelName>,
    /// Being looked at, from this entry on.
    inside: Option<(ChannelName, String)>,
    names: NameSweep,
}

/// How far a round is through the names of channels.
#[derive(Debug, Default)]
struct NameSweep {
    /// Found to be active, and not added yet.
    found: Vec<ChannelName>,
    stage: Stage,
}

/// What it is at.
#[derive(Debug)]
enum Stage {
    /// Those that hold something are added.
    Held(Scan),
    /// Those that these masters announce are added.
    Announced(Vec<Master>),
    /// Those of the set from here on, and of the ones behind it, that are not active are taken out.
    Idle(u16, Vec<u8>),
    Over,
}

/// Where a set begins, as `ZRANGEBYLEX` takes it.
const BEGIN: &[u8] = b"-";

impl Default for Stage {
    fn default() -> Self {
        Self::Held(Scan::default())
    }
}

impl Sweep {
    /// Whether all channels were looked at.
    pub fn is_over(&self) -> bool {
        self.is_past_presence() && matches!(self.names.stage, Stage::Over)
    }

    fn is_past_presence(&self) -> bool {
        self.scan.is_over() && self.channels.is_empty() && self.inside.is_none()
    }
}

impl Nodes {
    /// Whether it is for this node to sweep. Of all nodes one is told so in that time.
    pub async fn lock_sweep(&self, every: std::time::Duration) -> Result<bool, BrokerError> {
        let mut claim = cmd("SET");
        claim.arg(self.keys.sweep()).arg(self.life.id().text()).arg("NX").arg("PX").arg(every.as_millis() as u64);
        Ok(self.run(claim).await? != Value::Nil)
    }

    // NL-7.6
    /// Goes one step on: takes some out of presence that no living node holds, and answers who they are. Takes nobody out as long as this node may
    /// not judge.
    pub async fn sweep(&self, sweep: &mut Sweep) -> Result<Vec<OrphanedPresence>, BrokerError> {
        if let Some((channel, cursor)) = sweep.inside.take() {
            return self.sweep_entries(sweep, channel, &cursor).await;
        }
        if let Some(channel) = sweep.channels.pop() {
            if !self.presence.gone(self.presence.nodes_of(&channel).await?).await?.is_empty() {
                sweep.inside = Some((channel, "0".into()));
            }
            return Ok(Vec::new());
        }
        if sweep.is_past_presence() {
            return self.sweep_names(&mut sweep.names).await.map(|()| Vec::new());
        }
        let held = self.keys.all_held();
        let keys = sweep.scan.next(&self.masters, &self.lane, (&held, "hash"), STEP).await?;
        sweep.channels = keys.iter().filter_map(|key| self.keys.channel_of_held(key)?.parse().ok()).collect();
        Ok(Vec::new())
    }

    async fn sweep_entries(&self, sweep: &mut Sweep, channel: ChannelName, cursor: &str) -> Result<Vec<OrphanedPresence>, BrokerError> {
        let (next, entries) = self.presence.page(&channel, cursor, STEP).await?;
        let gone = self.presence.gone(entries.iter().map(|entry| entry.node.clone())).await?;
        let mut left = Vec::new();
        for entry in entries.iter().filter(|entry| gone.contains(&entry.node)) {
            if let Some(info) = self.presence.remove(&channel, &entry.connection, &entry.node).await? {
                left.push(OrphanedPresence { channel: channel.clone(), info });
            }
        }
        sweep.inside = (next != "0").then_some((channel, next));
        Ok(left)
    }

    async fn sweep_names(&self, sweep: &mut NameSweep) -> Result<(), BrokerError> {
        let NameSweep { found, stage } = sweep;
        if !found.is_empty() {
            let rest = found.len().saturating_sub(STEP);
            self.listing.names.put(&found[rest..]).await?;
            found.truncate(rest);
            return Ok(());
        }
        match stage {
            Stage::Held(scan) => {
                let keys = scan.next(&self.masters, &self.lane, (&self.keys.all_streams(), "stream"), STEP).await?;
                *found = keys.iter().filter_map(|key| self.keys.channel_of_stream(key)?.parse().ok()).collect();
                if scan.is_over() {
                    *stage = Stage::Announced(self.masters.now().serving().keys().copied().collect());
                }
            }
            Stage::Announced(masters) => match masters.last() {
                // One of a Redis Cluster that has gone meanwhile has handed its channels on: they are subscribed to anew, and so added.
                Some(master) if self.masters.connector(*master).is_some() => {
                    *found = self.listing.announced(Target::Master(*master)).await?;
                    masters.pop();
                }
                Some(_) => drop(masters.pop()),
                None => *stage = Stage::Idle(0, BEGIN.to_vec()),
            },
            Stage::Idle(SHARDS, _) => *stage = Stage::Over,
            Stage::Idle(shard, from) => match self.listing.tidy(*shard, from, STEP).await? {
                Some(next) => *from = next,
                None => *stage = Stage::Idle(*shard + 1, BEGIN.to_vec()),
            },
            Stage::Over => {}
        }
        Ok(())
    }
}
