//! The state that all tasks of a [`Link`](super::Link) share.

use super::config::Config;
use super::counts::Counts;
use crate::client::transport::Connector;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::watch;

/// The phases of the shutdown, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// No new calls; publishing continues.
    Draining,
    Closed,
}

/// What the links are doing now.
#[derive(Debug, Default)]
pub(super) struct Activity {
    /// Names of the linked nodes. A node has one link, even if it has several addresses.
    pub(super) nodes: BTreeSet<String>,
    /// Links whose node has not confirmed the drain, so that a call may still arrive.
    pub(super) undrained: usize,
    /// Calls and events in flight.
    pub(super) running: usize,
}

/// What all tasks of a [`Link`](super::Link) share.
#[derive(Debug)]
pub(super) struct Context<S> {
    pub(super) config: Config,
    pub(super) connector: Connector,
    pub(super) service: S,
    pub(super) counts: Arc<Counts>,
    pub(super) activity: watch::Sender<Activity>,
    pub(super) phase: watch::Receiver<Phase>,
}
