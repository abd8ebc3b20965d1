//! A Redis Cluster: its members, moves of slots between masters, and failovers to replicas.

#[expect(clippy::module_inception, reason = "the folder contains everything about clusters, the file only the type `Cluster`")]
pub(crate) mod cluster;
mod failover;
mod moves;
pub(crate) mod options;
pub(crate) mod slot;
mod start;
mod view;
