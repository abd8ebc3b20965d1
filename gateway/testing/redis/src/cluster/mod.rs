//! A Redis Cluster: its members, moves of slots between masters, and replicas that take over.

#[expect(clippy::module_inception, reason = "the folder is about clusters, the file about one")]
pub(crate) mod cluster;
mod failover;
mod moves;
pub(crate) mod options;
pub(crate) mod slot;
mod start;
mod view;
