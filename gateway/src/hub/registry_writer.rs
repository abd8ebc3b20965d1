//! Writes this worker's connections to the connection registry, from which other nodes report the end of a dead node's connections.
//! The registry is in use only where a service subscribes to such events.
//!
//! One task adds and removes connections in groups, in this order. A connection that opens and closes is therefore absent at the end.
//! Another task wakes connections whose lifecycle events found no credit at a service.

use super::{
    hub::Hub,
    keys::ConnKey,
    output::outbox::Notice,
    state::registry_queue::{AfterRegistration, CHUNK},
};
use crate::{broker::BrokerError, telemetry::FailureLog};
use std::{rc::Rc, time::Duration};
use tokio::time::sleep;

/// Pause between two groups of reminders. Services grant new credit in this time.
const REMINDER_PAUSE: Duration = Duration::from_millis(50);

impl Hub {
    /// Queues an identified connection for the registry. The connection receives [`Notice::Registered`] once it is in. Returns false if the registry
    /// is not in use.
    pub fn register_connections(&self, key: ConnKey) -> bool {
        let is_enabled = self.registry_queue.is_enabled.get();
        if is_enabled {
            self.registry_queue.join(key, AfterRegistration::Notify);
        }
        is_enabled
    }

    /// Starts to use the registry, and queues all present connections for it. The present connections have already reported `connected`, so
    /// they get no [`Notice::Registered`].
    pub(crate) fn register_all(&self) {
        self.registry_queue.is_enabled.set(true);
        self.register_each(AfterRegistration::Nothing);
    }

    /// Registers all connections again, because the cluster has taken this node for dead and treats the old entries as those of a dead node.
    pub(crate) fn reregister_all(&self) {
        if self.registry_queue.is_enabled.get() {
            self.register_each(AfterRegistration::Notify);
        }
    }

    fn register_each(&self, after: AfterRegistration) {
        for (index, entry) in self.state.borrow().connections.iter().filter(|(_, entry)| entry.info.is_some()) {
            self.registry_queue.join(ConnKey { index: index as u32, generation: entry.generation }, after);
        }
    }

    /// Sends [`Notice::ReportPending`] to the connection a moment later.
    pub fn report_later(&self, key: ConnKey) {
        self.registry_queue.unreported.borrow_mut().insert(key);
        self.registry_queue.reports_due.notify_one();
    }

    /// Adds, removes and sends reminders. Never returns.
    pub(crate) async fn write_registry(self: Rc<Self>) {
        futures_util::join!(self.add_and_remove(), self.send_report_reminders());
    }

    async fn send_report_reminders(&self) {
        loop {
            self.registry_queue.reports_due.notified().await;
            // A connection that has to wait once more is in the next round.
            // Any order: all get the same reminder.
            let round: Vec<_> = self.registry_queue.unreported.take().into_iter().collect();
            for group in round.chunks(CHUNK) {
                sleep(REMINDER_PAUSE).await;
                for key in group {
                    self.notify(*key, Notice::ReportPending);
                }
            }
        }
    }

    fn notify(&self, key: ConnKey, notice: Notice) {
        let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
        outbox.inspect(|outbox| outbox.notify(notice));
    }

    async fn add_and_remove(&self) {
        // The memory broker has no other nodes, and so no registry.
        let Some(nodes) = self.parts.broker.nodes() else { return };
        loop {
            let to_add = self.registry_queue.next_to_add();
            let to_remove = self.registry_queue.next_to_remove();
            if to_add.is_empty() && to_remove.is_empty() {
                self.registry_queue.changed.notified().await;
                continue;
            }
            let mut ids = Vec::with_capacity(to_add.len());
            {
                let (mut state, mut added) = (self.state.borrow_mut(), self.registry_queue.added.borrow_mut());
                for (key, _) in &to_add {
                    if let Some(entry) = state.entry(*key)
                        && let Some(info) = &entry.info
                    {
                        added.insert(entry.id);
                        ids.push((entry.id, info.user.clone()));
                    }
                }
            }
            self.with_retry(|| nodes.register_connections(&ids)).await;
            self.with_retry(|| nodes.unregister_connections(&to_remove)).await;
            for (key, _) in to_add.into_iter().filter(|(_, after)| *after == AfterRegistration::Notify) {
                self.notify(key, Notice::Registered);
            }
        }
    }

    /// Notifies all connections as if they were in the registry.
    #[cfg(test)]
    pub(crate) fn all_registered(&self) {
        let outboxes: Vec<_> = self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.notify(Notice::Registered);
        }
    }

    async fn with_retry<F: Future<Output = Result<(), BrokerError>>>(&self, change: impl Fn() -> F) {
        let mut failures = FailureLog::default();
        while let Err(error) = change().await {
            failures.failed(|| tracing::warn!(%error, "cannot write the connection registry; the worker retries until it succeeds"));
            sleep(self.retry()).await;
        }
    }
}
