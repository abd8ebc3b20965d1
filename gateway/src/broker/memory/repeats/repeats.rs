//! Recognises repeated publishes, by idempotency key, by the number of a producer, or by the entry of ingest.

use super::{
    super::limits::MemoryLimits,
    idempotency::{Idempotency, Request},
    last_entries::LastEntries,
    producers::ProducersByChannel,
};
use crate::broker::{BrokerError, IngestIdentity, PublishIdentity, Published};
use gateway_core::{
    channel::Judgement,
    model::{ChannelName, ProducerNumber, Retention, Span, Tick, lock},
    queue::{EntryJudgement, EntryPlace},
};
use std::sync::Mutex;

/// What tells a repeat of a publish from a new one. What is present is looked at in this order.
#[derive(Debug)]
pub(in super::super) struct Identity {
    key: Option<Request>,
    /// The place of an entry of ingest.
    place: Option<EntryPlace>,
    producer: Option<ProducerNumber>,
}

impl Identity {
    /// `is_stored`: whether the channel stores the publication.
    pub(in super::super) fn new(channel: &ChannelName, identity: PublishIdentity, is_stored: bool) -> Result<Self, BrokerError> {
        let identity = if is_stored { identity } else { PublishIdentity::Key(identity.only_key()?) };
        Ok(match identity {
            PublishIdentity::Key(key) => Self { key: Some(Request::new(channel, key)), place: None, producer: None },
            PublishIdentity::Producer(number) => Self { key: None, place: None, producer: Some(number) },
            PublishIdentity::Ingest(entry) => {
                let IngestIdentity { key, place, producer } = *entry;
                Self { key: Some(Request::new(channel, key)), place: Some(place), producer }
            }
        })
    }
}

/// What is remembered of earlier publishes. Callers hold the lock of the channel's shard.
#[derive(Debug)]
pub(in super::super) struct Repeats {
    keys: Mutex<Idempotency>,
    producers: Mutex<ProducersByChannel>,
    last_entries: Mutex<LastEntries>,
}

impl Repeats {
    pub(in super::super) fn new(limits: &MemoryLimits) -> Self {
        Self {
            keys: Mutex::new(Idempotency::new(limits.idempotency_ttl, limits.idempotency_keys)),
            producers: Mutex::new(ProducersByChannel::new(limits.position_ttl, limits.producers)),
            last_entries: Mutex::new(LastEntries::new(limits.position_ttl, limits.producers)),
        }
    }

    /// The answer to an earlier publish with this identity. None if the publish is to be carried out. `retention` is that of the channel, `top`
    /// returns its newest offset.
    pub(in super::super) fn find(
        &self,
        channel: &ChannelName,
        identity: &Identity,
        retention: Option<Retention>,
        now: Tick,
        top: impl FnOnce() -> u64,
    ) -> Result<Option<Published<Span>>, BrokerError> {
        let mut answer = match &identity.key {
            Some(request) => lock(&self.keys).recall(request, now)?,
            None => None,
        };
        let judgement = identity.place.map(|place| place.judge(lock(&self.last_entries).known(channel, place.partition, now)));
        match judgement {
            Some(EntryJudgement::Stale(epoch)) => return Err(BrokerError::IngestStale { epoch }),
            Some(EntryJudgement::Early) => return Err(BrokerError::IngestEarly),
            Some(EntryJudgement::Passed | EntryJudgement::Next) | None => {}
        }
        let is_passed = judgement == Some(EntryJudgement::Passed);
        if answer.is_none()
            && !is_passed
            && let Some(number) = &identity.producer
        {
            answer = self.judge(channel, number, top(), now)?;
        }
        if (answer.is_some() || is_passed)
            && let Some((place, retention)) = identity.place.zip(retention)
        {
            lock(&self.last_entries).record(channel, &place, retention.ttl, now);
        }
        if answer.is_none() && is_passed { Err(BrokerError::IngestPassed) } else { Ok(answer) }
    }

    fn judge(&self, channel: &ChannelName, number: &ProducerNumber, top: u64, now: Tick) -> Result<Option<Published<Span>>, BrokerError> {
        match lock(&self.producers).judge(channel, number, top, now) {
            Judgement::Next => Ok(None),
            Judgement::Done(span) => Ok(Some(Published { position: span, replayed: true })),
            Judgement::Gap(expected) => Err(BrokerError::SequenceGap { expected }),
            Judgement::Fenced(epoch) => Err(BrokerError::ProducerFenced { epoch }),
        }
    }

    /// Remembers a publish that was carried out. `stored`: where, and the retention of the channel.
    pub(in super::super) fn remember(&self, channel: &ChannelName, identity: Identity, stored: Option<(Span, Retention)>, now: Tick) {
        let Identity { key, place, producer } = identity;
        if let Some(request) = key {
            lock(&self.keys).remember(request, stored.map(|(span, _)| span), now);
        }
        let Some((span, retention)) = stored else { return };
        if let Some(place) = place {
            lock(&self.last_entries).record(channel, &place, retention.ttl, now);
        }
        if let Some(number) = producer {
            lock(&self.producers).record(channel, &number, span, retention.ttl, now);
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
        lock(&self.last_entries).sweep(now);
    }
}
