//! The Redis broker with real servers: the contract with each kind of store, and failures.

mod addresses;
mod cleanup;
mod cluster;
mod faults;
mod follower;
mod lists;
mod nodes;
mod rights;
mod ring;
mod sentinels;
mod standalone;
mod stream_gaps;
mod support;
mod tls;
mod wire;
