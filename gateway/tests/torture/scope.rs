//! What a run consists of.

use clap::ValueEnum;

/// What a run consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// Publishers and subscribers.
    Publications,
    /// Events for services, ingest and its subscribers, lifecycle events.
    Queues,
    /// Both.
    All,
}

impl Workload {
    pub(crate) fn has_publications(self) -> bool {
        self != Self::Queues
    }

    pub(crate) fn has_queues(self) -> bool {
        self != Self::Publications
    }
}
