//! The memory of a worker for what its clients have begun: incomplete messages, and commands whose operations are in flight.
//!
//! Each connection has bounds of its own, but many connections together could use much memory with half of a message each. When the budget is
//! spent, the connection that uses most of it is closed.

use crate::hub::ConnKey;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

/// Connections that use less are counted and not listed, so that commands of usual size cost no search.
const LISTED: usize = 4096;

/// The budget of one worker.
#[derive(Debug)]
pub(in crate::connection) struct WorkBudget {
    limit: usize,
    used: Cell<usize>,
    /// The connections that use much, the largest last.
    listed: RefCell<BTreeSet<(usize, ConnKey)>>,
    /// The connections that were chosen and have not ended yet, with what they use.
    chosen: RefCell<BTreeMap<ConnKey, usize>>,
    /// The sum of [`Self::chosen`]. A flood makes thousands of them, so no change adds them up.
    chosen_bytes: Cell<usize>,
}

impl WorkBudget {
    pub(in crate::connection) fn new(limit: usize) -> Self {
        let (used, listed, chosen, chosen_bytes) = Default::default();
        Self { limit, used, listed, chosen, chosen_bytes }
    }

    /// A connection that used `before` uses `now`. If the budget is spent, returns the connection that has to be closed.
    pub(in crate::connection) fn change(&self, key: ConnKey, before: usize, now: usize) -> Option<ConnKey> {
        self.used.set((self.used.get() + now).saturating_sub(before));
        let (mut listed, mut chosen) = (self.listed.borrow_mut(), self.chosen.borrow_mut());
        if let Some(bytes) = chosen.get_mut(&key) {
            self.chosen_bytes.set(self.chosen_bytes.get() - *bytes + now);
            *bytes = now;
            if now == 0 {
                chosen.remove(&key);
            }
        } else {
            if before >= LISTED {
                listed.remove(&(before, key));
            }
            if now >= LISTED {
                listed.insert((now, key));
            }
        }
        if self.used.get() <= self.limit || self.used.get().saturating_sub(self.chosen_bytes.get()) <= self.limit {
            return None;
        }
        // If none uses much, they are many, and this one made it too much.
        let (bytes, victim) = listed.pop_last().unwrap_or((now, key));
        self.chosen_bytes.set(self.chosen_bytes.get() + bytes);
        chosen.insert(victim, bytes);
        Some(victim)
    }

    /// Bytes that all connections use.
    #[cfg(test)]
    pub(in crate::connection) fn used(&self) -> usize {
        self.used.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keys() -> Vec<ConnKey> {
        (0..8).map(ConnKey::for_tests).collect()
    }

    #[test]
    fn the_largest_goes_and_is_chosen_once() {
        let (budget, keys) = (WorkBudget::new(100_000), keys());
        assert_eq!(budget.change(keys[0], 0, 60_000), None);
        assert_eq!(budget.change(keys[1], 0, 30_000), None);
        assert_eq!(budget.change(keys[2], 0, 20_000), Some(keys[0]));
        assert_eq!(budget.change(keys[3], 0, 10_000), None, "the chosen one will end");
        assert_eq!(budget.change(keys[0], 60_000, 70_000), None);
        assert_eq!(budget.change(keys[3], 10_000, 60_000), Some(keys[3]));
        assert_eq!(budget.change(keys[0], 70_000, 0), None);
        assert_eq!(budget.change(keys[3], 60_000, 0), None);
        assert_eq!(budget.used(), 50_000);
    }

    #[test]
    fn many_small_ones_end_at_the_last() {
        let (budget, keys) = (WorkBudget::new(10_000), keys());
        let chosen: Vec<_> = keys.iter().map(|key| budget.change(*key, 0, 3_000)).collect();
        assert_eq!(chosen[..3], [None; 3]);
        assert_eq!(chosen[3..], keys[3..].iter().copied().map(Some).collect::<Vec<_>>()[..]);
    }

    proptest! {
        #[test]
        fn what_is_not_chosen_stays_within_the_budget_and_nothing_is_left(
            changes in proptest::collection::vec((0..8usize, prop_oneof![Just(0usize), 0..5_000usize, 0..50_000usize]), 1..200),
        ) {
            let (budget, keys, mut bytes) = (WorkBudget::new(60_000), keys(), [0usize; 8]);
            let mut chosen = BTreeSet::new();
            for (at, now) in changes {
                if let Some(victim) = budget.change(keys[at], bytes[at], now) {
                    prop_assert!(chosen.insert(victim), "chosen twice");
                }
                bytes[at] = now;
                if now == 0 {
                    chosen.remove(&keys[at]);
                }
                let others: usize = (0..8).filter(|at| !chosen.contains(&keys[*at])).map(|at| bytes[at]).sum();
                prop_assert!(others <= 60_000, "{others}");
                prop_assert_eq!(budget.used(), bytes.iter().sum::<usize>());
            }
            for at in 0..8 {
                budget.change(keys[at], bytes[at], 0);
            }
            prop_assert!(budget.used() == 0 && budget.listed.borrow().is_empty() && budget.chosen.borrow().is_empty());
            prop_assert_eq!(budget.chosen_bytes.get(), 0);
        }
    }
}
