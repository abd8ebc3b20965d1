//! The state of a hub: connections, channels, and the work queues of its tasks. Nothing here calls the broker or wakes a connection.
//!
//! - [`table`]: the whole state; [`entry`]: a connection; [`local_channel`], [`members`]: a channel; [`fan_out`], [`fork`], [`selection`]: its deliveries
//! - [`presence_queue`], [`registry_queue`], [`resubscribe_queue`]: work queues; [`wheel`]: deadlines

pub(crate) mod entry;
pub(crate) mod fan_out;
pub(crate) mod fork;
pub(crate) mod local_channel;
mod members;
pub(crate) mod presence_queue;
pub(crate) mod registry_queue;
pub(crate) mod resubscribe_queue;
pub(crate) mod selection;
pub(crate) mod table;
pub(crate) mod wheel;
