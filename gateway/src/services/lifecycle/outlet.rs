//! The way of lifecycle events to one service. An event that the service does not take now waits in a bounded queue.

use super::{
    super::{
        counters::{Count, Counters},
        instances::{
            instance::{CreditUse, Offered},
            links::Links,
        },
    },
    event::Lifecycle,
    kinds::Interests,
    queue::{Fate, LifecycleLimits, LifecycleQueue},
};
use gateway_core::model::{Tick, lock};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::sync::Notify;

#[cfg(test)]
mod tests;

/// See the module.
pub(in crate::services) struct Outlet {
    queue: Mutex<LifecycleQueue>,
    /// Signals that an event waits.
    arrived: Notify,
    /// Signals that an instance granted credit.
    granted: Notify,
    counters: Arc<Counters>,
}

impl Outlet {
    pub(in crate::services) fn new(limits: LifecycleLimits, counters: Arc<Counters>) -> Self {
        Self { queue: Mutex::new(LifecycleQueue::new(limits)), arrived: Notify::new(), granted: Notify::new(), counters }
    }

    /// Offers an event to the instances of the service. `None` if no instance has ever wanted its kind.
    pub(in crate::services) fn offer_to(&self, links: &Links, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Option<Offered> {
        let queue = self.queue();
        let mut pool = links.lock();
        if !pool.interests().contains(Interests::only(event.kind())) {
            return None;
        }
        // A waiting event may have the same subject, and their order stays.
        let offered = if queue.is_empty() { pool.offer(event, credit_use) } else { Offered::NoCredit };
        Some(match (offered, credit_use) {
            (Offered::Sent, _) => {
                self.counters.add(Count::LifecycleSent);
                Offered::Sent
            }
            (refused, CreditUse::AboveReserve) => refused,
            (_, CreditUse::All) => self.push(queue, event, credit_use, now),
        })
    }

    /// Puts an event into the queue. `credit_use` tells whether the event can be offered again later.
    pub(in crate::services) fn enqueue(&self, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Offered {
        self.push(self.queue(), event, credit_use, now)
    }

    fn push(&self, mut queue: MutexGuard<'_, LifecycleQueue>, event: &Lifecycle, credit_use: CreditUse, now: Tick) -> Offered {
        if !queue.has_room(credit_use == CreditUse::AboveReserve) {
            return Offered::QueueFull;
        }
        queue.push(event.clone(), now);
        self.arrived.notify_one();
        Offered::Waiting
    }

    /// Puts events back that a link did not write before its end.
    pub(in crate::services) fn put_back(&self, events: Vec<Lifecycle>, now: Tick) {
        if !events.is_empty() {
            self.queue().put_back(events, now);
            self.arrived.notify_one();
        }
    }

    /// Sends waiting events as far as the instances have credit, and drops those that waited too long. Returns whether none is left.
    pub(in crate::services) fn flush(&self, links: &Links, now: Tick) -> bool {
        let mut queue = self.queue();
        let mut pool = links.lock();
        let mut sent = 0;
        queue.visit(|event| {
            // With thousands of waiting events and no credit, the choice of an instance for each would delay the calls.
            if !pool.has_credit(CreditUse::AboveReserve) || pool.offer(event, CreditUse::AboveReserve) != Offered::Sent {
                return Fate::Wait;
            }
            sent += 1;
            Fate::Leave
        });
        self.counters.add_many(Count::LifecycleSent, sent);
        for expired in queue.remove_expired(now) {
            let has_instance = pool.interested(&expired).is_some();
            self.counters.add(if has_instance { Count::LifecycleNoCredit } else { Count::LifecycleNoInstance });
        }
        queue.is_empty()
    }

    /// Tells that an instance granted credit.
    pub(in crate::services) fn credit_granted(&self) {
        self.granted.notify_one();
    }

    /// Waits until an instance has granted credit since the last call.
    pub(in crate::services) async fn granted(&self) {
        self.granted.notified().await;
    }

    /// Waits until an event has arrived since the last call.
    pub(in crate::services) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    pub(in crate::services) fn queue(&self) -> MutexGuard<'_, LifecycleQueue> {
        lock(&self.queue)
    }
}
