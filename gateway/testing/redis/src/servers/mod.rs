//! One server: its options, its process, and commands to it. Groups of servers belong in `cluster` and `sentinels`.

pub(crate) mod options;
pub(crate) mod ports;
mod process;
mod replication;
pub(crate) mod server;
mod users;
