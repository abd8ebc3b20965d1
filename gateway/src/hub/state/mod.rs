//! What a hub remembers: connections, channels, and queues of what its tasks have to do. Nothing here calls the broker or wakes a connection.
//!
//! - [`table`]: all of it; [`entry`]: a connection; [`slot`], [`members`]: a channel
//! - [`presence_queue`], [`registry_queue`], [`resubscribe_queue`]: work that waits; [`wheel`]: deadlines

pub(crate) mod entry;
mod members;
pub(crate) mod presence_queue;
pub(crate) mod registry_queue;
pub(crate) mod resubscribe_queue;
pub(crate) mod slot;
pub(crate) mod table;
pub(crate) mod wheel;
