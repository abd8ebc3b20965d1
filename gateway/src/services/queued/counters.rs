//! Counters of the queue of one service.

use crate::broker::BrokerError;
use gateway_core::queue::Enqueued;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What became of an event for a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventResult {
    /// It is stored.
    Stored,
    /// It is a repeat of an event that is stored.
    Repeated,
    /// The frontend may not send it, or not so, or not so many.
    Refused,
    /// Its idempotency key belongs to another event.
    OtherData,
    /// The queue is full.
    Full,
    /// The store is not available.
    Unavailable,
    /// The store did not confirm it, or had not confirmed it when the connection closed.
    Unknown,
}

impl EventResult {
    /// All results.
    pub const ALL: [Self; 7] = [Self::Stored, Self::Repeated, Self::Refused, Self::OtherData, Self::Full, Self::Unavailable, Self::Unknown];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Repeated => "repeated",
            Self::Refused => "refused",
            Self::OtherData => "other_data",
            Self::Full => "queue_full",
            Self::Unavailable => "unavailable",
            Self::Unknown => "outcome_unknown",
        }
    }

    /// What the store answered.
    pub(super) fn of(enqueued: &Result<Enqueued, BrokerError>) -> Self {
        match enqueued {
            Ok(Enqueued::Stored(_)) => Self::Stored,
            Ok(Enqueued::Repeated(_)) => Self::Repeated,
            Err(BrokerError::QueueFull { .. } | BrokerError::LimitExceeded(_)) => Self::Full,
            Err(BrokerError::IdempotencyMismatch) => Self::OtherData,
            Err(BrokerError::Unavailable(_)) => Self::Unavailable,
            Err(
                BrokerError::OutcomeUnknown
                | BrokerError::IdempotencyInProgress
                | BrokerError::SequenceGap { .. }
                | BrokerError::ProducerFenced { .. }
                | BrokerError::IngestPassed
                | BrokerError::IngestEarly
                | BrokerError::IngestStale { .. },
            ) => Self::Unknown,
        }
    }
}

/// Counters of the queue of one service at this node.
#[derive(Debug, Default)]
pub struct QueueCounters {
    events: [AtomicU64; EventResult::ALL.len()],
    /// See [`Self::unknown_ends`].
    unknown_ends: AtomicU64,
}

impl QueueCounters {
    /// Number of events with this result.
    pub fn events(&self, result: EventResult) -> u64 {
        self.events[result as usize].load(Relaxed)
    }

    /// Number of frames `done` and `failed` with an id that is not in the hands of their link.
    pub fn unknown_ends(&self) -> u64 {
        self.unknown_ends.load(Relaxed)
    }

    /// Begins to store an event.
    pub(super) fn begin(&self) -> OpenEvent<'_> {
        OpenEvent { counters: self, result: EventResult::Unknown }
    }

    pub(super) fn count(&self, result: EventResult) {
        self.events[result as usize].fetch_add(1, Relaxed);
    }

    pub(in crate::services) fn count_unknown_end(&self) {
        self.unknown_ends.fetch_add(1, Relaxed);
    }
}

/// An event that the store has not answered yet. Without an answer its result is unknown.
#[derive(Debug)]
pub(super) struct OpenEvent<'a> {
    counters: &'a QueueCounters,
    result: EventResult,
}

impl OpenEvent<'_> {
    pub(super) fn end(mut self, result: EventResult) {
        self.result = result;
    }
}

impl Drop for OpenEvent<'_> {
    fn drop(&mut self) {
        self.counters.count(self.result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_without_an_answer_counts_as_unknown() {
        let counters = QueueCounters::default();
        counters.begin().end(EventResult::Stored);
        drop(counters.begin());
        assert_eq!((counters.events(EventResult::Stored), counters.events(EventResult::Unknown)), (1, 1));
    }
}
