//! Code that the unit tests of this crate and its integration tests share. No release build contains it.
//!
//! - [`contract`]: what every broker has to do, as a list of tests; [`fixtures`]: values for them; [`redis_outage`]: brokers without a Redis
//!   that answers
//! - [`internals`]: what tests with real servers have to know of the Redis broker
//! - [`simulation`]: the real logic against a simulated Redis

pub mod contract;
pub mod fixtures;
pub mod redis_outage;

pub use crate::{broker::internals, simulation};
