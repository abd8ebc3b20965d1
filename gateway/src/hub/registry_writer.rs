//! Who is connected here, entered where other nodes find it should this one die. Only where services want to hear of every connection's end.
//!
//! One task enters and strikes out, many at a time, so that a connection which comes and goes ends up struck out. Another one reminds connections of
//! what services have to hear and had no room for.

use super::{
    hub::Hub,
    keys::ConnKey,
    output::outbox::Notice,
    state::registry_queue::{STEP, Then},
};
use crate::{broker::BrokerError, telemetry::FailureLog};
use std::{rc::Rc, time::Duration};
use tokio::time::sleep;

/// Between two times that as many are reminded: services give credit anew meanwhile.
const BREATH: Duration = Duration::from_millis(50);

impl Hub {
    /// Has a connection that was identified entered, and told of it; false where nobody wants to know.
    pub fn register_connections(&self, key: ConnKey) -> bool {
        let is_enabled = self.registry_queue.is_enabled.get();
        if is_enabled {
            self.registry_queue.join(key, Then::Tell);
        }
        is_enabled
    }

    /// From now on all are entered; services know those that are here.
    pub(crate) fn register_all(&self) {
        self.registry_queue.is_enabled.set(true);
        self.register_each(Then::Nothing);
    }

    /// What was entered is a dead node's by now.
    pub(crate) fn register_all_again(&self) {
        if self.registry_queue.is_enabled.get() {
            self.register_each(Then::Tell);
        }
    }

    fn register_each(&self, then: Then) {
        for (index, entry) in self.state.borrow().connections.iter().filter(|(_, entry)| entry.info.is_some()) {
            self.registry_queue.join(ConnKey { index: index as u32, generation: entry.generation }, then);
        }
    }

    /// Has a connection reminded, a moment later, of what services have to hear of it and had no room for.
    pub fn remind(&self, key: ConnKey) {
        self.registry_queue.unreported.borrow_mut().insert(key);
        self.registry_queue.report_again.notify_one();
    }

    /// Enters, strikes out and reminds, for good.
    pub(crate) async fn write_registry(self: Rc<Self>) {
        futures_util::join!(self.add_and_remove(), self.remind_all());
    }

    async fn remind_all(&self) {
        loop {
            self.registry_queue.report_again.notified().await;
            // Who is put off once more comes behind all others.
            // Any order: all get the same reminder.
            let round: Vec<_> = self.registry_queue.unreported.take().into_iter().collect();
            for some in round.chunks(STEP) {
                sleep(BREATH).await;
                for key in some {
                    self.notify(*key, Notice::ReportAgain);
                }
            }
        }
    }

    fn notify(&self, key: ConnKey, notice: Notice) {
        let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
        outbox.inspect(|outbox| outbox.notify(notice));
    }

    async fn add_and_remove(&self) {
        // In memory there is nobody else who could read it.
        let Some(nodes) = self.parts.broker.nodes() else { return };
        loop {
            let to_add = self.registry_queue.next_to_add();
            let gone = self.registry_queue.next_to_remove();
            if to_add.is_empty() && gone.is_empty() {
                self.registry_queue.changed.notified().await;
                continue;
            }
            let mut these = Vec::with_capacity(to_add.len());
            {
                let (mut state, mut added) = (self.state.borrow_mut(), self.registry_queue.added.borrow_mut());
                for (key, _) in &to_add {
                    if let Some(entry) = state.entry(*key)
                        && let Some(info) = &entry.info
                    {
                        added.insert(entry.id);
                        these.push((entry.id, info.user.clone()));
                    }
                }
            }
            self.surely(|| nodes.register_connections(&these)).await;
            self.surely(|| nodes.unregister_connections(&gone)).await;
            for (key, _) in to_add.into_iter().filter(|(_, then)| *then == Then::Tell) {
                self.notify(key, Notice::RegisteredElsewhere);
            }
        }
    }

    /// As if all connections had been entered.
    #[cfg(test)]
    pub(crate) fn all_registered(&self) {
        let outboxes: Vec<_> = self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.notify(Notice::RegisteredElsewhere);
        }
    }

    async fn surely<F: Future<Output = Result<(), BrokerError>>>(&self, change: impl Fn() -> F) {
        let mut failures = FailureLog::default();
        while let Err(error) = change().await {
            failures.failed(|| tracing::warn!(%error, "the connection registry cannot be written yet; the worker tries until it can"));
            sleep(self.retry()).await;
        }
    }
}
