//! The shared state of the cluster: nodes, connections, presence, users and calls. Nothing here carries publications.
//!
//! - [`nodes`]: the nodes and their leases; [`local_node`]: this node
//! - [`presence`]: the connections in a channel; [`connection_registry`]: the connections of a node
//! - [`sweep`]: removes what dead nodes left; [`misplaced`]: removes what an earlier list of servers left
//! - [`call_store`]: calls that may be repeated
//! - [`user_store`]: subscriptions and revocations of users

pub(crate) mod call_store;
mod connection_registry;
pub(crate) mod local_node;
mod misplaced;
pub(crate) mod nodes;
pub(crate) mod presence;
pub(crate) mod sweep;
pub(crate) mod user_store;
