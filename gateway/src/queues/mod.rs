//! Queues: their stores, and the owners of their partitions. `services` puts events into them and delivers what the owners hand out; `ingest` publishes
//! what services put into streams.
//!
//! - [`memory`]: a store in memory; [`redis`]: the store in Redis
//! - [`operations`]: what operators do; [`monitor`]: looks at all queues, for metrics
//! - [`owner`]: the task that owns a partition and hands out what it has to deliver
//! - [`queues`]: the store that the settings choose; [`partition_check`]: entries in partitions above the settings
//! - [`store`]: what a store of queues does; a bridge to another message queue implements it

mod memory;
mod monitor;
mod operations;
mod owner;
mod partition_check;
mod queues;
mod redis;
mod store;

pub use gateway_core::queue::owner::OwnerCount;
pub use memory::{MemoryLimits, MemoryQueues};
pub use monitor::{QueueMonitor, QueueSample};
pub use operations::{QueueOperations, age_ms};
pub use owner::{Delivery, DeliveryGuard, HeldLease, OwnerConfig, OwnerStats, PartitionHandles, own};
pub use partition_check::{check_partitions, unchecked_partitions};
pub use queues::Queues;
pub use store::{Owned, OwnedError, Ownership, QueueStore};
