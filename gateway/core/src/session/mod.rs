//! The state machine of one connection. It takes inputs (commands, results of operations, time) and returns actions. Code that does I/O, or that
//! concerns several connections, is elsewhere.
//!
//! | module | what |
//! |---|---|
//! | `machine`, `phases` | [`Session`]: its phases, and which code handles an input |
//! | `open` | a connected session: commands, tokens, and what services do to it |
//! | `connect` | from the connect command to its reply: authentication, server-side subscriptions |
//! | `state` | the parts of a session's state: subscriptions, operations and commands, pings, expiries |
//! | `metering` | what inputs cost, and what follows if a connection exceeds its limits |
//! | `context`, `close_reason` | what the handling of one input needs, and the error that ends a session |
//! | `interface` | what a session takes and returns: settings, inputs, actions, operations |
//!
//! A session answers each command that has an id exactly once, unless the connection closes. Commands on different channels may be answered out
//! of order. Commands on one channel are answered in order, with one exception: a subscribe or unsubscribe ends an earlier subscribe that is
//! still under way.

mod close_reason;
mod connect;
mod context;
mod interface;
mod machine;
mod metering;
mod open;
mod phases;
mod state;
#[cfg(test)]
mod tests;

pub use interface::{
    Action, Attach, Attached, ConnectPermit, ConnectQuestion, Identity, Input, NamedBy, Occasion, Op, OpId, Outcome, PingForm, ServerSide,
    ServerSubscription, SessionConfig, SessionStart, SubscribePermit,
};
pub use machine::Session;
