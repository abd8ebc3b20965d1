//! What the tasks that subscribe share.

use crate::broker::redis::{
    channels::{audit::Audit, channel_index::ChannelIndex},
    commands::lane::Lane,
    schema::{counters::Counters, keys::Keys},
    servers::{health::Health, masters::Masters},
    subscriptions::subscriptions::Subscriptions,
};
use std::{sync::Arc, time::Duration};

/// After so many pauses between canaries a connection has delivered, or was found not to: one pause, two for the canary's return, one for the
/// channels to be subscribed to anew.
pub(crate) const PROVEN: u32 = 4;

/// What each of these tasks uses.
pub(crate) struct ListenerContext {
    pub(crate) masters: Arc<Masters>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) audit: Arc<Audit>,
    pub(crate) names: Arc<ChannelIndex>,
    pub(crate) keys: Keys,
    pub(crate) health: Arc<Health>,
    pub(crate) counters: Arc<Counters>,
    /// The canary's name in the cluster, and its way to Redis.
    pub(crate) node: Arc<str>,
    pub(crate) lane: Arc<Lane>,
    /// Between canaries.
    pub(crate) canary: Duration,
    /// For an answer.
    pub(crate) patience: Duration,
}
