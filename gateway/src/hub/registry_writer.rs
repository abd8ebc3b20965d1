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
use crate::broker::BrokerError;
use std::{rc::Rc, time::Duration};
use tokio::time::sleep;

/// Between two times that as many are reminded: services give credit anew meanwhile.
const BREATH: Duration = Duration::from_millis(50);

impl Hub {
    /// Has a connection that was identified entered, and told of it; false where nobody wants to know.
    pub fn enroll(&self, key: ConnKey) -> bool {
        let is_kept = self.roll.is_kept.get();
        if is_kept {
            self.roll.join(key, Then::Tell);
        }
        is_kept
    }

    /// From now on all are entered; services know those that are here.
    pub(crate) fn enroll_all(&self) {
        self.roll.is_kept.set(true);
        self.enroll_each(Then::Nothing);
    }

    /// What was entered is a dead node's by now.
    pub(crate) fn enroll_again(&self) {
        if self.roll.is_kept.get() {
            self.enroll_each(Then::Tell);
        }
    }

    fn enroll_each(&self, then: Then) {
        for (index, entry) in self.state.borrow().connections.iter().filter(|(_, entry)| entry.info.is_some()) {
            self.roll.join(ConnKey { index: index as u32, generation: entry.generation }, then);
        }
    }

    /// Has a connection reminded, a moment later, of what services have to hear of it and had no room for.
    pub fn remind(&self, key: ConnKey) {
        self.roll.untold.borrow_mut().insert(key);
        self.roll.put_off.notify_one();
    }

    /// Enters, strikes out and reminds, for good.
    pub(crate) async fn keep_roll(self: Rc<Self>) {
        futures_util::join!(self.enter_all(), self.remind_all());
    }

    async fn remind_all(&self) {
        loop {
            self.roll.put_off.notified().await;
            // Who is put off once more comes behind all others.
            let round: Vec<_> = self.roll.untold.take().into_iter().collect();
            for some in round.chunks(STEP) {
                sleep(BREATH).await;
                for key in some {
                    self.notify(*key, Notice::Untold);
                }
            }
        }
    }

    fn notify(&self, key: ConnKey, notice: Notice) {
        let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
        outbox.inspect(|outbox| outbox.notify(notice));
    }

    async fn enter_all(&self) {
        // In memory there is nobody else who could read it.
        let Some(nodes) = self.parts.broker.nodes() else { return };
        loop {
            let joining = self.roll.next_joining();
            let gone = self.roll.next_gone();
            if joining.is_empty() && gone.is_empty() {
                self.roll.changed.notified().await;
                continue;
            }
            let mut these = Vec::with_capacity(joining.len());
            {
                let (mut state, mut entered) = (self.state.borrow_mut(), self.roll.entered.borrow_mut());
                for (key, _) in &joining {
                    if let Some(entry) = state.entry(*key)
                        && let Some(info) = &entry.info
                    {
                        entered.insert(entry.id);
                        these.push((entry.id, info.user.clone()));
                    }
                }
            }
            self.surely(|| nodes.enroll(&these)).await;
            self.surely(|| nodes.strike(&gone)).await;
            for (key, _) in joining.into_iter().filter(|(_, then)| *then == Then::Tell) {
                self.notify(key, Notice::Enrolled);
            }
        }
    }

    /// As if all connections had been entered.
    #[cfg(test)]
    pub(crate) fn all_enrolled(&self) {
        let outboxes: Vec<_> = self.state.borrow().connections.iter().map(|(_, entry)| entry.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.notify(Notice::Enrolled);
        }
    }

    async fn surely<F: Future<Output = Result<(), BrokerError>>>(&self, change: impl Fn() -> F) {
        while let Err(error) = change().await {
            tracing::warn!(%error, "who is connected here cannot be told to other nodes yet");
            sleep(self.retry()).await;
        }
    }
}
