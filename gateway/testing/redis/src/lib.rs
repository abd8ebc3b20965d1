//! Real Redis for tests and measurements. It uses nothing of the gateway.
//!
//! Everything ends when it is dropped. A function panics if it cannot do what it is for, and says what to do about it.
//!
//! | module | what |
//! |---|---|
//! | `server` | one process of `redis-server`, with a directory of its own; [`Options`] says how it is started |
//! | `connection`, `reply` | commands over RESP, whatever the server requires of other clients |
//! | `replication` | a server that follows another one |
//! | `sentinels` | a master with a replica, and sentinels that watch them |
//! | `cluster` | a Redis Cluster: its members, moves of slots, failovers |
//! | `login`, `tls` | users, and certificates of a private authority |
//! | `proxy` | proxies that cut, delay, throttle, silence and rewrite what passes |
//!
//! The server listens at a Unix socket in any case, so commands reach it without TCP, TLS or a password of other listeners.

mod cluster;
mod connection;
mod login;
mod options;
mod ports;
mod process;
mod proxy;
mod replication;
mod reply;
mod sentinels;
mod server;
mod tls;
mod users;
mod wait;

pub use cluster::{Cluster, ClusterOptions, slot::slot};
pub use connection::{CommandError, Connection};
pub use login::Login;
pub use options::Options;
pub use ports::free_port;
pub use proxy::{
    address_map::AddressMap,
    calls::{CallProxy, Calls, Count},
    impairment::{Connections, Impairment},
    relay::Proxy,
};
pub use reply::Reply;
pub use rustix::process::Signal;
pub use sentinels::{SERVICE, SentinelOptions, Sentinels};
pub use server::Server;
pub use tls::{Authority, Certificate};
pub use wait::until;
