//! What all subscriber connections share.

use crate::broker::redis::{
    channels::{audit::Audit, channel_index::ChannelIndex},
    commands::lane::Lane,
    schema::{counters::Counters, keys::Keys},
    servers::{health::Health, masters::Masters},
    subscriptions::subscriptions::Subscriptions,
};
use std::{sync::Arc, time::Duration};

/// Number of canary periods within which a silent connection is replaced: one pause before the canary, two periods for its return, and one
/// to subscribe again.
pub(crate) const CANARY_PERIODS: u32 = 4;

/// What all subscriber connections share.
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
    pub(crate) canary_interval: Duration,
    /// Longest time until Redis confirms a group of subscribe or unsubscribe commands.
    pub(crate) response_timeout: Duration,
}
