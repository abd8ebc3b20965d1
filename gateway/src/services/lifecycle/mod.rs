//! Lifecycle events: changes of connections and of channels, for the services that want them.
//!
//! - [`kinds`]: the kinds, and sets of them; [`event`]: one event; [`receipt`]: when the registry may forget it
//! - [`takers`]: which services have an event that others have not taken yet
//! - [`queue`]: the events that wait for a service; [`outlet`]: their way to it; [`webhook_sender`]: the same over HTTP; [`pauses`]: pauses
//!   between attempts

pub(super) mod event;
pub(super) mod kinds;
pub(super) mod outlet;
pub(super) mod pauses;
pub(super) mod queue;
pub(super) mod receipt;
pub(super) mod takers;
mod webhook_sender;
