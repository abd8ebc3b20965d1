//! The nodes of a cluster: which of them are alive, requests between them, and the clean-up after dead ones.
//!
//! The list of nodes and their leases in Redis belong to `broker`; the events about what has ended belong to `services`.
//!
//! - [`cluster`]: the interface for the rest of the node; [`types`]: its types
//! - [`local_workers`]: requests to the workers of this node
//! - [`shared_cluster`]: the state of a node among several; [`membership`]: heartbeats; [`cleanup`]: the clean-up after dead nodes
//! - [`holds`]: which channels have subscribers on this node; [`watched_users`]: users that may have too many connections
//! - [`requests`]: requests to other nodes; [`message`]: their encoding; [`inbox`]: how they arrive; [`member`]: what a node publishes about itself

mod cleanup;
mod cluster;
mod holds;
mod inbox;
mod local_workers;
mod member;
mod membership;
mod message;
mod requests;
mod shared_cluster;
mod types;
mod watched_users;

pub use cluster::Cluster;
pub use holds::holds::{Holds, OccupationEvent, VacatedReceipt};
pub use types::{
    ClusterTimings, DeadNodeEntries, DrainAction, DrainOrder, DrainPart, NodeDescription, NodeServices, NodeSummary, ReceivedDrainOrder,
};
pub use watched_users::WatchedUsers;
