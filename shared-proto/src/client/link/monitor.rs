//! Readiness and numbers of a link client, for health checks and metrics.

use super::context::Activity;
use super::counts::Counts;
use std::sync::Arc;
use tokio::sync::watch;

/// Readiness and numbers of a [`Link`](super::Link). It may outlive the `Link`.
#[derive(Debug, Clone)]
pub struct Monitor {
    pub(super) activity: watch::Receiver<Activity>,
    pub(super) counts: Arc<Counts>,
}

impl Monitor {
    /// Whether at least one node is linked.
    pub fn is_ready(&self) -> bool {
        self.links() > 0
    }

    /// Nodes that are linked now.
    pub fn links(&self) -> usize {
        self.activity.borrow().nodes.len()
    }

    /// Calls and events in flight now.
    pub fn running(&self) -> usize {
        self.activity.borrow().running
    }

    /// Counters since the start.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}
