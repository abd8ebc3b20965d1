//! Occupancy: which channels have subscribers, over all nodes.
//!
//! The record of a channel has a *hold* of each node that has subscribers. An *occupation* lasts from the first hold to the end of the last one, and
//! has a generation that grows. Each node keeps a list of its holds, and of occupations of which it has to announce the end. So other nodes find both
//! after its death. A process that was stopped may write a hold of a generation whose list the others have worked off. So each hold and each release
//! ends those of earlier generations.

use super::local_node::LocalNode;
use crate::broker::{
    BrokerError, Hold, NodeTask, Release, Vacate,
    redis::{
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
    },
};
use gateway_core::model::ChannelName;
use redis::{Cmd, Value, cmd};
use std::{sync::Arc, time::Duration};

/// How long the generation of a channel that became vacant is remembered, so that the next one is larger even if the clock was set back.
const REMEMBERED: Duration = Duration::from_hours(1);
/// Number of tasks of a dead node that one step reads.
const STEP: usize = 256;

/// The occupancy of all channels.
pub(crate) struct Occupancy {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    pub(crate) local_node: Arc<LocalNode>,
}

impl Occupancy {
    /// See [`crate::broker::Broker::hold`].
    pub(crate) async fn hold(&self, channel: &ChannelName) -> Result<Hold, BrokerError> {
        let node = self.local_node.id();
        // The list comes first. So if this node dies in between, other nodes find its hold.
        self.add_task_of(&node, &NodeTask::Release(channel.clone())).await?;
        let mut hold = call(&SCRIPTS.hold, &[self.keys.occupancy(channel)]);
        hold.arg(node.text());
        let (generation, began) = pair(self.run(hold).await?)?;
        Ok(Hold { generation, began: began == 1 })
    }

    /// See [`crate::broker::Broker::release`].
    pub(crate) async fn release(&self, channel: &ChannelName) -> Result<Release, BrokerError> {
        let release = self.release_of(&self.local_node.id(), channel).await?;
        if let Release::Vacant(generation) = release {
            self.add_task(&NodeTask::Vacate(channel.clone(), generation)).await?;
        }
        self.finish_task(&NodeTask::Release(channel.clone())).await?;
        Ok(release)
    }

    /// Ends the hold of another node that is dead.
    pub(crate) async fn release_of(&self, node: &NodeId, channel: &ChannelName) -> Result<Release, BrokerError> {
        let mut release = call(&SCRIPTS.release, &[self.keys.occupancy(channel)]);
        release.arg(node.text());
        Ok(match pair(self.run(release).await?)? {
            (0, _) => Release::Unoccupied,
            (generation, 1) => Release::Vacant(generation),
            _ => Release::Occupied,
        })
    }

    /// See [`crate::broker::Broker::vacate`].
    pub(crate) async fn vacate(&self, channel: &ChannelName, generation: u64, linger: Duration) -> Result<Vacate, BrokerError> {
        let mut vacate = call(&SCRIPTS.vacate, &[self.keys.occupancy(channel)]);
        vacate.arg(generation).arg(linger.as_millis() as u64).arg(REMEMBERED.as_millis() as u64);
        Ok(match pair(self.run(vacate).await?)? {
            (1, _) => Vacate::Over,
            (_, 0) => Vacate::Occupied,
            (_, left) => Vacate::Lingers(Duration::from_millis(left)),
        })
    }

    /// Adds to the list of this node.
    pub(crate) async fn add_task(&self, task: &NodeTask) -> Result<(), BrokerError> {
        self.add_task_of(&self.local_node.id(), task).await
    }

    async fn add_task_of(&self, node: &NodeId, task: &NodeTask) -> Result<(), BrokerError> {
        let mut add = cmd("SADD");
        add.arg(self.keys.node_channels(node)).arg(line(task));
        self.run(add).await.map(drop)
    }

    /// Removes from the list of this node.
    pub(crate) async fn finish_task(&self, task: &NodeTask) -> Result<(), BrokerError> {
        self.finish_task_of(&self.local_node.id(), task).await
    }

    /// Removes from the list of a node.
    pub(crate) async fn finish_task_of(&self, node: &NodeId, task: &NodeTask) -> Result<(), BrokerError> {
        let mut remove = cmd("SREM");
        remove.arg(self.keys.node_channels(node)).arg(line(task));
        self.run(remove).await.map(drop)
    }

    /// Some entries of the list of a dead node; empty if there are none left. Deletes malformed ones.
    pub(crate) async fn tasks_of(&self, dead: &NodeId) -> Result<Vec<NodeTask>, BrokerError> {
        loop {
            let mut some = cmd("SRANDMEMBER");
            some.arg(self.keys.node_channels(dead)).arg(STEP);
            let Value::Array(lines) = self.run(some).await? else { return Err(unexpected_answer()) };
            let lines = lines.into_iter().map(text).collect::<Option<Vec<_>>>().ok_or_else(unexpected_answer)?;
            let (valid, malformed): (Vec<_>, Vec<_>) = lines.into_iter().partition(|line| parse(line).is_some());
            if malformed.is_empty() {
                return Ok(valid.iter().filter_map(|line| parse(line)).collect());
            }
            tracing::warn!(node = %dead.name, entries = malformed.len(), "deleted entries of a dead node's list of channels that no gateway wrote");
            let mut remove = cmd("SREM");
            remove.arg(self.keys.node_channels(dead)).arg(malformed);
            self.run(remove).await?;
        }
    }

    /// Number of entries in the list of a node.
    pub(crate) async fn task_count(&self, node: &NodeId) -> Result<i64, BrokerError> {
        let mut count = cmd("SCARD");
        count.arg(self.keys.node_channels(node));
        match self.run(count).await? {
            Value::Int(number) => Ok(number),
            _ => Err(unexpected_answer()),
        }
    }

    /// It does no harm to run any of these commands twice.
    async fn run(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}

/// Reads an answer of two numbers.
fn pair(answer: Value) -> Result<(u64, u64), BrokerError> {
    let Value::Array(parts) = answer else { return Err(unexpected_answer()) };
    let [Value::Int(one), Value::Int(other)] = parts[..] else { return Err(unexpected_answer()) };
    let number = |number: i64| number.try_into().map_err(|_| unexpected_answer());
    Ok((number(one)?, number(other)?))
}

/// An entry as it is stored: a generation and the channel. A hold has the generation 0.
fn line(task: &NodeTask) -> String {
    match task {
        NodeTask::Release(channel) => format!("0 {channel}"),
        NodeTask::Vacate(channel, generation) => format!("{generation} {channel}"),
    }
}

fn parse(line: &str) -> Option<NodeTask> {
    let (generation, channel) = line.split_once(' ')?;
    let channel = channel.parse().ok()?;
    Some(match generation.parse().ok()? {
        0 => NodeTask::Release(channel),
        generation => NodeTask::Vacate(channel, generation),
    })
}
