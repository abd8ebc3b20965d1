//! The hub: one worker's table of connections and subscriptions, and the delivery of publications to them.
//!
//! Workers share nothing of this module. Sockets belong to `connection`, not here.
//!
//! - [`hub`]: the hub itself; [`limits`]: its dependencies and bounds
//! - [`state`]: tables and queues; [`output`]: the outgoing bytes of a connection
//! - [`subscribe`]: join, go live, leave; [`delivery`]: from the mailbox to the outboxes
//! - [`posted_commands`]: sessions whose commands come in requests of their own
//! - [`recovery_memory`]: what is kept for clients that return soon
//! - [`presence_updates`], [`registry_writer`]: changes that the hub writes to the broker
//! - [`control`]: commands of services, queries, drain; [`revocation_check`]: revocations that this node may have missed

mod control;
mod delivery;
mod hub;
mod keys;
mod limits;
mod output;
mod posted_commands;
mod presence_updates;
mod recovery_memory;
mod registry_writer;
mod revocation_check;
mod state;
mod subscribe;

#[cfg(test)]
mod tests;

pub use hub::{Hub, Registration};
pub use keys::{ChannelKey, ConnKey};
pub use limits::{HubLimits, HubParts, RecoveryMemoryLimits};
pub use output::{
    batch::{Batch, Budget},
    encode::Protocol,
    outbox::{Drain, Frame, Notice, Outbox, Overflow, Written},
};
pub use posted_commands::PostedSession;
pub use state::subscription_registry::RegisteredEnd;
pub use subscribe::{CatchUpStep, Left, LiveStatus, NewSubscription};
