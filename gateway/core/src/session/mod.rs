//! The state machine of one connection. It takes inputs (commands, results of operations, time) and returns actions. Code that does I/O, or that
//! concerns several connections, is elsewhere.
//!
//! | module | what |
//! |---|---|
//! | `input`, `action` | what a session takes and what it wants done |
//! | `op` | the operations that a session starts, and their outcomes |
//! | `config` | the settings that all sessions share |
//! | `machine`, `phases` | [`Session`]: its phases, and which code handles an input |
//! | `connect` | from the connect command to its reply: authentication, server-side subscriptions |
//! | `open` | a connected session: which command runs when, and which code gets an outcome |
//! | `subscribe` | client-side subscriptions |
//! | `server_commands` | commands of services and of the node |
//! | `request` | publish, presence, history, calls, events |
//! | `refresh` | new tokens for the connection and for subscriptions |
//! | `subscriptions` | the subscriptions of a connection and their states |
//! | `command_queue` | operations in flight and waiting commands |
//! | `context` | what the handling of one input needs |
//! | `close_reason`, `expiry`, `pings` | parts of the above |
//!
//! A session answers each command that has an id exactly once, unless the connection closes. Commands on different channels may be answered out
//! of order. Commands on one channel are answered in order, with one exception: a subscribe or unsubscribe ends an earlier subscribe that is
//! still under way.

mod action;
mod close_reason;
mod command_queue;
mod config;
mod connect;
mod context;
mod expiry;
mod input;
mod machine;
mod op;
mod open;
mod phases;
mod pings;
mod refresh;
mod request;
mod server_commands;
mod subscribe;
mod subscriptions;
#[cfg(test)]
mod tests;

pub use action::Action;
pub use config::SessionConfig;
pub use input::Input;
pub use machine::Session;
pub use op::{Attach, Attached, Identity, Op, OpId, Outcome, ServerSubscription};
