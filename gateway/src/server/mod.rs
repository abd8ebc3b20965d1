//! The life of a gateway process: wire, listen, serve, drain, stop.
//!
//! - [`wiring`]: builds the parts of a node from the settings
//! - [`rates`]: the limits of the settings
//! - [`public`]: the listener for frontends
//! - [`internal`]: the listener for services and operators
//! - [`follow`]: follows files that change; [`tls`]: the certificates of the listeners; [`keys`]: the API keys
//! - [`observe`], [`observe_queues`]: expose counters of other modules as metrics
//! - [`open_files`]: fits the connection limits to the limit of open files
//! - [`signals`]: waits for the signals that end the process
//! - [`running`]: starts the listeners, drains and stops the node

mod error;
mod follow;
mod internal;
mod keys;
mod observe;
mod observe_queues;
mod open_files;
mod public;
mod rates;
mod running;
mod signals;
mod tls;
mod wiring;

pub use error::RunError;
pub(crate) use running::run;
pub use running::{Listeners, Running, start};
pub(crate) use tls::check as check_tls;
pub use tls::probe_tls;
