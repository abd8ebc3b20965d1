//! Calls that may be repeated.

use crate::broker::{Attempt, BrokerError, CallKey, CallState};
use bytes::Bytes;
use gateway_core::model::Tick;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Duration,
};

/// What an entry takes besides its answer, in bytes.
const OVERHEAD: usize = 256;

type Name = [u8; 32];

/// The calls with a key that run or have an answer. Limited in time, number and size: the oldest answers are deleted first.
#[derive(Debug)]
pub(super) struct Calls {
    ttl: Duration,
    bound: usize,
    bytes_bound: usize,
    all: HashMap<Name, Call, foldhash::fast::RandomState>,
    /// When the leases of those that run end.
    leases: BTreeSet<(Tick, Name)>,
    /// Those that are done, in the order of their ends, which is also the order of expiry.
    done: VecDeque<Name>,
    /// Size of `done`.
    bytes: usize,
    evicted: u64,
}

#[derive(Debug)]
struct Call {
    body: [u8; 32],
    attempt: Attempt,
    /// End of the lease, or of the life of the answer.
    until: Tick,
    answer: Option<Bytes>,
}

impl Calls {
    /// Keeps answers for the time `ttl`: at most `bound` calls, and at most `bytes_bound` bytes of answers.
    pub(super) fn new(ttl: Duration, bound: usize, bytes_bound: usize) -> Self {
        let (all, leases, done) = (HashMap::default(), BTreeSet::new(), VecDeque::new());
        Self { ttl, bound, bytes_bound, all, leases, done, bytes: 0, evicted: 0 }
    }

    pub(super) fn begin(&mut self, key: &CallKey, attempt: Attempt, now: Tick) -> Result<CallState, BrokerError> {
        self.sweep(now);
        if let Some(known) = self.all.get(&key.name) {
            return Ok(match &known.answer {
                _ if known.body != key.body => CallState::OtherBody,
                Some(answer) => CallState::Done(answer.clone()),
                None => CallState::Running,
            });
        }
        if self.all.len() >= self.bound && !self.evict_oldest() {
            return Err(BrokerError::LimitExceeded(
                "this node has the maximum number of calls with a key in progress: try again, or raise idempotency.max_answers",
            ));
        }
        let until = now.after(attempt.lease);
        self.leases.insert((until, key.name));
        self.all.insert(key.name, Call { body: key.body, attempt, until, answer: None });
        Ok(CallState::First)
    }

    /// Keeps the answer, unless another attempt has taken over.
    pub(super) fn finish(&mut self, key: &CallKey, attempt: Attempt, answer: Bytes, now: Tick) {
        if self.all.get(&key.name).is_some_and(|known| known.attempt != attempt || known.answer.is_some()) {
            return;
        }
        self.end_lease(&key.name);
        self.bytes += answer.len() + OVERHEAD;
        self.done.push_back(key.name);
        self.all.insert(key.name, Call { body: key.body, attempt, until: now.after(self.ttl), answer: Some(answer) });
        while (self.bytes > self.bytes_bound || self.all.len() > self.bound) && self.evict_oldest() {}
    }

    /// Forgets the call, unless it is done or another attempt has taken over.
    pub(super) fn release(&mut self, key: &CallKey, attempt: Attempt) {
        if self.all.get(&key.name).is_some_and(|known| known.attempt == attempt && known.answer.is_none()) {
            self.end_lease(&key.name);
        }
    }

    /// Removes what has expired.
    pub(super) fn sweep(&mut self, now: Tick) {
        while self.leases.first().is_some_and(|(until, _)| *until <= now) {
            let first = self.leases.pop_first();
            first.map(|(_, name)| self.all.remove(&name));
        }
        while self.done.front().and_then(|name| self.all.get(name)).is_some_and(|call| call.until <= now) {
            self.forget_oldest();
        }
    }

    /// Number of answers, their size, and number of answers that were deleted before their expiry.
    pub(super) fn stats(&self) -> (usize, usize, u64) {
        (self.done.len(), self.bytes, self.evicted)
    }

    fn end_lease(&mut self, name: &Name) {
        if let Some(call) = self.all.remove(name) {
            self.leases.remove(&(call.until, *name));
        }
    }

    /// Deletes the oldest answer. Returns false if there is none.
    fn evict_oldest(&mut self) -> bool {
        let evicts = self.forget_oldest();
        self.evicted += u64::from(evicts);
        evicts
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.done.pop_front().and_then(|name| self.all.remove(&name));
        self.bytes -= oldest.as_ref().and_then(|call| call.answer.as_ref()).map_or(0, |answer| answer.len() + OVERHEAD);
        oldest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn key(name: u8) -> CallKey {
        CallKey { name: [name; 32], body: [0; 32] }
    }

    /// A call that is done at once.
    fn carry_out(calls: &mut Calls, name: u8, size: usize, now: Tick) {
        let attempt = Attempt::new(LEASE);
        assert_eq!(calls.begin(&key(name), attempt, now), Ok(CallState::First), "{name}");
        calls.finish(&key(name), attempt, vec![b'x'; size].into(), now);
    }

    fn state(calls: &mut Calls, name: u8, now: Tick) -> CallState {
        let attempt = Attempt::new(LEASE);
        let state = calls.begin(&key(name), attempt, now).expect("room");
        calls.release(&key(name), attempt);
        state
    }

    #[test]
    fn answers_are_bounded_in_number_and_size_and_the_oldest_go_first() {
        let mut calls = Calls::new(Duration::from_mins(1), 3, 3 * OVERHEAD + 1000);
        (1..=4).for_each(|name| carry_out(&mut calls, name, 1, Tick(0)));
        assert_eq!(calls.stats(), (3, 3 * (OVERHEAD + 1), 1));
        carry_out(&mut calls, 5, 999, Tick(0));
        assert_eq!(calls.stats(), (2, 2 * OVERHEAD + 1000, 3), "the fifth took the place of the second, and the bytes of the third");
        assert!(matches!(state(&mut calls, 4, Tick(0)), CallState::Done(_)));
        carry_out(&mut calls, 6, 5000, Tick(0));
        assert_eq!((calls.stats(), calls.all.len()), ((0, 0, 6), 0), "it was larger than the limit itself");
    }

    #[test]
    fn calls_in_progress_are_never_forgotten_and_bounded() {
        let mut calls = Calls::new(Duration::from_mins(1), 2, 10_000);
        carry_out(&mut calls, 1, 1, Tick(0));
        let attempts = [2, 3].map(|name| {
            let attempt = Attempt::new(LEASE);
            assert_eq!(calls.begin(&key(name), attempt, Tick(0)), Ok(CallState::First));
            attempt
        });
        assert_eq!(calls.stats(), (0, 0, 1), "the answer made room");
        assert!(matches!(calls.begin(&key(4), Attempt::new(LEASE), Tick(9999)), Err(BrokerError::LimitExceeded(_))));
        calls.release(&key(2), attempts[0]);
        assert_eq!(state(&mut calls, 4, Tick(9999)), CallState::First);
        assert_eq!(state(&mut calls, 3, Tick(9999)), CallState::Running);
        assert_eq!(state(&mut calls, 3, Tick(10_000)), CallState::First, "its lease has ended");
    }

    #[test]
    fn what_has_expired_leaves_no_data() {
        let mut calls = Calls::new(Duration::from_mins(1), 10, 10_000);
        carry_out(&mut calls, 1, 1, Tick(0));
        calls.begin(&key(2), Attempt::new(LEASE), Tick(0)).expect("room");
        calls.sweep(Tick(10_000));
        assert_eq!((calls.all.len(), calls.leases.len()), (1, 0));
        calls.sweep(Tick(60_000));
        assert_eq!((calls.stats(), calls.all.len()), ((0, 0, 0), 0));
    }
}
