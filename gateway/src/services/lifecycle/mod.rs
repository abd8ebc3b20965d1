//! Lifecycle events: changes of connections and of channels, for the services that want them.
//!
//! - [`kinds`]: the kinds, and sets of them; [`event`]: one event

pub(super) mod event;
pub(super) mod kinds;
