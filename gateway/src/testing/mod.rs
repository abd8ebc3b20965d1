//! What the unit tests of this crate and its integration tests share. No release build has it.
//!
//! - [`contract`]: what every broker has to do, as a list of tests; [`fixtures`]: values for them
//! - [`internals`]: what tests with real servers have to know of the Redis broker
//! - [`simulation`]: the real logic against a simulated Redis

pub mod contract;
pub mod fixtures;

pub use crate::{broker::internals, simulation};
