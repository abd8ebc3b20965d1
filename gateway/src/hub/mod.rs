//! One worker's connections and subscriptions, and how publications reach them. Nothing here is shared between workers, and nothing here knows sockets.
//!
//! - [`hub`]: the hub itself; [`limits`]: what it works with
//! - [`state`]: tables and queues; [`output`]: what a connection has still to send
//! - [`subscribe`]: join, go live, leave; [`delivery`]: from the mailbox to the outboxes
//! - [`presence_updates`], [`registry_writer`]: what the broker learns of connections
//! - [`control`]: commands of services, questions, drain; [`revocation_check`]: commands that this node may have missed

mod control;
mod delivery;
mod hub;
mod keys;
mod limits;
mod output;
mod presence_updates;
mod registry_writer;
mod revocation_check;
mod state;
mod subscribe;

#[cfg(test)]
mod tests;

pub use hub::{Hub, Registered};
pub use keys::{ConnKey, SlotKey};
pub use limits::{HubLimits, HubParts};
pub use output::{
    batch::{Batch, Budget},
    encode::{frame, message},
    outbox::{Frame, Leave, Notice, Outbox, Overflow, Written},
};
pub use subscribe::{Advance, Live};
