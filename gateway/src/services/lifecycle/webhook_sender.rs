//! Sends the lifecycle events of one service that is reached by HTTP: in batches and one batch after the other, so that they arrive in order.

use super::{
    super::{
        call_types::{CallError, Choice},
        counters::Count,
        instances::instance::AbandonReason,
        webhook::{request::Outbound, webhook::Webhook},
    },
    event::Lifecycle,
    outlet::Outlet,
    pauses::Pauses,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout_at};

/// Pause after the first attempt that failed. Each further pause is twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    /// The service has it.
    Taken,
    /// The service refused it for good.
    Refused,
    /// It has to be sent again.
    Failed,
}

impl Webhook {
    /// Sends the events of `outlet` until the node stops.
    pub(crate) fn send_events(self: &Arc<Self>, outlet: Arc<Outlet>) {
        let webhook = Arc::clone(self);
        self.spawn(async move {
            tokio::select! {
                biased;
                () = webhook.send_batches(&outlet) => {}
                () = webhook.node_end.over() => {}
            }
            let lost = outlet.queue().len();
            webhook.counters.add_many(Count::LifecycleStopped, lost as u64);
        });
    }

    /// Sends batches until the node stops and no event is left.
    async fn send_batches(&self, outlet: &Outlet) {
        let mut pauses = Pauses::new(FIRST_PAUSE..=LONGEST_PAUSE);
        while let Some(batch) = self.next_batch(outlet).await {
            self.send_batch(outlet, &batch, &mut pauses).await;
        }
    }

    /// The next batch, once it is due. `None` if the node stops and no event waits.
    async fn next_batch(&self, outlet: &Outlet) -> Option<Vec<Lifecycle>> {
        loop {
            // The lock must not be held while this waits.
            let due = outlet.queue().batch_due();
            match due.map(|due| due.since(self.now())) {
                None if self.is_stopping() => return None,
                Some(left) if left.is_zero() || self.is_stopping() => return Some(outlet.queue().batch()),
                left => tokio::select! {
                    () = sleep(left.unwrap_or(Duration::MAX)) => {}
                    () = outlet.arrived() => {}
                    () = self.node_stops() => {}
                },
            }
        }
    }

    /// Sends a batch until the service has it, or refuses it, or some of its events have waited too long.
    async fn send_batch(&self, outlet: &Outlet, batch: &[Lifecycle], pauses: &mut Pauses) {
        let outbound = Outbound::events(batch);
        loop {
            let count = match self.attempt_batch(&outbound).await {
                Attempt::Taken => Count::LifecycleSent,
                Attempt::Refused => Count::LifecycleRefused,
                Attempt::Failed => {
                    let expired = outlet.queue().remove_expired(self.now()).len();
                    self.counters.add_many(Count::LifecycleExpired, expired as u64);
                    pauses.pause().await;
                    if expired > 0 {
                        return;
                    }
                    continue;
                }
            };
            pauses.reset();
            let done = outlet.queue().remove(batch.len());
            return self.counters.add_many(count, done.len() as u64);
        }
    }

    async fn attempt_batch(&self, outbound: &Outbound) -> Attempt {
        let Ok((request, target)) = self.targets().begin(Choice::LessBusy, self.now()) else { return Attempt::Failed };
        let deadline = Instant::now() + self.config.call_timeout;
        let Ok(verdict) = timeout_at(deadline, self.deliver(request, target, outbound, deadline)).await else {
            self.targets().abandon(request, AbandonReason::Deadline, self.now());
            return Attempt::Failed;
        };
        match verdict.result {
            _ if verdict.is_success => Attempt::Taken,
            Err(CallError::Service { temporary: false, code, message }) => {
                tracing::warn!(service = %self.service, code, message, "the service refused lifecycle events; they are dropped");
                Attempt::Refused
            }
            _ => Attempt::Failed,
        }
    }
}
