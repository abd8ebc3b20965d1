//! Queues of events, and ingest.
//!
//! - [`enqueue`], [`ingest`], [`poisoned`], [`backlog`]: one measurement each
//! - [`store`]: what the generator writes into Redis and reads there; [`consumer`]: the service; [`costs`]: what a measurement costs the processes

mod backlog;
mod consumer;
mod costs;
mod enqueue;
mod ingest;
mod poisoned;
mod scenario;
mod store;

pub(crate) use scenario::{Arguments, run};
