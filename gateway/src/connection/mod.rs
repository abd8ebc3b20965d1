//! Connects one session to one transport and carries out what the session wants. What a session wants is decided in `gateway_core::session`.
//!
//! - [`connection`]: the task with its socket; [`driver`]: the task without it; [`worker`], [`limits`]: what it works with
//! - [`apply`]: the session's actions
//! - [`operations`]: what a session cannot do by itself; [`attach`]: joins a channel and catches up
//! - [`lifecycle_reporter`], [`lifecycle_state`]: what services learn of a connection
//! - [`closing`], [`close_cause`]: how a connection closes

mod apply;
mod attach;
mod close_cause;
mod closing;
#[expect(clippy::module_inception, reason = "the folder is about connections, the file about one")]
mod connection;
mod driver;
mod lifecycle_reporter;
mod lifecycle_state;
mod limits;
mod operations;
#[cfg(feature = "testing")]
mod simulated;
#[cfg(test)]
mod tests;
mod worker;

pub use connection::Connection;
pub use limits::ConnectionLimits;
#[cfg(feature = "testing")]
pub(crate) use simulated::{SocketlessConnection, limits};
pub use worker::Worker;
