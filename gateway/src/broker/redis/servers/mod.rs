//! Which servers there are, which of them serves a slot, how they are reached, and whether they can be relied on. Nothing here knows channels or publications.
//!
//! - [`address`]: what the settings say; [`connect`]: connections to one server
//! - [`topology`]: a map of slots; [`health`]: what keeps the broker from serving; [`masters`]: the servers now

pub(crate) mod address;
pub(crate) mod connect;
pub(crate) mod health;
pub(crate) mod masters;
pub(crate) mod topology;
