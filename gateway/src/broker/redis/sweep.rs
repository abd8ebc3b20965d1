//! What dead nodes left in presence although somebody cleared it away: what a node wrote that stood still for longer than its lease, what nobody
//! could find any more after Redis forgot a part.

use super::{
    nodes::{Left, Nodes},
    presence::STEP,
    scan::Scan,
};
use crate::{broker::BrokerError, model::ChannelName};
use redis::{Value, cmd};

/// How far a round through all channels is that somebody is present in.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Of all keys.
    scan: Scan,
    /// Found, and not looked at yet.
    channels: Vec<ChannelName>,
    /// Being looked at, from this entry on.
    inside: Option<(ChannelName, String)>,
}

impl Sweep {
    /// Whether all channels were looked at.
    pub fn is_over(&self) -> bool {
        self.scan.is_over() && self.channels.is_empty() && self.inside.is_none()
    }
}

impl Nodes {
    /// Whether it is for this node to sweep. Of all nodes one is told so in that time.
    pub async fn may_sweep(&self, every: std::time::Duration) -> Result<bool, BrokerError> {
        let mut claim = cmd("SET");
        claim.arg(self.keys.sweep()).arg(self.life.id().text()).arg("NX").arg("PX").arg(every.as_millis() as u64);
        Ok(self.run(claim).await? != Value::Nil)
    }

    /// Goes one step on: takes some out of presence that no living node holds, and answers who they are. Takes nobody out as long as this node may
    /// not judge.
    pub async fn sweep(&self, sweep: &mut Sweep) -> Result<Vec<Left>, BrokerError> {
        if let Some((channel, cursor)) = sweep.inside.take() {
            return self.sweep_entries(sweep, channel, &cursor).await;
        }
        if let Some(channel) = sweep.channels.pop() {
            if !self.presence.gone(self.presence.nodes_of(&channel).await?).await?.is_empty() {
                sweep.inside = Some((channel, "0".into()));
            }
            return Ok(Vec::new());
        }
        let held = self.keys.all_held();
        let keys = sweep.scan.next(&self.masters, &self.lane, (&held, "hash"), STEP).await?;
        sweep.channels = keys.iter().filter_map(|key| self.keys.channel_of_held(key)?.parse().ok()).collect();
        Ok(Vec::new())
    }

    async fn sweep_entries(&self, sweep: &mut Sweep, channel: ChannelName, cursor: &str) -> Result<Vec<Left>, BrokerError> {
        let (next, entries) = self.presence.page(&channel, cursor, STEP).await?;
        let gone = self.presence.gone(entries.iter().map(|entry| entry.node.clone())).await?;
        let mut left = Vec::new();
        for entry in entries.iter().filter(|entry| gone.contains(&entry.node)) {
            if let Some(info) = self.presence.remove(&channel, &entry.connection, &entry.node).await? {
                left.push(Left { channel: channel.clone(), info });
            }
        }
        sweep.inside = (next != "0").then_some((channel, next));
        Ok(left)
    }
}
