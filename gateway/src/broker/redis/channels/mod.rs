//! Channels: their streams, their names, and whether this node has what the streams hold. Who is connected where is in `cluster_state`.
//!
//! - [`streams`]: publish and read; [`audit`]: looks for what did not arrive
//! - [`channel_index`]: channels by name; [`listing`]: those that are active; [`scan`]: all keys of all masters

pub(crate) mod audit;
pub(crate) mod channel_index;
pub(crate) mod listing;
pub(crate) mod scan;
pub(crate) mod streams;
