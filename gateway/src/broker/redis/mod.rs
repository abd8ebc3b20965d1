//! The broker of a cluster: what nodes share lives in Redis (6.2 or newer), one or several, a Redis Cluster (7.0), or Valkey.
//!
//! Each folder uses only those before it:
//!
//! | folder | what |
//! |---|---|
//! | [`schema`] | key names, scripts, encodings, slots |
//! | [`servers`] | which servers there are, and connections to them |
//! | [`commands`] | lanes: connections that carry commands, in order, through every interruption |
//! | [`subscriptions`] | which channels this node needs, and what is confirmed of that |
//! | [`channels`] | publish and read; channels by name; whether the workers have what the streams hold |
//! | [`listener`] | connections that subscribe |
//! | [`cluster_state`] | nodes, presence, users |
//!
//! # Why nothing is lost
//!
//! *One order.* A publish is one script: it takes the next offset, stores, and announces at the very end. So announcements come in the order of offsets, and
//! whoever subscribes sees a gap as a jump.
//!
//! *A publish whose answer was lost* is sent again under its id, ahead of everything newer of its channel, until its deadline; the script answers a repeat with
//! what the first did, and refuses what comes after the deadline. So `unavailable` means that it never happened.
//!
//! *A publish that Redis refused while it carried out the next one* must not be stored behind it. Where the answers come it fails at once; where they are lost
//! it is sent again with the ids of those behind it, and the script refuses it if it finds one of them. What the broken connection still brings cannot come in between: the
//! next one has the server end it first.
//!
//! *A connection that breaks* loses announcements. The next one subscribes anew, and only then the streams' tops are read and handed to the workers, which
//! compare them with their own positions and read what they lack. What was published before the subscription is in the stream by then, what comes after it is announced.
//!
//! *A connection that goes deaf* is found by a canary within seconds, a channel that does by the audit.
//!
//! *A slot that moves* to another master of a Redis Cluster is, for its channels, a connection that breaks: they are subscribed at their new master, and looked
//! at. Commands wait there until what is under way at the old master was answered, so that the order stays.
//!
//! *A server that restarted or was replaced* may have forgotten what it had acknowledged. Its data then carries another identity: scripts begin a new epoch
//! that remembers where it left the old one, so that positions before the fork go on, and positions after it are told.

mod channels;
mod cluster_state;
mod commands;
mod config;
mod listener;
mod redis_broker;
mod schema;
mod servers;
mod subscriptions;
mod wiring;

#[cfg(feature = "testing")]
pub mod internals;
#[cfg(feature = "testing")]
pub(crate) mod simulated;

pub use cluster_state::{
    nodes::{Lease, NodeRecord, Nodes, OrphanedPresence},
    sweep::Sweep,
};
pub use config::RedisConfig;
pub use redis_broker::RedisBroker;
pub use schema::node_id::NodeId;
pub use servers::address::Address;
