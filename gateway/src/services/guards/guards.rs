//! What all questions of a node share.

use super::{
    answer::ConnectTerms,
    config::{ConnectGuard, GuardConfig},
    counters::{GuardCounters, QuestionKind},
    memory::Memory,
};
use crate::telemetry::FailureLog;
use gateway_core::{
    model::{ChannelName, ServiceName, UserId, lock},
    session::SubscribePermit,
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::Semaphore;

/// Answers about subscriptions, by user and channel.
pub(super) type Subscribes = Memory<(UserId, ChannelName), SubscribePermit>;
/// Answers about connections, by the digest of the token.
pub(super) type Connects = Memory<[u8; 32], ConnectTerms>;

/// What all questions of a node share: limits, answers that are remembered, counters.
pub(in super::super) struct Guards {
    pub(super) timeout: Duration,
    /// Longest time for which an answer is remembered. Later nobody would know of a revocation that came after its question.
    pub(super) cache_max: Duration,
    pub(super) connect: Option<ConnectGuard>,
    /// Places for further questions to each service, which wait or are in flight.
    pub(super) places: BTreeMap<ServiceName, Semaphore>,
    subscribes: Mutex<Subscribes>,
    connects: Mutex<Connects>,
    failures: [Mutex<FailureLog>; QuestionKind::ALL.len()],
    pub(super) counters: GuardCounters,
}

impl Guards {
    /// Guards that may ask these services.
    pub(in super::super) fn new<'a>(config: GuardConfig, services: impl Iterator<Item = &'a ServiceName>) -> Self {
        Self {
            timeout: config.timeout,
            cache_max: config.revocation_ttl.saturating_sub(config.timeout),
            connect: config.connect,
            places: services.map(|name| (name.clone(), Semaphore::new(config.max_in_flight))).collect(),
            subscribes: Mutex::new(Memory::new(config.cache_entries)),
            connects: Mutex::new(Memory::new(config.cache_entries)),
            failures: Default::default(),
            counters: GuardCounters::default(),
        }
    }

    pub(super) fn subscribes(&self) -> MutexGuard<'_, Subscribes> {
        lock(&self.subscribes)
    }

    pub(super) fn connects(&self) -> MutexGuard<'_, Connects> {
        lock(&self.connects)
    }

    /// The last questions of a kind, for the log.
    pub(super) fn failures(&self, kind: QuestionKind) -> MutexGuard<'_, FailureLog> {
        lock(&self.failures[kind as usize])
    }

    pub(in super::super) fn evicted(&self) -> u64 {
        self.subscribes().evicted() + self.connects().evicted()
    }
}
