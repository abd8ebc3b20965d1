//! The broker of a single node, in memory. Its data ends with the process.
//!
//! - [`memory_broker`]: the interface; [`limits`]: the limits of all data
//! - [`store`]: all data, with channels in shards; [`shard`]: the channels under one lock; [`stream`]: the history of a channel; [`idle`]:
//!   positions of idle channels
//! - [`repeats`]: recognises repeated publishes, by their keys and by the numbers of producers
//! - [`calls`]: calls that may be repeated
//! - [`presence`]: the connections in a channel; [`occupancy`]: the channels with subscribers; [`users`]: stored subscriptions;
//!   [`revocations`]: revoked users

mod calls;
mod idle;
mod limits;
mod memory_broker;
mod occupancy;
mod presence;
mod repeats;
mod revocations;
mod shard;
mod store;
mod stream;
mod users;

#[cfg(test)]
mod tests;

pub use limits::MemoryLimits;
pub use memory_broker::MemoryBroker;
