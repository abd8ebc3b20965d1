//! Recognises repeated publishes, by idempotency key or by the number of a producer.

use super::{
    super::limits::MemoryLimits,
    idempotency::{Idempotency, Request},
    producers::ProducersByChannel,
};
use crate::broker::{BrokerError, PublishIdentity, Published};
use gateway_core::{
    channel::Judgement,
    model::{ChannelName, ProducerNumber, Retention, Span, Tick, lock},
};
use std::sync::Mutex;

/// What tells a repeat of a publish from a new one.
#[derive(Debug)]
pub(in super::super) enum Identity {
    /// Its idempotency key.
    Key(Request),
    /// Its number.
    Producer(ProducerNumber),
}

impl Identity {
    pub(in super::super) fn new(channel: &ChannelName, identity: PublishIdentity) -> Self {
        match identity {
            PublishIdentity::Key(key) => Self::Key(Request::new(channel, key)),
            PublishIdentity::Producer(number) => Self::Producer(number),
        }
    }
}

/// What is remembered of earlier publishes. Callers hold the lock of the channel's shard.
#[derive(Debug)]
pub(in super::super) struct Repeats {
    keys: Mutex<Idempotency>,
    producers: Mutex<ProducersByChannel>,
}

impl Repeats {
    pub(in super::super) fn new(limits: &MemoryLimits) -> Self {
        Self {
            keys: Mutex::new(Idempotency::new(limits.idempotency_ttl, limits.idempotency_keys)),
            producers: Mutex::new(ProducersByChannel::new(limits.position_ttl, limits.producers)),
        }
    }

    /// The answer to an earlier publish with this identity. None if the publish is to be carried out. `top` returns the newest offset of the
    /// channel.
    pub(in super::super) fn find(
        &self,
        channel: &ChannelName,
        identity: &Identity,
        now: Tick,
        top: impl FnOnce() -> u64,
    ) -> Result<Option<Published<Span>>, BrokerError> {
        match identity {
            Identity::Key(request) => lock(&self.keys).recall(request, now),
            Identity::Producer(number) => {
                let top = top();
                match lock(&self.producers).judge(channel, number, top, now) {
                    Judgement::Next => Ok(None),
                    Judgement::Done(span) => Ok(Some(Published { position: span, replayed: true })),
                    Judgement::Gap(expected) => Err(BrokerError::SequenceGap { expected }),
                    Judgement::Fenced(epoch) => Err(BrokerError::ProducerFenced { epoch }),
                }
            }
        }
    }

    /// Remembers a publish that was carried out. `stored`: where, and the retention of the channel.
    pub(in super::super) fn remember(&self, channel: &ChannelName, identity: Identity, stored: Option<(Span, Retention)>, now: Tick) {
        match (identity, stored) {
            (Identity::Key(request), _) => lock(&self.keys).remember(request, stored.map(|(span, _)| span), now),
            (Identity::Producer(number), Some((span, retention))) => {
                lock(&self.producers).record(channel, &number, span, retention.ttl, now);
            }
            (Identity::Producer(_), None) => {}
        }
    }

    /// Number of keys, number of keys that were deleted before their expiry, and the same of producers.
    pub(in super::super) fn stats(&self) -> [(usize, u64); 2] {
        [lock(&self.keys).stats(), lock(&self.producers).stats()]
    }

    /// Removes what has expired.
    pub(in super::super) fn sweep(&self, now: Tick) {
        lock(&self.keys).sweep(now);
        lock(&self.producers).sweep(now);
    }
}
