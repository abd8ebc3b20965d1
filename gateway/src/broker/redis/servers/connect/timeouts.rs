//! Time bounds.

use std::time::Duration;

/// Time bounds of connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// For a connection to be made.
    pub(crate) connect: Duration,
    /// For an answer, from when the command was sent.
    pub(crate) response: Duration,
}
