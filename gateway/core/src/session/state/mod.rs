//! The state that a session keeps: subscriptions, operations and commands, pings, expiries, renewals. Nothing here emits actions.

pub(super) mod command_queue;
pub(super) mod expiry;
pub(super) mod pings;
pub(super) mod renewal;
pub(super) mod server_channels;
pub(super) mod subscriptions;
