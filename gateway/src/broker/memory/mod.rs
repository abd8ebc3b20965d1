//! The broker of a single node, in its own memory. What it keeps ends with the process.
//!
//! - [`memory_broker`]: what the rest of the gateway sees; [`limits`]: bounds
//! - [`store`], [`shard`]: everything that is kept, in parts with a lock each; [`stream`]: a channel's history; [`idle`]: channels that may be forgotten
//! - [`idempotency`], [`presence`], [`users`], [`revocations`]: what else is kept

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
