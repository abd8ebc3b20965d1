//! Configuration of services and of their links.

use super::{
    instances::breaker::BreakerLimits,
    lifecycle::{kinds::Interests, queue::LifecycleLimits},
    webhook::config::WebhookConfig,
};
use std::{sync::Arc, time::Duration};

/// The way in which the gateway reaches a service.
#[derive(Clone, Debug)]
pub enum Reach {
    /// Over the links that its instances keep open to the nodes.
    Link,
    /// By HTTP requests.
    Webhook(Arc<WebhookConfig>),
}

/// Which calls of a service run one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OrderBy {
    /// The calls of one connection.
    #[default]
    Connection,
    /// None: all calls run concurrently.
    Nothing,
}

/// Configuration of one service.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// How it is reached.
    pub reach: Reach,
    /// See [`OrderBy`].
    pub order: OrderBy,
    /// Maximum number of calls of one connection that wait for an earlier call.
    pub order_queue: usize,
    /// Time limit for an answer.
    pub call_timeout: Duration,
    /// Limit of calls in flight at this node.
    pub max_in_flight: usize,
    /// Limit of instances with links to this node.
    pub instances: usize,
    /// Limits of the circuit breaker.
    pub breaker: BreakerLimits,
    /// The lifecycle events that a webhook gets. Instances with links say so themselves.
    pub lifecycle_events: Interests,
    /// Limits of lifecycle events.
    pub lifecycle: LifecycleLimits,
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
            lifecycle_events: Interests::default(),
            lifecycle: LifecycleLimits::default(),
        }
    }
}

/// Limits of a link.
#[derive(Clone, Copy, Debug)]
pub struct LinkLimits {
    /// Largest message, in bytes.
    pub message_size: usize,
    /// Largest reply to a call, in bytes.
    pub reply_size: usize,
    /// Maximum number of unacknowledged publications, at least 1.
    pub publishes_in_flight: u32,
    /// Time without a frame after which the node sends a ping. After twice that time it closes the link.
    pub heartbeat: Duration,
    /// Time limit for the first frame.
    pub hello_timeout: Duration,
    /// Maximum number of frames that wait to be written, at least 1.
    pub queue: usize,
    /// Time limit for writing the last frames of a link that is closing.
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
