//! Lifecycle events: changes of connections and of channels, for the services that want them.
//!
//! - [`kinds`]: the kinds, and sets of them; [`event`]: one event; [`receipt`]: when the registry may forget it
//! - [`queue`]: the events that wait for a service; [`outlet`]: their way to it; [`webhook_sender`]: the same over HTTP

pub(super) mod event;
pub(super) mod kinds;
pub(super) mod outlet;
pub(super) mod queue;
pub(super) mod receipt;
mod webhook_sender;
