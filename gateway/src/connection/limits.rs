//! Bounds of connections.

use std::time::Duration;

/// Bounds of what a connection may take.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Bytes read in one turn.
    pub turn_bytes: usize,
    /// Messages taken in one turn.
    pub turn_messages: usize,
    /// For a message to be complete, from its first byte.
    pub message_timeout: Duration,
    /// For a queued byte to be written.
    pub write_timeout: Duration,
    /// For the peer to answer a close.
    pub close_timeout: Duration,
    /// For a subscription to be established.
    pub attach_timeout: Duration,
}
