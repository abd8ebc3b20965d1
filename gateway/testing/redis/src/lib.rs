//! Starts real Redis for tests and measurements. This crate does not depend on the gateway.
//!
//! A process or proxy ends when its value is dropped. A function that fails panics with a message that explains the failure.
//!
//! | module | content |
//! |---|---|
//! | `servers` | one process of `redis-server` with its own directory: start, replication, users |
//! | `sentinels` | a master, its replica, and sentinels that watch them |
//! | `cluster` | a Redis Cluster: its members, moves of slots, failovers |
//! | `proxy` | proxies that cut connections, and delay, throttle, block, drop or rewrite data |
//! | `resp` | sends commands and reads answers |
//! | `login`, `tls` | users with passwords; certificates of a private authority |
//!
//! A server always listens on a Unix socket too. This crate sends its commands there, so they work even if the TCP port requires TLS.
//!
//! In a cluster or with sentinels, "settled" means: all members agree on the roles, and the replicas are synchronised with
//! their masters.

mod cluster;
mod login;
mod proxy;
mod resp;
mod sentinels;
mod servers;
mod tls;
mod wait;

pub use cluster::{cluster::Cluster, options::ClusterOptions, slot::slot};
pub use login::Login;
pub use proxy::{
    address_map::AddressMap,
    calls::{CallProxy, Calls, Count},
    impairment::{Connections, Impairment},
    relay::Proxy,
};
pub use resp::{
    connection::{CommandError, Connection},
    reply::Reply,
};
pub use rustix::process::Signal;
pub use sentinels::{SERVICE, SentinelOptions, Sentinels};
pub use servers::{options::Options, ports::free_port, server::Server};
pub use tls::{Authority, Certificate};
pub use wait::until;
