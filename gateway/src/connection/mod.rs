//! Connects one session to one transport, and performs the session's actions. `gateway_core::session` decides on the actions.
//!
//! - [`connection`]: the task with its socket; [`driver`]: the task without its socket; [`worker_context`], [`limits`]: its dependencies and bounds
//! - [`opening`]: an event stream before its request is answered
//! - [`apply`]: performs the session's actions; [`dialect`]: the protocol of the connection
//! - [`operations`]: asynchronous operations for a session
//! - [`lifecycle`]: lifecycle events for services
//! - [`closing`], [`close_cause`]: how a connection closes

mod apply;
mod close_cause;
mod closing;
#[expect(clippy::module_inception, reason = "the folder is about connections, the file about one")]
mod connection;
mod dialect;
mod driver;
mod lifecycle;
mod limits;
mod opening;
mod operations;
#[cfg(feature = "testing")]
mod simulated;
#[cfg(test)]
mod tests;
mod worker_context;

pub use connection::Connection;
pub use dialect::ChosenProtocol;
pub use driver::Handshake;
pub use limits::ConnectionLimits;
pub use opening::Opening;
#[cfg(feature = "testing")]
pub(crate) use simulated::{SocketlessConnection, limits};
pub use worker_context::WorkerContext;
