//! One server: how it is started, and what can be done with it. What needs several servers is not here.

pub(crate) mod options;
pub(crate) mod ports;
mod process;
mod replication;
pub(crate) mod server;
mod users;
