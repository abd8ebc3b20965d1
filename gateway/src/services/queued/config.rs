//! The configuration of the queues of services.

use crate::settings::{self, RoutedService, Settings};
use std::time::Duration;

/// Time that the answer of a webhook may be late at the owner, after `call_timeout`.
const LATE: Duration = Duration::from_secs(5);

/// Who takes events out of the queue of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deliver {
    /// The gateways, over the links or the webhook of the service.
    ByReach,
    /// A program of the service, which reads the streams in Redis.
    Stream,
}

/// The configuration of the queue of one service.
#[derive(Clone, Debug)]
pub struct QueueConfig {
    /// Who takes the events out.
    pub deliver: Deliver,
    /// Number of partitions, 1 to 256.
    pub partitions: u16,
    /// Number of tries, at least 1.
    pub tries: u32,
    /// Pause before the second try.
    pub retry_min: Duration,
    /// Longest pause between tries.
    pub retry_max: Duration,
    /// Time in which a delivery has to be acknowledged.
    pub visibility: Duration,
}

impl QueueConfig {
    /// The queue of a service. None if it has none.
    pub fn new(RoutedService { service, route, .. }: &RoutedService) -> Option<Self> {
        let deliver = match service.deliver {
            _ if service.events == settings::Events::Direct => return None,
            settings::Deliver::Reach => Deliver::ByReach,
            settings::Deliver::Stream => Deliver::Stream,
        };
        let visibility = if service.reach == settings::Reach::Webhook { route.call_timeout + LATE } else { service.visibility };
        let settings::Service { partitions, tries, retry_min, retry_max, .. } = *service;
        Some(Self { deliver, partitions, tries, retry_min, retry_max, visibility })
    }
}

impl Default for QueueConfig {
    fn default() -> Self {
        Self {
            deliver: Deliver::ByReach,
            partitions: 4,
            tries: 10,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_mins(5),
            visibility: Duration::from_secs(30),
        }
    }
}

/// What the queues of all services have in common.
#[derive(Clone, Debug)]
pub struct QueueLimits {
    /// The name of this node.
    pub node: Box<str>,
    /// Number of entries that the owner of a partition reads ahead.
    pub window: usize,
    /// Limit of the bytes of these entries.
    pub window_bytes: usize,
    /// Number of entries behind the failed entry of their key whose ids the owner of a partition keeps.
    pub blocked_ids: usize,
    /// Limit of the bytes of one entry.
    pub entry_bytes: usize,
    /// How long the idempotency key of a call without a reply is remembered.
    pub once_ttl: Duration,
}

impl QueueLimits {
    /// The limits of the settings.
    pub fn new(settings: &Settings) -> Self {
        Self {
            node: settings.node.name.as_str().into(),
            window: settings.queues.window,
            window_bytes: settings.queues.window_bytes.bytes(),
            blocked_ids: settings.queues.blocked_ids,
            // Each event fits into a frame of a link, with the members that its delivery adds. In an entry it has a few names of fields more.
            entry_bytes: settings.link.message_size.bytes() + shared_proto::link::FRAME_OVERHEAD,
            once_ttl: settings.idempotency.ttl,
        }
    }
}
