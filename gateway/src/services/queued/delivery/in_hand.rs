//! A delivery of a queue in the hands of this node.

use crate::queues::{Delivery, DeliveryGuard};
use gateway_core::queue::owner::{Report, Ticket};
use std::time::Duration;
use tokio::{runtime::Handle, sync::mpsc, time::Instant};
use tokio_util::{sync::CancellationToken, task::task_tracker::TaskTrackerToken};

/// What the deliveries of one partition have in common.
#[derive(Clone)]
pub(in crate::services::queued) struct Reporter {
    pub(in crate::services::queued) reports: mpsc::Sender<(Ticket, Report)>,
    pub(in crate::services::queued) guard: DeliveryGuard,
    /// Cancelled when the node stops. What its links lose then is no fault of the service.
    pub(in crate::services::queued) stopping: CancellationToken,
    /// Where reports wait that the owner has no place for.
    pub(in crate::services::queued) runtime: Handle,
}

impl Reporter {
    fn send(&self, ticket: Ticket, report: Report) {
        if let Err(mpsc::error::TrySendError::Full(report)) = self.reports.try_send((ticket, report)) {
            let reports = self.reports.clone();
            // At most one for each delivery in hand. The owner may end first.
            self.runtime.spawn(async move { drop(reports.send(report).await) });
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Unwritten,
    /// Some of it may be written.
    Written,
    /// The owner knows its end.
    Ended,
}

/// A delivery in the hands of this node. However it ends, also by its drop, its owner learns of it once.
pub(crate) struct InHand {
    reporter: Reporter,
    ticket: Ticket,
    expires: Option<Instant>,
    stage: Stage,
    since: Instant,
    /// The node waits for its end when it stops.
    _open: TaskTrackerToken,
}

impl InHand {
    pub(super) fn new(reporter: Reporter, delivery: &Delivery, open: TaskTrackerToken) -> Self {
        let (ticket, expires) = (delivery.ticket, delivery.expires);
        Self { reporter, ticket, expires, stage: Stage::Unwritten, since: Instant::now(), _open: open }
    }

    // NL-8.5
    /// Whether it may be written now: this node still owns the partition, and the event has not expired.
    pub(crate) fn may_be_written(&self) -> bool {
        self.reporter.guard.allows(self.ticket) && self.expires.is_none_or(|expires| Instant::now() < expires)
    }

    /// From now on some of it may have been written.
    pub(crate) fn begin_writing(&mut self) {
        self.stage = Stage::Written;
    }

    /// All of it is written.
    pub(crate) fn written(&self) {
        self.reporter.send(self.ticket, Report::Sent);
    }

    /// The service acknowledged it.
    pub(crate) fn done(self) {
        self.end(Report::Done);
    }

    /// The service did not process it, for this reason.
    pub(crate) fn failed(self, temporary: bool, retry_after: Option<Duration>, detail: impl Into<Box<str>>) {
        self.end(Report::Failed { temporary, retry_after, detail: detail.into() });
    }

    /// It was surely not taken, although an attempt began.
    pub(super) fn not_sent(self) {
        self.end(Report::NotSent);
    }

    /// The owner does not wait for it any more, unless it is not written yet.
    pub(crate) fn forget(mut self) {
        if self.is_written() {
            self.stage = Stage::Ended;
        }
    }

    /// Whether the instance may have it.
    pub(crate) fn is_written(&self) -> bool {
        self.stage == Stage::Written
    }

    /// How long it has been in the hands of this node.
    pub(crate) fn age(&self) -> Duration {
        self.since.elapsed()
    }

    fn end(mut self, report: Report) {
        self.stage = Stage::Ended;
        self.reporter.send(self.ticket, report);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        // NL-8.7
        let report = match self.stage {
            Stage::Ended => return,
            Stage::Unwritten => Report::NotSent,
            Stage::Written if self.reporter.stopping.is_cancelled() => Report::NotSent,
            Stage::Written => Report::Lost,
        };
        self.reporter.send(self.ticket, report);
    }
}
