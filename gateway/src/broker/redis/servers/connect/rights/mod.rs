//! The rights of the user of `redis.url`.
//!
//! - [`acl`]: the rights that are needed; [`probe`]: the check that they are there; [`queue_trials`]: its part for queues

pub(crate) mod acl;
pub(crate) mod probe;
mod queue_trials;
