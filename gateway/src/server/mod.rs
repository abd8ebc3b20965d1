//! The life of a gateway process: wire, listen, serve, drain, stop.
//!
//! - [`wiring`]: builds the parts of a node from the settings
//! - [`public`]: the listener for frontends
//! - [`internal`]: the listener for services and operators
//! - [`observe`]: exposes counters of other modules as metrics
//! - [`open_files`]: fits the connection limits to the limit of open files
//! - [`signals`]: waits for the signals that end the process
//! - [`running`]: starts the listeners, drains and stops the node

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
