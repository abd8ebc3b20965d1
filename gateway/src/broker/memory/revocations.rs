//! Revoked tokens.

use crate::broker::BrokerError;
use gateway_core::model::{Revocation, RevocationTarget};
use std::collections::{BTreeSet, HashMap};

/// Revocations by what is revoked, limited in number. Times are seconds since 1970.
#[derive(Debug)]
pub(super) struct Revocations {
    bound: usize,
    /// Each revocation, and when it expires.
    all: HashMap<RevocationTarget, (Revocation, u64), foldhash::fast::RandomState>,
    ends: BTreeSet<(u64, RevocationTarget)>,
}

impl Revocations {
    pub(super) fn new(bound: usize) -> Self {
        Self { bound, all: HashMap::default(), ends: BTreeSet::new() }
    }

    /// Stores a revocation until `ends`. It replaces an earlier revocation of the same tokens, but never shortens it.
    pub(super) fn put(&mut self, target: &RevocationTarget, mut revocation: Revocation, ends: u64, now: u64) -> Result<(), BrokerError> {
        self.sweep(now);
        if let Some((earlier, before)) = self.all.remove(target) {
            revocation.until = revocation.until.max(earlier.until);
            self.ends.remove(&(before, target.clone()));
        } else if self.all.len() >= self.bound {
            return Err(BrokerError::LimitExceeded(
                "this node has the maximum number of revocations: raise tokens.max_revoked_users, or lower tokens.revocation_ttl",
            ));
        }
        self.all.insert(target.clone(), (revocation, ends));
        self.ends.insert((ends, target.clone()));
        Ok(())
    }

    pub(super) fn get(&mut self, target: &RevocationTarget, now: u64) -> Option<Revocation> {
        self.sweep(now);
        self.all.get(target).map(|(revocation, _)| revocation.clone())
    }

    fn sweep(&mut self, now: u64) {
        while self.ends.first().is_some_and(|(ends, _)| *ends <= now) {
            if let Some((_, target)) = self.ends.pop_first() {
                self.all.remove(&target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revocations_are_bounded_and_expire() {
        let user = |name: &str| RevocationTarget::User(name.parse().expect("valid"));
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
