//! The configuration of services and of their links.

use super::breaker::BreakerLimits;
use std::time::Duration;

/// How a service is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its instances hold links to the nodes.
    Link,
}

/// Which calls of a service come one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// Those of one connection.
    #[default]
    Connection,
    /// None: they run side by side.
    Nothing,
}

/// One service of the settings.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// How it is reached.
    pub reach: Reach,
    /// See [`OrderBy`].
    pub order: OrderBy,
    /// Calls that may wait for their turn, per order key.
    pub order_queue: usize,
    /// Time for an answer, at most.
    pub call_timeout: Duration,
    /// Calls under way at this node, at most.
    pub max_in_flight: usize,
    /// Instances that may hold links to this node.
    pub instances: usize,
    /// When an instance is left alone.
    pub breaker: BreakerLimits,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            reach: Reach::Link,
            order: OrderBy::default(),
            order_queue: 32,
            call_timeout: Duration::from_secs(10),
            max_in_flight: 10_000,
            instances: 64,
            breaker: BreakerLimits::default(),
        }
    }
}

/// What this node accepts on a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Bytes of a message at most.
    pub message_size: usize,
    /// Bytes of the reply to a call at most.
    pub reply_size: usize,
    /// Publications that may be unacknowledged, at least 1.
    pub publishes_in_flight: u32,
    /// Silence after which the node pings, and after two of which it closes the link.
    pub heartbeat: Duration,
    /// Time for the first frame.
    pub hello_timeout: Duration,
    /// Frames that may wait to be written, at least 1.
    pub queue: usize,
    /// Time for the last frames of a link that is closed.
    pub close_timeout: Duration,
}

impl Default for LinkLimits {
    fn default() -> Self {
        Self {
            message_size: 256 << 10,
            reply_size: 64 << 10,
            publishes_in_flight: 256,
            heartbeat: Duration::from_secs(10),
            hello_timeout: Duration::from_secs(5),
            queue: 1024,
            close_timeout: Duration::from_secs(1),
        }
    }
}
