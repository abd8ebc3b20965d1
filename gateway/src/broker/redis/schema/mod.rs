//! The data model in Redis: key names, scripts, encodings, slots. Nothing here opens a connection or runs a task.

pub(crate) mod answers;
pub(crate) mod clock;
pub(crate) mod codec;
pub(crate) mod counters;
mod escape;
pub(crate) mod keys;
pub(crate) mod node_id;
pub(crate) mod pubsub;
pub(crate) mod scripts;
pub(crate) mod slot;
