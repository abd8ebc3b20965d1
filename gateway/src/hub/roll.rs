//! Who is connected here, entered where other nodes find it should this one die. Only where services want to hear of every connection's end.
//!
//! One task enters and strikes out, many at a time, so that a connection which comes and goes ends up struck out. Another one reminds connections of
//! what services have to hear and had no room for.

use super::{ConnKey, Hub, Notice};
use crate::broker::BrokerError;
use gateway_core::model::ConnectionId;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    rc::Rc,
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

/// Connections that are entered or struck out together.
const STEP: usize = 256;

/// Between two times that as many are reminded: services give credit anew meanwhile.
const BREATH: Duration = Duration::from_millis(50);

/// Changes that wait: for each connection here one, and one for each that was here when the store was last heard of.
#[derive(Default)]
pub(super) struct Roll {
    is_kept: Cell<bool>,
    /// To be entered, and what then.
    joining: RefCell<HashMap<ConnKey, Then, foldhash::quality::RandomState>>,
    /// Entered, or about to be.
    entered: RefCell<HashSet<ConnectionId, foldhash::quality::RandomState>>,
    /// To be struck out.
    gone: RefCell<Vec<ConnectionId>>,
    changed: Notify,
    /// To be reminded of what services have not heard.
    untold: RefCell<HashSet<ConnKey, foldhash::quality::RandomState>>,
    put_off: Notify,
}

/// What follows when a connection is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It is told.
    Tell,
    Nothing,
}

impl Roll {
    fn join(&self, key: ConnKey, then: Then) {
        let mut joining = self.joining.borrow_mut();
        let waits = joining.entry(key).or_insert(then);
        if then == Then::Tell {
            *waits = then;
        }
        self.changed.notify_one();
    }

    /// The connection is here no more. One that was not entered need not be struck out.
    pub(super) fn leave(&self, key: ConnKey, id: ConnectionId) {
        if !self.is_kept.get() {
            return;
        }
        self.joining.borrow_mut().remove(&key);
        self.untold.borrow_mut().remove(&key);
        if self.entered.borrow_mut().remove(&id) {
            self.gone.borrow_mut().push(id);
            self.changed.notify_one();
        }
    }

    fn next_joining(&self) -> Vec<(ConnKey, Then)> {
        let mut joining = self.joining.borrow_mut();
        let some: Vec<_> = joining.iter().take(STEP).map(|(key, then)| (*key, *then)).collect();
        for (key, _) in &some {
            joining.remove(key);
        }
        if joining.is_empty() {
            joining.shrink_to(STEP);
        }
        some
    }

    fn next_gone(&self) -> Vec<ConnectionId> {
        let mut gone = self.gone.borrow_mut();
        let rest = gone.len().saturating_sub(STEP);
        let some = gone.split_off(rest);
        if gone.is_empty() {
            gone.shrink_to(STEP);
        }
        some
    }
}

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
    pub(super) fn enroll_all(&self) {
        self.roll.is_kept.set(true);
        self.enroll_each(Then::Nothing);
    }

    /// What was entered is a dead node's by now.
    pub(super) fn enroll_again(&self) {
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
    pub(super) async fn keep_roll(self: Rc<Self>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn roll() -> Roll {
        let roll = Roll::default();
        roll.is_kept.set(true);
        roll
    }

    fn key(index: u32) -> ConnKey {
        ConnKey { index, generation: 1 }
    }

    #[test]
    fn who_comes_and_goes_before_it_is_entered_leaves_nothing_to_do() {
        let roll = roll();
        roll.join(key(1), Then::Tell);
        roll.leave(key(1), ConnectionId::random());
        assert_eq!((roll.next_joining(), roll.next_gone()), (Vec::new(), Vec::new()));
    }

    #[test]
    fn who_was_entered_is_struck_out_once_and_many_in_steps() {
        let (roll, ids) = (roll(), (0..=2 * STEP).map(|_| ConnectionId::random()).collect::<Vec<_>>());
        roll.entered.borrow_mut().extend(&ids);
        for id in ids.iter().chain(&ids) {
            roll.leave(key(1), *id);
        }
        let steps: Vec<_> = std::iter::from_fn(|| Some(roll.next_gone()).filter(|gone| !gone.is_empty())).collect();
        assert_eq!(steps.iter().map(Vec::len).collect::<Vec<_>>(), [STEP, STEP, 1]);
        assert_eq!(steps.concat().into_iter().collect::<HashSet<_>>(), ids.into_iter().collect());
    }

    #[test]
    fn who_waits_to_be_told_is_told_whatever_else_is_asked() {
        let roll = roll();
        for (index, then) in [(1, Then::Tell), (1, Then::Nothing), (2, Then::Nothing)] {
            roll.join(key(index), then);
        }
        let mut some = roll.next_joining();
        some.sort_by_key(|(key, _)| key.index);
        assert_eq!(some, [(key(1), Then::Tell), (key(2), Then::Nothing)]);
        assert_eq!(roll.next_joining(), []);
    }
}
