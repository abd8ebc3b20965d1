//! Revoked users.

use crate::broker::BrokerError;
use gateway_core::model::{Revocation, UserId};
use std::collections::{BTreeSet, HashMap};

/// Revocations by user, limited in number. Times are seconds since 1970.
#[derive(Debug)]
pub(super) struct Revocations {
    bound: usize,
    /// The revocation of each user, and when it expires.
    users: HashMap<UserId, (Revocation, u64), foldhash::fast::RandomState>,
    ends: BTreeSet<(u64, UserId)>,
}

impl Revocations {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, users: HashMap::default(), ends: BTreeSet::new() }
    }

    /// Stores a revocation until `ends`. It replaces an earlier revocation of the user, but never shortens it.
    pub(super) fn put(&mut self, user: &UserId, mut revocation: Revocation, ends: u64, now: u64) -> Result<(), BrokerError> {
        self.sweep(now);
        if let Some((earlier, before)) = self.users.remove(user) {
            revocation.until = revocation.until.max(earlier.until);
            self.ends.remove(&(before, user.clone()));
        } else if self.users.len() >= self.bound {
            return Err(BrokerError::LimitExceeded(
                "this node has the maximum number of revoked users: raise tokens.max_revoked_users, or lower tokens.revocation_ttl",
            ));
        }
        self.users.insert(user.clone(), (revocation, ends));
        self.ends.insert((ends, user.clone()));
        Ok(())
    }

    pub(super) fn get(&mut self, user: &UserId, now: u64) -> Option<Revocation> {
        self.sweep(now);
        self.users.get(user).map(|(revocation, _)| revocation.clone())
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
    fn revocations_are_bounded_and_expire() {
        let user = |name: &str| name.parse::<UserId>().expect("valid");
        let until = |until| Revocation { until, code: 3503, reason: "".into() };
        let mut all = Revocations::new(2);
        for (name, at) in [("alice", 10), ("alice", 11), ("bob", 12)] {
            all.put(&user(name), until(at), at + 100, at).expect("room");
        }
        assert!(matches!(all.put(&user("carol"), until(13), 113, 13), Err(BrokerError::LimitExceeded(_))));
        assert_eq!((all.get(&user("alice"), 110), all.get(&user("carol"), 110)), (Some(until(11)), None));
        assert_eq!(all.get(&user("alice"), 111), None);
        all.put(&user("carol"), until(111), 211, 111).expect("alice has made room");
        assert_eq!((all.get(&user("bob"), 200), all.ends.len()), (None, 1));
    }
}
