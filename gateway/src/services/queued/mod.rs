//! Queues of events for services: events go into the queue, and the owners of its partitions hand them out.
//!
//! - [`config`]: the settings; [`counters`]: the counters; [`service_queue`]: the queue of one service; [`queueing`]: what all have in common
//! - [`event`]: events as entries; [`enqueue`]: stores those of frontends; [`lifecycle_sender`]: stores lifecycle events
//! - [`serve`]: the work from start to end; [`ownership`]: which partitions this node wants
//! - [`delivery`]: from the owner to the service and back

pub(super) mod config;
pub(super) mod counters;
pub(super) mod delivery;
mod enqueue;
mod event;
mod lifecycle_sender;
mod ownership;
pub(super) mod queueing;
mod serve;
pub(super) mod service_queue;

#[cfg(test)]
mod tests;
