//! The shared parts of all subscriber connections.

use crate::broker::redis::{
    channels::{audit::Audit, channel_index::ChannelIndex},
    commands::lane::Lane,
    schema::{counters::Counters, keys::Keys},
    servers::{health::Health, masters::Masters},
    subscriptions::subscriptions::Subscriptions,
};
use std::{sync::Arc, time::Duration};

/// After this number of canary periods a connection has delivered, or the gateway has replaced it: one pause, two periods for the return of the canary, one
/// to subscribe again.
pub(crate) const CANARY_PERIODS: u32 = 4;

/// The shared parts of all subscriber connections.
pub(crate) struct ListenerContext {
    pub(crate) masters: Arc<Masters>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) channel_index: Arc<ChannelIndex>,
    pub(crate) keys: Keys,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    /// The address of this node, for the names of its canaries.
    pub(crate) node: Arc<str>,
    /// Publishes the canaries.
    pub(crate) lane: Arc<Lane>,
    /// Time between two canaries.
    pub(crate) canary: Duration,
    /// Maximum time for the confirmation of a step.
    pub(crate) response_timeout: Duration,
}
