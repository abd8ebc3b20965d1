//! How a session ends.

use std::time::Duration;

/// Time limit for the close handshake of a link.
pub(in crate::client::link) const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// How a session ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::client::link) enum SessionEnd {
    /// The service closed the link.
    Closed,
    /// This node is linked already, through another address.
    AlreadyLinked(String),
    /// The network or the node closed the link, or a frame could not be decoded.
    Lost { welcomed: bool },
}
