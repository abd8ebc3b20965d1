//! The Redis broker with real servers: the contract with each kind of store, and failures.

mod addresses;
mod channel_index;
mod cleanup;
mod cluster;
mod command_connections;
mod faults;
mod follower;
mod ingest;
mod nodes;
mod producers;
mod queues;
mod rights;
mod sentinels;
mod several_servers;
mod standalone;
mod stream_gaps;
mod support;
mod tls;
