//! The broker of a single node, in memory. Its data ends with the process.
//!
//! - [`memory_broker`]: the interface; [`limits`]: bounds
//! - [`store`], [`shard`]: all data, in shards with a lock each; [`stream`]: the history of a channel; [`idle`]: positions of idle channels
//! - [`idempotency`], [`presence`], [`users`], [`revocations`]: other data

mod idempotency;
mod idle;
mod limits;
mod memory_broker;
mod presence;
mod revocations;
mod shard;
mod store;
mod stream;
mod users;

#[cfg(test)]
mod tests;

pub use limits::MemoryLimits;
pub use memory_broker::MemoryBroker;
