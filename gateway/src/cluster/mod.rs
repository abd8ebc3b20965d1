//! The nodes of a cluster: which are alive, messages between them, and what is left of dead ones.
//!
//! Redis keeps the list of nodes (`broker`); services learn about dead connections in `services`.
//!
//! - [`cluster`]: what the rest of the node uses; [`types`]: the types of its interface
//! - [`local`]: the workers of this node
//! - [`remote`]: the state shared with other nodes; [`membership`]: heartbeats; [`requests`]: requests to other nodes; [`dead`]: what dead nodes leave
//! - [`members`]: what a node publishes about itself; [`inbox`], [`message`]: messages between nodes

mod cluster;
mod dead;
mod inbox;
mod local;
mod members;
mod membership;
mod message;
mod remote;
mod requests;
mod types;

pub use cluster::Cluster;
pub use types::{About, Bereft, NodeSummary, Times};
