//! Queues: partitions as streams. Each step that has to be atomic is one script.
//!
//! - [`redis_queues`]: the store; [`operators`]: its part for operators; [`answers`]: what the scripts answer
//! - [`arrivals`]: connections that wait for entries; [`read_positions`]: what owners have read
//! - [`config`]: the settings of queues

pub(crate) mod answers;
pub(crate) mod arrivals;
pub(crate) mod config;
mod operators;
mod read_positions;
pub(crate) mod redis_queues;
