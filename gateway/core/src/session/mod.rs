//! One connection's state machine. Sans-I/O: commands, outcomes and time in, actions out.
//!
//! ```text
//!             connect               all attached
//! Awaiting ------------> Connecting ------------> Open
//!     | no connect in time   | refused              | bad frame, expiry, no pong, disconnect ...
//!     v                      v                      v
//!   Closed <-------------- Refused               Closed
//! ```
//!
//! | module | what |
//! |---|---|
//! | `machine` | [`Session`]: the phases, and which of them takes an input |
//! | `connect` | from the connect command to its answer: authentication, server-side subscriptions |
//! | `open` | a connected session: which command runs when, and where outcomes go |
//! | `subscribe` | subscriptions that the frontend asks for |
//! | `serve` | what services and the node do to the connection |
//! | `request` | publish, presence, history, calls, events |
//! | `refresh` | tokens that are renewed, and what happens to those that are not |
//! | `subscriptions`, `work`, `pulse`, `expiry`, `turn` | the parts: subscriptions, operations in flight, pings, lifetimes, the answer under way |
//!
//! Every command that has an id is answered exactly once, unless the connection closes. Commands on different channels may be answered out
//! of order. Those on one channel keep theirs, except that a subscribe or unsubscribe ends a subscribe that is still under way.

mod connect;
mod expiry;
mod machine;
mod op;
mod open;
mod pulse;
mod refresh;
mod request;
mod rules;
mod serve;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;
mod turn;
mod work;

use crate::{
    model::{ChannelName, ClientInfo, Revocation, ServerCommand},
    protocol::{Command, Push, Reply},
};
use std::sync::Arc;

pub use machine::Session;
pub use op::{Attach, Attached, Identity, Op, OpId, Outcome, ServerSubscription};
pub use rules::Rules;

/// What happens to a session.
#[derive(Debug)]
pub enum Input {
    /// From the frontend.
    Command(Command),
    /// From a service or the node.
    Server(ServerCommand),
    /// An operation ended.
    Done(OpId, Outcome),
    /// A service had disconnected the user for good, and the connection may not have heard of it.
    Revoked(Arc<Revocation>),
    /// The subscription's stream was lost in part while it was live, or could not be caught up: its subscribers must be told.
    Lost(ChannelName),
    /// The deadline passed, perhaps.
    Tick,
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub enum Action {
    /// Answer the command with this id.
    Reply(u32, Reply),
    /// Send this.
    Push(Push),
    /// Begin an operation; its end comes back as [`Input::Done`].
    Start(OpId, Op),
    /// Its outcome is no longer wanted.
    Cancel(OpId),
    /// The answer is out: hand over what was held back since the attach, then deliver live.
    GoLive(ChannelName),
    /// Take the connection out of the channel (attaching, attached or live), with presence and leave. Nothing to do where it is not in it,
    /// as after an attach that failed.
    Leave(ChannelName),
    /// The connection has a user now: register it (user, connection info), before anything that follows is begun.
    Identify(Arc<ClientInfo>),
    /// Close with this code and reason. Nothing follows: what is in flight is cancelled and what is joined is left with the connection.
    Close(u16, Box<str>),
}
