//! Deliveries of a channel on their way to its members.
//!
//! - [`recent`]: the newest publications
//! - [`fan_out`]: the deliveries and their encodings; [`messages`]: as STOMP messages
//! - [`fork`]: a fork among them; [`selection`]: those that pass a filter

pub(crate) mod fan_out;
pub(crate) mod fork;
pub(crate) mod messages;
pub(crate) mod recent;
pub(crate) mod selection;
