//! Recognises repeated publishes.

use crate::broker::{BrokerError, IdempotencyKey, Published};
use gateway_core::model::{ChannelName, Span, Tick};
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Duration,
};

/// The identity of a request that may be repeated.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Name {
    scope: Box<str>,
    channel: ChannelName,
    key: Box<str>,
}

/// A publish with an idempotency key.
#[derive(Debug)]
pub(in super::super) struct Request {
    name: Arc<Name>,
    fingerprint: [u8; 32],
}

impl Request {
    pub(super) fn new(channel: &ChannelName, key: IdempotencyKey) -> Self {
        let IdempotencyKey { scope, key, fingerprint } = key;
        Self { name: Arc::new(Name { scope, channel: channel.clone(), key }), fingerprint }
    }
}

#[derive(Debug)]
struct Answer {
    fingerprint: [u8; 32],
    span: Option<Span>,
    until: Tick,
}

/// The answers to earlier publishes, by idempotency key. Limited in time and number: the oldest are deleted first.
#[derive(Debug)]
pub(super) struct Idempotency {
    ttl: Duration,
    bound: usize,
    answers: HashMap<Arc<Name>, Answer, foldhash::fast::RandomState>,
    /// The keys of `answers`, in the order of arrival, which is also the order of expiry.
    order: VecDeque<Arc<Name>>,
    evicted: u64,
}

impl Idempotency {
    pub(super) fn new(ttl: Duration, bound: usize) -> Self {
        Self { ttl, bound, answers: HashMap::default(), order: VecDeque::new(), evicted: 0 }
    }

    /// The answer to an earlier publish with this key, if there was one. An error if that publish was a different request.
    pub(super) fn recall(&mut self, request: &Request, now: Tick) -> Result<Option<Published<Span>>, BrokerError> {
        self.sweep(now);
        match self.answers.get(&request.name) {
            None => Ok(None),
            Some(answer) if answer.fingerprint != request.fingerprint => Err(BrokerError::IdempotencyMismatch),
            Some(answer) => Ok(Some(Published { position: answer.span, replayed: true })),
        }
    }

    /// Stores the answer to a new request.
    pub(super) fn remember(&mut self, request: Request, span: Option<Span>, now: Tick) {
        let Request { name, fingerprint } = request;
        self.order.push_back(Arc::clone(&name));
        self.answers.insert(name, Answer { fingerprint, span, until: now.after(self.ttl) });
        if self.answers.len() > self.bound {
            self.forget_oldest();
            self.evicted += 1;
        }
    }

    /// Removes expired answers.
    pub(super) fn sweep(&mut self, now: Tick) {
        while self.order.front().and_then(|name| self.answers.get(name)).is_some_and(|answer| answer.until <= now) {
            self.forget_oldest();
        }
    }

    /// Number of stored answers, and number of answers that were deleted before their expiry.
    pub(super) fn stats(&self) -> (usize, u64) {
        (self.answers.len(), self.evicted)
    }

    fn forget_oldest(&mut self) {
        if let Some(name) = self.order.pop_front() {
            self.answers.remove(&name);
        }
    }
}
