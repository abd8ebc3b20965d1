//! Deliveries of a channel on their way to its members.
//!
//! - [`recent`]: the newest publications
//! - [`fan_out`]: the deliveries and their encodings; [`formed`]: as STOMP messages or events
//! - [`fork`]: a fork among them; [`selection`]: those that pass a filter

pub(crate) mod fan_out;
pub(crate) mod fork;
pub(crate) mod formed;
pub(crate) mod recent;
pub(crate) mod selection;
