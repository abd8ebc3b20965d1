//! Bounds of one connection. `server/public` limits the number of connections.

use std::time::Duration;

/// Bounds of one connection.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Largest number of bytes that one turn reads.
    pub turn_bytes: usize,
    /// Largest number of messages that one turn reads, or of requests with commands of a stream. All commands of the last one are handled.
    pub turn_messages: usize,
    /// Turns of connections that are not connected yet in one round, at least 1.
    pub turn_connects: usize,
    /// Turns in one round of connections that sent more than one turn handles, or that had a large answer, at least 1.
    pub turn_continued: usize,
    /// Turns in one round of connections that end, at least 1.
    pub turn_ends: usize,
    /// Largest message, in bytes.
    pub message_size: u32,
    /// Largest message of a connection that is not connected yet, in bytes.
    pub connect_size: u32,
    /// Memory of all connections of a worker for incomplete messages and commands in operation, in bytes.
    pub work_bytes: usize,
    /// Longest time from the first to the last byte of a message.
    pub message_timeout: Duration,
    /// Longest time that a frame stays in the outbox.
    pub write_timeout: Duration,
    /// Longest time until the peer answers a close frame.
    pub close_timeout: Duration,
}
