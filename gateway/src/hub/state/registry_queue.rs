//! Connections that have to be entered into the connection registry, or removed from it.

use crate::hub::keys::ConnKey;
use gateway_core::model::ConnectionId;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
};
use tokio::sync::Notify;

/// Connections that are entered or struck out together.
pub(crate) const STEP: usize = 256;

/// Changes that wait: for each connection here one, and one for each that was here when the store was last heard of.
#[derive(Default)]
pub(crate) struct Roll {
    pub(crate) is_kept: Cell<bool>,
    /// To be entered, and what then.
    pub(crate) joining: RefCell<HashMap<ConnKey, Then, foldhash::quality::RandomState>>,
    /// Entered, or about to be.
    pub(crate) entered: RefCell<HashSet<ConnectionId, foldhash::quality::RandomState>>,
    /// To be struck out.
    pub(crate) gone: RefCell<Vec<ConnectionId>>,
    pub(crate) changed: Notify,
    /// To be reminded of what services have not heard.
    pub(crate) untold: RefCell<HashSet<ConnKey, foldhash::quality::RandomState>>,
    pub(crate) put_off: Notify,
}

/// What follows when a connection is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// It is told.
    Tell,
    Nothing,
}

impl Roll {
    pub(crate) fn join(&self, key: ConnKey, then: Then) {
        let mut joining = self.joining.borrow_mut();
        let waits = joining.entry(key).or_insert(then);
        if then == Then::Tell {
            *waits = then;
        }
        self.changed.notify_one();
    }

    /// The connection is here no more. One that was not entered need not be struck out.
    pub(crate) fn leave(&self, key: ConnKey, id: ConnectionId) {
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

    pub(crate) fn next_joining(&self) -> Vec<(ConnKey, Then)> {
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

    pub(crate) fn next_gone(&self) -> Vec<ConnectionId> {
        let mut gone = self.gone.borrow_mut();
        let rest = gone.len().saturating_sub(STEP);
        let some = gone.split_off(rest);
        if gone.is_empty() {
            gone.shrink_to(STEP);
        }
        some
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
