//! Takes over what dead nodes had to do for channels.

use super::nodes::Nodes;
use crate::broker::{BrokerError, NodeTask, Release, redis::schema::node_id::NodeId};

impl Nodes {
    /// What a dead node had to do for channels; some of it, empty if there is nothing left.
    pub async fn tasks_of(&self, dead: &NodeId) -> Result<Vec<NodeTask>, BrokerError> {
        self.occupancy.tasks_of(dead).await
    }

    // NL-7.3
    /// Takes over a task of a dead node. Returns the generation of the occupation whose end this node has to announce. Every step can be repeated, and
    /// the list of the dead node changes last.
    pub async fn take_over(&self, dead: &NodeId, task: &NodeTask) -> Result<Option<u64>, BrokerError> {
        let (channel, vacant) = match task {
            NodeTask::Vacate(channel, generation) => (channel, Some(*generation)),
            NodeTask::Release(channel) => match self.occupancy.release_of(dead, channel).await? {
                Release::Vacant(generation) => (channel, Some(generation)),
                Release::Occupied | Release::Unoccupied => (channel, None),
            },
        };
        if let Some(generation) = vacant {
            self.occupancy.add_task(&NodeTask::Vacate(channel.clone(), generation)).await?;
        }
        self.occupancy.finish_task_of(dead, task).await?;
        Ok(vacant)
    }

    /// Adds a task of this node.
    pub async fn add_task(&self, task: &NodeTask) -> Result<(), BrokerError> {
        self.occupancy.add_task(task).await
    }

    /// Removes a task of this node that it has done.
    pub async fn finish_task(&self, task: &NodeTask) -> Result<(), BrokerError> {
        self.occupancy.finish_task(task).await
    }
}
