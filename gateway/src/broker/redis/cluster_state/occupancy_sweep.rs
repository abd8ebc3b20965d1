//! The part of the sweep that finds occupations which would never end: the list of the node that has to end them is lost.

use super::{nodes::Nodes, presence::STEP};
use crate::broker::{
    BrokerError, NodeTask,
    redis::{
        channels::scan::Scan,
        schema::{
            answers::{text, unexpected_answer},
            node_id::NodeId,
        },
    },
};
use gateway_core::model::ChannelName;
use redis::{Value, cmd};

/// The progress of a sweep through the occupations of all channels.
#[derive(Debug, Default)]
pub(super) struct OccupancySweep {
    scan: Scan,
    /// Channels that the scan found and that are not checked yet.
    channels: Vec<ChannelName>,
}

impl OccupancySweep {
    pub(super) fn is_over(&self) -> bool {
        self.scan.is_over() && self.channels.is_empty()
    }
}

impl Nodes {
    /// Takes one step. Returns occupations that are vacant, whose ends this node has to announce. After an error, the next step tries the same channel
    /// again.
    pub(super) async fn sweep_occupancy(&self, sweep: &mut OccupancySweep) -> Result<Vec<(ChannelName, u64)>, BrokerError> {
        let Some(channel) = sweep.channels.last() else {
            let pattern = self.keys.all_occupancies();
            let keys = sweep.scan.next(&self.masters, &self.lane, (&pattern, Some("hash")), STEP).await?;
            let names = keys.iter().flat_map(|(_, keys)| keys).filter_map(|key| self.keys.channel_of_occupancy(key)?.parse().ok());
            sweep.channels = names.collect();
            return Ok(Vec::new());
        };
        let vacant = self.vacant(channel).await?;
        Ok(sweep.channels.pop().zip(vacant).into_iter().collect())
    }

    /// Ends the holds of dead nodes on a channel. Returns the generation of its occupation if no hold is left.
    async fn vacant(&self, channel: &ChannelName) -> Result<Option<u64>, BrokerError> {
        let mut record = cmd("HGETALL");
        record.arg(self.keys.occupancy(channel));
        let Value::Array(fields) = self.run(record).await? else { return Err(unexpected_answer()) };
        let fields = fields.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
        let generation = fields.chunks_exact(2).find(|pair| pair[0] == "generation").and_then(|pair| pair[1].parse().ok());
        let holders = || fields.chunks_exact(2).filter_map(|pair| NodeId::parse(&pair[0]));
        if let Some(generation) = generation.filter(|_| holders().next().is_none()) {
            self.add_task(&NodeTask::Vacate(channel.clone(), generation)).await?;
            return Ok(Some(generation));
        }
        let dead = self.presence.dead(holders().map(|id| id.text())).await?;
        let mut vacant = None;
        for id in holders().filter(|id| dead.contains(&id.text())) {
            vacant = self.take_over(&id, &NodeTask::Release(channel.clone())).await?.or(vacant);
        }
        Ok(vacant)
    }
}
