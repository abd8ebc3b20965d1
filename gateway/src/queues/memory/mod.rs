//! Queues in memory, for the memory broker: what they accepted is gone with the process.
//!
//! - [`memory_queues`]: the store; [`partition`]: a partition; [`stored`]: its entries; [`dead`]: its dead letters; [`repeats`]: which events it remembers; [`limits`]: its limits

mod dead;
mod limits;
mod memory_queues;
mod partition;
mod repeats;
mod stored;
#[cfg(test)]
mod tests;

pub use limits::MemoryLimits;
pub use memory_queues::MemoryQueues;
