//! The services whose events go through queues.

use gateway_core::queue::partition_of;
use std::time::Duration;

/// A service and its queue.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) partitions: u16,
    pub(crate) delivery: Delivery,
}

/// How a service gets its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Over links, from this number of instances.
    Links(usize),
    /// As requests to this number of targets.
    Webhook(usize),
    /// It reads the streams itself, with one consumer for each partition.
    Streams,
}

/// Gets events over links.
pub(crate) static WORK: Service = Service { name: "work", partitions: 4, delivery: Delivery::Links(3) };
/// Gets events as requests.
pub(crate) static HOOK: Service = Service { name: "hook", partitions: 2, delivery: Delivery::Webhook(2) };
/// Reads its streams itself.
pub(crate) static LOG: Service = Service { name: "log", partitions: 2, delivery: Delivery::Streams };
/// Gets lifecycle events, over links.
pub(crate) static WATCH: Service = Service { name: "watch", partitions: 2, delivery: Delivery::Links(2) };

/// All services.
pub(crate) static SERVICES: [&Service; 4] = [&WORK, &HOOK, &LOG, &WATCH];

/// Number of partitions of ingest.
pub(crate) const INGEST_PARTITIONS: u16 = 2;
/// The longest time in which a consumer has to acknowledge an event.
pub(crate) const VISIBILITY: Duration = Duration::from_millis(1500);
/// Number of tries after which an event becomes a dead letter.
pub(crate) const TRIES: u32 = 10;
/// The key of the frontends' tokens.
pub(crate) const SECRET: &str = "a secret of the torture, for tokens only";
/// The prefix of all keys in Redis.
pub(crate) const PREFIX: &str = "switchboard";
/// Number of channels that ingest feeds.
pub(crate) const FED_CHANNELS: usize = 4;
/// The namespace of channels whose subscriptions the lifecycle service learns of.
pub(crate) const ROOMS: &str = "room";

impl Service {
    /// The partition of a key.
    pub(crate) fn partition_of(&self, key: &str) -> u16 {
        partition_of(key, self.partitions)
    }

    /// The hash tag of each partition.
    pub(crate) fn tags(&self) -> impl Iterator<Item = String> {
        (0..self.partitions).map(|partition| tag(self.name, partition))
    }
}

/// The hash tag of a partition of a service's queue.
pub(crate) fn tag(service: &str, partition: u16) -> String {
    format!("{service}/{partition}")
}

/// A key of a partition of a service's queue.
pub(crate) fn queue_key(tag: &str, what: &str) -> String {
    format!("{PREFIX}:queue:{{{tag}}}:{what}")
}

/// The hash tag of a partition of ingest.
pub(crate) fn ingest_tag(partition: u16) -> String {
    partition.to_string()
}

/// A key of a partition of ingest.
pub(crate) fn ingest_key(partition: u16, what: &str) -> String {
    format!("{PREFIX}:ingest:{{{}}}:{what}", ingest_tag(partition))
}
