//! Publishes to streams and reads from them.

use super::{channel_index::ChannelIndex, publish_answer::PublishAnswer};
use crate::broker::{
    Announcement, BrokerError, IdempotencyKey, NewPublication, NewPublications, PublishIdentity, Published,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::{Answer, Lane},
        },
        schema::{
            answers::{text, unexpected_answer},
            codec,
            counters::Counters,
            keys::{Keys, hex},
            pubsub::PubSub,
            scripts::{SCRIPTS, call},
        },
        subscriptions::subscriptions::Subscriptions,
    },
};
use gateway_core::{
    model::{ChannelName, Epoch, Page, PageLimit, Position, ProducerNumber, Publication, ReadRange, Retention, Span},
    queue::EntryPlace,
};
use redis::{Cmd, Value};
use std::{
    hash::BuildHasher as _,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The limit of a read that only needs the top of a stream.
pub(crate) const TOP_ONLY: PageLimit = PageLimit { entries: 0, bytes: 0 };

/// The streams of all channels.
pub(crate) struct Streams {
    pub(crate) keys: Keys,
    pub(crate) pubsub: PubSub,
    /// Lanes for publishes. All publishes of a channel use the same lane, which keeps their order.
    pub(crate) writers: Vec<Arc<Lane>>,
    pub(crate) readers: Vec<Arc<Lane>>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) channel_index: Arc<ChannelIndex>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) hasher: foldhash::fast::RandomState,
    pub(crate) idempotency_ttl: Duration,
    /// Lifetime of the idempotency keys that the gateway makes for publishes without a key of the caller. It must be longer than
    /// `redis.deadline`, because the lane may send a publish again until then.
    pub(crate) answer_ttl: Duration,
    pub(crate) position_ttl: Duration,
}

impl Streams {
    // NL-0.3
    /// Hands a publication over to a lane. The inner future resolves with the answer of Redis.
    pub(crate) async fn hand_over<'a>(
        &'a self,
        channel: &ChannelName,
        new: NewPublication,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'a>, BrokerError> {
        let NewPublication { content, tags, info, traceparent, retention, identity } = new;
        let publication = Publication { position: None, content, tags, info, time_ms: now_ms(), traceparent };
        let (cmd, resend) = match (retention, identity) {
            (Some(retention), identity) => (self.store(channel, [&publication], retention, identity), Resend::UntilDeadline),
            (None, Some(identity)) => (self.publish_ephemeral(channel, &publication, &identity.only_key()?), Resend::UntilDeadline),
            (None, None) => (self.publish_only(channel, &codec::encode_ephemeral(&publication)), Resend::Never),
        };
        let (answer, channel) = (self.write(channel, cmd, resend).await?, channel.clone());
        Ok(async move { Ok(self.published(&channel, answer.await?, 1)?.map(Span::end)) })
    }

    // NL-2.19
    /// Stores all publications or none.
    pub(crate) async fn publish_all(&self, channel: &ChannelName, new: NewPublications) -> Result<Published<Span>, BrokerError> {
        let NewPublications { items, traceparent, retention, identity } = new;
        let (time_ms, count) = (now_ms(), items.len());
        let publications: Vec<_> = items
            .into_iter()
            .map(|(content, tags)| Publication { position: None, content, tags, info: None, time_ms, traceparent: traceparent.clone() })
            .collect();
        let cmd = self.store(channel, &publications, retention, identity);
        let answer = self.write(channel, cmd, Resend::UntilDeadline).await?.await?;
        self.published(channel, answer, count)
    }

    // NL-2.3
    fn store<'a>(
        &self,
        channel: &ChannelName,
        publications: impl IntoIterator<Item = &'a Publication>,
        retention: Retention,
        identity: Option<PublishIdentity>,
    ) -> Cmd {
        let (key, place, producer) = match identity {
            Some(PublishIdentity::Key(key)) => (Some(key), None, None),
            Some(PublishIdentity::Producer(number)) => (None, None, Some(number)),
            Some(PublishIdentity::Ingest(entry)) => (Some(entry.key), Some(entry.place), entry.producer),
            None => (None, None, None),
        };
        let (key_name, fingerprint, lifetime) = match key {
            Some(key) => (self.keys.idempotency(channel, &key.scope, &key.key), hex(&key.fingerprint), self.idempotency_ttl),
            // The gateway makes a key, so that a lane can send the command again after a lost answer. No other publish has this key.
            None => (self.keys.idempotency(channel, "", &hex(&rand::random::<[u8; 16]>())), String::new(), self.answer_ttl),
        };
        let mut keys = vec![self.keys.meta(channel), self.keys.stream(channel)];
        keys.extend(producer.as_ref().map(|_| self.keys.producers(channel)));
        keys.push(key_name);
        let script = match (&place, &producer) {
            (None, None) => &SCRIPTS.publish,
            (None, Some(_)) => &SCRIPTS.publish_with_producer,
            (Some(_), _) => &SCRIPTS.publish_entry,
        };
        let mut cmd = call(script, &keys);
        cmd.arg(self.keys.pubsub_channel(channel))
            .arg(retention.size.max(1))
            .arg(millis(retention.ttl))
            .arg(millis(self.position_ttl.max(retention.ttl)));
        cmd.arg(fingerprint).arg(millis(lifetime)).arg(Epoch::random().as_str()).arg(self.pubsub.publish());
        cmd.arg(order_text(place, producer));
        for publication in publications {
            cmd.arg(codec::encode_body(publication));
        }
        cmd
    }

    fn publish_ephemeral(&self, channel: &ChannelName, publication: &Publication, key: &IdempotencyKey) -> Cmd {
        let mut cmd = call(&SCRIPTS.publish_ephemeral, &[self.keys.idempotency(channel, &key.scope, &key.key)]);
        cmd.arg(self.keys.pubsub_channel(channel)).arg(codec::encode_ephemeral(publication));
        cmd.arg(hex(&key.fingerprint)).arg(millis(self.idempotency_ttl)).arg(self.pubsub.publish());
        cmd
    }

    /// The command that publishes a message without storing it.
    fn publish_only(&self, channel: &ChannelName, message: &[u8]) -> Cmd {
        let mut cmd = redis::cmd(self.pubsub.publish());
        cmd.arg(self.keys.pubsub_channel(channel)).arg(message);
        cmd
    }

    /// Reads the answer to a publish of `count` publications.
    fn published(&self, channel: &ChannelName, answer: Value, count: usize) -> Result<Published<Span>, BrokerError> {
        let answer = PublishAnswer::read(answer, count).ok_or_else(unexpected_answer)?;
        // A name is added with the first publication, and sometimes again, in case a node ended before it wrote the name.
        if answer.is_first() || answer.span().is_some_and(|span| span.first.next_power_of_two() <= span.last) {
            self.channel_index.add([channel]);
        }
        match answer {
            PublishAnswer::Stored { span, is_announced, .. } => {
                if is_announced {
                    self.subscriptions.acknowledged(channel, span.end());
                } else {
                    self.unannounced(channel);
                }
                Ok(Published { position: Some(span), replayed: false })
            }
            PublishAnswer::Announced => Ok(Published { position: None, replayed: false }),
            PublishAnswer::Replayed(span) => Ok(Published { position: span, replayed: true }),
            PublishAnswer::Mismatch => Err(BrokerError::IdempotencyMismatch),
            PublishAnswer::Gap(expected) => Err(BrokerError::SequenceGap { expected }),
            PublishAnswer::Fenced(epoch) => Err(BrokerError::ProducerFenced { epoch }),
            PublishAnswer::Passed => Err(BrokerError::IngestPassed),
            PublishAnswer::Early => Err(BrokerError::IngestEarly),
            PublishAnswer::Stale(epoch) => Err(BrokerError::IngestStale { epoch }),
        }
    }

    // NL-2.2
    fn unannounced(&self, channel: &ChannelName) {
        self.counters.unannounced.add(1);
        tracing::error!(%channel, "Redis stored a publication but refused PUBLISH; subscribers get it from the history. Give the user of redis.url the right to PUBLISH");
        // The audits of other nodes report the top to their own subscribers.
        self.subscriptions.mark_dirty(channel);
    }

    pub(crate) async fn announce(&self, channel: &ChannelName, announcement: &Announcement) -> Result<(), BrokerError> {
        let cmd = self.publish_only(channel, &codec::encode_announcement(announcement));
        self.write(channel, cmd, Resend::Never).await?.await.map(drop)
    }

    /// Reads a page, which shows the stream at one moment. `ttl` is that of the channel's history.
    pub(crate) async fn read(&self, channel: &ChannelName, ttl: Duration, range: ReadRange, limit: PageLimit) -> Result<Page, BrokerError> {
        let mut cmd = call(&SCRIPTS.read, &[self.keys.meta(channel), self.keys.stream(channel)]);
        match range {
            ReadRange::Top => cmd.arg("top").arg(0),
            ReadRange::After(offset) => cmd.arg("after").arg(offset),
            ReadRange::Before(None) => cmd.arg("before").arg("+"),
            ReadRange::Before(Some(offset)) => cmd.arg("before").arg(offset),
        };
        cmd.arg(limit.entries.min(ENTRIES))
            .arg(limit.bytes.min(BYTES))
            .arg(millis(self.position_ttl.max(ttl)))
            .arg(Epoch::random().as_str());
        let lane = &self.readers[self.order(channel) as usize % self.readers.len()];
        let value = lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await?;
        page(value, limit).ok_or_else(unexpected_answer)
    }

    // NL-1.9
    pub(crate) async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        let mut cmd = redis::cmd("DEL");
        cmd.arg(self.keys.stream(channel));
        // A repeat could delete publications that are newer than the request.
        self.write(channel, cmd, Resend::Never).await?.await.map(drop)
    }

    /// Hands a command of a channel over to the lane of that channel. The lane keeps the order of the channel's commands.
    async fn write(&self, channel: &ChannelName, cmd: Cmd, resend: Resend) -> Result<Answer, BrokerError> {
        let order = self.order(channel);
        self.writers[order as usize % self.writers.len()].hand_over(Command { cmd, to: Target::Key, order: Some(order), resend }).await
    }

    fn order(&self, channel: &ChannelName) -> u64 {
        self.hasher.hash_one(channel)
    }
}

/// The place of a publication among those of its partition of ingest and of its producer, as the script takes it.
fn order_text(place: Option<EntryPlace>, producer: Option<ProducerNumber>) -> String {
    if place.is_none() && producer.is_none() {
        return String::new();
    }
    let place = place.map(|it| format!("{} {} {} {}", it.partition, it.epoch, it.entry, it.after.unwrap_or_default()));
    let producer = producer.map(|it| format!("{} {} {}", it.epoch(), it.seq(), it.id()));
    format!("{}|{}", place.unwrap_or_default(), producer.unwrap_or_default())
}

/// Limits of one read, in entries and bytes. Redis executes no other command during a read, so it must be short.
const ENTRIES: usize = 10_000;
const BYTES: usize = 16 << 20;

fn page(value: Value, limit: PageLimit) -> Option<Page> {
    let Value::Array(parts) = value else { return None };
    let [epoch, top, forks, Value::Array(entries)] = <[Value; 4]>::try_from(parts).ok()? else { return None };
    let (epoch, top, forks) = (Epoch::parse(&text(epoch)?)?, text(top)?.parse().ok()?, codec::decode_forks(&text(forks)?)?);
    let (mut publications, mut bytes) = (Vec::with_capacity(entries.len() / 2), 0usize);
    let mut entries = entries.into_iter();
    while let (Some(offset), Some(Value::BulkString(body))) = (entries.next(), entries.next()) {
        let position = Position { epoch, offset: text(offset)?.parse().ok()? };
        let publication = codec::decode_body(&body, Some(position))?;
        bytes = bytes.saturating_add(publication.size());
        if bytes > limit.bytes && !publications.is_empty() {
            break;
        }
        publications.push(Arc::new(publication));
    }
    Some(Page { epoch, top, forks, publications })
}

/// Milliseconds since 1970.
fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
