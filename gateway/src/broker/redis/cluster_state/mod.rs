//! The shared state of the cluster: nodes, connections, presence, users and calls. Nothing here carries publications.
//!
//! - [`nodes`]: the nodes and their leases; [`local_node`]: this node
//! - [`presence`]: the connections in a channel; [`occupancy`]: which channels have subscribers
//! - [`registry`]: the connections of a node, and some of their subscriptions
//! - [`take_over`]: what dead nodes had to do; [`sweep`], [`occupancy_sweep`]: remove what they left; [`misplaced`]: removes what an earlier list of servers left
//! - [`call_store`]: calls that may be repeated
//! - [`user_store`]: subscriptions and revocations of users

pub(crate) mod call_store;
pub(crate) mod local_node;
mod misplaced;
pub(crate) mod nodes;
pub(crate) mod occupancy;
mod occupancy_sweep;
pub(crate) mod presence;
mod registry;
pub(crate) mod sweep;
mod take_over;
pub(crate) mod user_store;
