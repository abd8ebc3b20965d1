//! The broker of a cluster. The shared state of all nodes is in Redis (6.2 or newer) or Valkey: one server, several servers, or a Redis
//! Cluster (7.0).
//!
//! Each folder uses only the folders above it in this table:
//!
//! | folder | content |
//! |---|---|
//! | [`schema`] | key names, scripts, encodings, slots |
//! | [`servers`] | addresses, slots and health of the servers, and connections to them |
//! | [`commands`] | lanes: connections that carry commands and keep their order through every interruption |
//! | [`queues`] | partitions of queues: entries, owners, dead letters |
//! | [`subscriptions`] | the channels that this node needs, and the confirmed subscriptions |
//! | [`channels`] | publish and read, the channel index, the audit |
//! | [`listener`] | subscriber connections |
//! | [`cluster_state`] | nodes, presence, users |
//!
//! # Why nothing is lost
//!
//! *One order.* A publish is one script. It takes the next offset, stores the publication, and sends it to subscribers at the very end. So
//! messages arrive in the order of offsets, and a subscriber recognises a gap by a jump of the offset.
//!
//! *A lost answer to a publish.* Until the deadline of the publish, the lane sends it again with the same idempotency key, ahead of all
//! newer publishes of its channel. The script answers a repeat with the first answer, and refuses a publish after its deadline. So
//! `unavailable` means that the publish never happened.
//!
//! *A publish that Redis refused, followed by one that it executed.* The refused publish must not be stored after the executed one. If both
//! answers arrive, the lane fails the refused publish at once. If both answers are lost, the lane sends both publishes again, the first one
//! with the idempotency key of the second. The script refuses the first publish if it finds that key. Commands of the broken connection
//! cannot run in between, because the new connection makes the server close the broken one first.
//!
//! *A broken subscriber connection* loses messages. The next connection subscribes again. After that, the node reads the tops of the
//! streams and reports them to the workers. Each worker compares a top with its own position and reads what is missing. At that time,
//! everything that was published before the new subscription is in the stream. Everything published later is delivered.
//!
//! *A subscription that delivers nothing.* The canary finds a silent connection within seconds, and the audit finds a silent channel.
//!
//! *A slot that moves* to another master interrupts its channels like a broken connection: the node subscribes at the new master and checks
//! the channels. To keep the order, commands for the new master wait until the old master has answered all commands in flight.
//!
//! *A server that restarted or was replaced* may have lost acknowledged publications. Its data then has a new identity, and the scripts
//! begin a new epoch with a fork at the end of the old one. A client with a position before the fork continues. A client with a position
//! after the fork learns that publications were lost.

mod channels;
mod cluster_state;
mod commands;
mod config;
mod listener;
mod queues;
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
    nodes::{Lease, NodeRecord, Nodes, OrphanedPresence, PresenceStep},
    sweep::{Sweep, Swept},
};
pub use config::RedisConfig;
pub use queues::{
    answers::PartitionLease, arrivals::CONNECTIONS as WAITING_CONNECTIONS, config::RedisQueuesConfig, redis_queues::RedisQueues,
};
pub use redis_broker::RedisBroker;
pub use schema::node_id::NodeId;
pub use servers::{address::Address, connect::rights::acl::RedisUsers};
