//! Real Redis for tests and measurements. It uses nothing of the gateway.
//!
//! Everything ends when it is dropped. A function panics if it cannot do what it is for, and says what to do about it.
//!
//! | module | what |
//! |---|---|
//! | `servers` | one process of `redis-server` with a directory of its own: how it starts, follows another one, and knows users |
//! | `sentinels` | a master with a replica, and sentinels that watch them |
//! | `cluster` | a Redis Cluster: its members, moves of slots, failovers |
//! | `proxy` | proxies that cut, delay, throttle, silence and rewrite what passes |
//! | `resp` | commands and answers |
//! | `login`, `tls` | users in URLs; certificates of a private authority |
//!
//! A server always listens at a Unix socket, so commands reach it whatever it requires of other clients.

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
