//! The state of a hub: connections, channels, and the work queues of its tasks. Nothing here calls the broker or wakes a connection.
//!
//! - [`table`]: the whole state; [`entry`]: a connection; [`local_channel`], [`members`], [`by_connection`]: a channel; [`deliveries`]: its
//!   deliveries
//! - [`terms`]: what a subscription negotiated; [`token_index`]: connections by the claims of their tokens
//! - [`queues`]: work queues; [`wheel`]: deadlines

pub(crate) mod by_connection;
pub(crate) mod deliveries;
pub(crate) mod entry;
pub(crate) mod local_channel;
mod members;
pub(crate) mod queues;
pub(crate) mod subscription_registry;
pub(crate) mod table;
pub(crate) mod terms;
pub(in crate::hub) mod token_index;
pub(crate) mod wheel;
