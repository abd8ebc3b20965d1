//! Whose tokens were revoked.

use crate::{broker::BrokerError, model::UserId};
use std::collections::{BTreeSet, HashMap};

/// Revocations by user, bounded in number. Times are seconds since 1970.
#[derive(Debug)]
pub(super) struct Revocations {
    bound: usize,
    /// Until when tokens are no good, and when that may be forgotten.
    users: HashMap<UserId, (u64, u64), foldhash::fast::RandomState>,
    ends: BTreeSet<(u64, UserId)>,
}

impl Revocations {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, users: HashMap::default(), ends: BTreeSet::new() }
    }

    /// Remembers one until `ends`, in place of an earlier one of the user.
    pub(super) fn put(&mut self, user: &UserId, at: u64, ends: u64, now: u64) -> Result<(), BrokerError> {
        self.sweep(now);
        if let Some((_, before)) = self.users.remove(user) {
            self.ends.remove(&(before, user.clone()));
        } else if self.users.len() >= self.bound {
            return Err(BrokerError::LimitExceeded(
                "this node remembers as many revoked users as it may: raise tokens.revocations, or lower tokens.revocation_ttl",
            ));
        }
        self.users.insert(user.clone(), (at, ends));
        self.ends.insert((ends, user.clone()));
        Ok(())
    }

    pub(super) fn get(&mut self, user: &UserId, now: u64) -> Option<u64> {
        self.sweep(now);
        self.users.get(user).map(|(at, _)| *at)
    }

    fn sweep(&mut self, now: u64) {
        while self.ends.first().is_some_and(|(ends, _)| *ends <= now) {
            if let Some((_, user)) = self.ends.pop_first() {
                self.users.remove(&user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_bounded_and_forgotten_in_time() {
        let user = |name: &str| name.parse::<UserId>().expect("valid");
        let mut all = Revocations::new(2);
        for (name, at) in [("alice", 10), ("alice", 11), ("bob", 12)] {
            all.put(&user(name), at, at + 100, at).expect("room");
        }
        assert!(matches!(all.put(&user("carol"), 13, 113, 13), Err(BrokerError::LimitExceeded(_))));
        assert_eq!((all.get(&user("alice"), 110), all.get(&user("carol"), 110)), (Some(11), None));
        assert_eq!(all.get(&user("alice"), 111), None);
        all.put(&user("carol"), 111, 211, 111).expect("alice has made room");
        assert_eq!((all.get(&user("bob"), 200), all.ends.len()), (None, 1));
    }
}
