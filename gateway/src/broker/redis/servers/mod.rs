//! The servers of Redis: their addresses, the connections to them, the slots that each serves, and their health. Nothing here depends on
//! channels or publications.
//!
//! - [`address`]: the addresses in the settings; [`connect`]: connections to one server
//! - [`topology`]: the slot map; [`masters`]: the current servers; [`health`]: the states of all parts

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod health;
pub(crate) mod masters;
pub(crate) mod topology;
