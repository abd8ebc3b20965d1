//! What the nodes of a cluster know of each other, of connections and of users. Nothing here carries publications.
//!
//! - [`nodes`]: who shares this Redis; [`local_node`]: this node among them
//! - [`presence`]: who is in a channel; [`connection_registry`]: who is connected to a node; [`sweep`]: removes what dead nodes left
//! - [`user_store`]: users' subscriptions and revocations

mod connection_registry;
pub(crate) mod local_node;
pub(crate) mod nodes;
pub(crate) mod presence;
pub(crate) mod sweep;
pub(crate) mod user_store;
