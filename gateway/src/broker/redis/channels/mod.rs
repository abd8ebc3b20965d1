//! Channels: their streams, their index, and the audit. Presence and connections are in `cluster_state`.
//!
//! - [`streams`]: publish and read; [`publish_answer`]: the answers to publishes
//! - [`audit`]: finds lost deliveries
//! - [`channel_index`]: names of channels; [`listing`]: lists of active channels; [`scan`]: all keys of all masters

pub(crate) mod audit;
pub(crate) mod channel_index;
pub(crate) mod listing;
mod publish_answer;
pub(crate) mod scan;
pub(crate) mod streams;
