//! The broker of a single node, in its own memory.

#![allow(clippy::unused_async, unused_variables, missing_docs)] // placeholder

use super::*;

/// Bounds of the memory broker.
#[derive(Clone, Debug)]
pub struct MemoryLimits {
    /// How long idempotency keys are remembered.
    pub idempotency_ttl: Duration,
    /// How many of them per node.
    pub idempotency_keys: usize,
    /// Bytes of all histories together.
    pub history_bytes: usize,
    /// How long epoch and offset of an idle channel are remembered after its last publication expired.
    pub meta_ttl: Duration,
}

/// The broker of a single node.
pub struct MemoryBroker;

impl MemoryBroker {
    pub fn new(workers: Vec<Arc<Mailbox>>, limits: MemoryLimits) -> Self {
        Self
    }
    pub async fn publish(&self, channel: &ChannelName, publication: NewPublication) -> Result<Published, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn announce(&self, channel: &ChannelName, announcement: Announcement) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn subscribe(&self, channel: &ChannelName, worker: WorkerId) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub fn unsubscribe(&self, channel: &ChannelName, worker: WorkerId) {}
    pub async fn read(&self, channel: &ChannelName, retention: Retention, span: Span, limit: PageLimit) -> Result<Page, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn presence_remove(&self, channel: &ChannelName, connection: ConnectionId) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn presence(&self, channel: &ChannelName, limit: usize) -> Result<Vec<Arc<ClientInfo>>, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn presence_stats(&self, channel: &ChannelName) -> Result<PresenceStats, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn put_user_subscription(&self, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn delete_user_subscription(&self, user: &UserId, channel: &ChannelName) -> Result<bool, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub async fn user_subscriptions(&self, user: &UserId) -> Result<Vec<UserSubscription>, BrokerError> {
        Err(BrokerError::OutcomeUnknown)
    }
    pub fn readiness(&self) -> Readiness {
        Readiness::Ready
    }
    pub async fn run(&self, stop: tokio_util::sync::CancellationToken) {
        stop.cancelled().await;
    }
}
