//! The story of a process's life: wire, listen, serve, drain, stop.
//!
//! - [`wiring`]: the settings become the parts of a node
//! - [`public`]: the listener for frontends, with the gate of its WebSockets; [`demo`]: the page that is served there on request
//! - [`internal`]: the listener for services and operators
//! - [`observe`]: what others count becomes metrics
//! - [`open_files`]: bounds of connections that fit the files which the process may open
//! - [`signals`]: what ends the process
//! - [`running`]: all of it, from the sockets to the last close

mod demo;
mod error;
mod internal;
mod observe;
mod open_files;
mod public;
mod running;
mod signals;
mod wiring;

pub use error::RunError;
pub(crate) use running::run;
pub use running::{Listeners, Running, start};
