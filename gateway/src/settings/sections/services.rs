//! The table of a service, without its routes.

use super::{DAY, HOUR, MINUTE, millis};
use crate::settings::{
    reader::section,
    types::choices::{Deliver, Events, Reach},
    types::value::{SecretList, SecretMap, UrlList},
};
use std::time::Duration;

section! {
    /// `[services.X]`: a backend that frontends may call.
    Service {
        /// How the gateway reaches the service.
        reach: Reach,
        /// URLs of the targets of a webhook.
        urls: UrlList,
        /// Secrets with which requests are signed.
        secrets: SecretList,
        /// Headers of every request. Their values are never shown.
        headers: SecretMap,
        /// PEM file with authorities for the certificates of the targets, besides those that this machine trusts. Empty: only the latter.
        ca_file: String,
        /// PEM file with the gateway's certificate. Empty: the gateway sends none.
        cert_file: String,
        /// PEM file with the key of the gateway's certificate.
        key_file: String,
        /// Limit of calls of one connection, or of one key, that wait for an earlier one.
        order_queue: usize = 1..=10_000,
        /// Number of timeouts and lost connections in a row after which an instance or target gets no calls.
        breaker_failures: u32 = 1..=1_000_000,
        /// How long it then gets no calls.
        breaker_pause: Duration = millis(10)..=10 * MINUTE,
        /// The lifecycle events that a webhook or a queue gets.
        lifecycle_events: Vec<String>,
        /// How events reach the service.
        events: Events,
        /// Who takes events out of its queue.
        deliver: Deliver,
        /// Number of partitions of its queue.
        partitions: u16 = 1..=256,
        /// Number of tries after which an event becomes a dead letter.
        tries: u32 = 1..=1000,
        /// Pause before the second try.
        retry_min: Duration = millis(10)..=HOUR,
        /// Longest pause between tries, whatever the service asks for.
        retry_max: Duration = millis(10)..=DAY,
        /// Time in which an instance has to acknowledge an event.
        visibility: Duration = millis(100)..=DAY,
    }
}
