//! Publications on their way into streams and out of them.

use super::channel_index::ChannelIndex;
use crate::broker::{
    Announcement, BrokerError, IdempotencyKey, NewPublication, Published,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::{Answer, Lane},
        },
        schema::{
            answers::{text, unexpected_answer},
            codec,
            counters::Counters,
            keys::Keys,
            pubsub::PubSub,
            scripts::{SCRIPTS, call},
        },
        subscriptions::subscriptions::Subscriptions,
    },
};
use gateway_core::model::{ChannelName, Epoch, Page, PageLimit, Position, Publication, Retention, Span};
use redis::{Cmd, Value};
use std::{
    hash::BuildHasher as _,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Bounds of one read that only asks where a stream stands.
pub(crate) const TOP_ONLY: PageLimit = PageLimit { entries: 0, bytes: 0 };

/// See the module.
pub(crate) struct Streams {
    pub(crate) keys: Keys,
    pub(crate) pubsub: PubSub,
    /// Each channel has one of these, so that its publications keep their order.
    pub(crate) writers: Vec<Arc<Lane>>,
    pub(crate) readers: Vec<Arc<Lane>>,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) names: Arc<ChannelIndex>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) hasher: foldhash::fast::RandomState,
    pub(crate) idempotency_ttl: Duration,
    /// How long the answer to a publish without a key of its caller's is remembered: longer than it may be sent again.
    pub(crate) answer_ttl: Duration,
    pub(crate) meta_ttl: Duration,
}

impl Streams {
    // NL-0.3
    /// Hands a publication over; what this answers resolves once Redis did.
    pub(crate) async fn hand_over<'a>(
        &'a self,
        channel: &ChannelName,
        new: NewPublication,
    ) -> Result<impl Future<Output = Result<Published, BrokerError>> + use<'a>, BrokerError> {
        let NewPublication { data, tags, info, traceparent, retention, idempotency } = new;
        let time_ms = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let publication = Publication { position: None, data, tags, info, time_ms, traceparent };
        let (cmd, again) = match (retention, idempotency) {
            (Some(retention), key) => (self.store(channel, &publication, retention, key), Resend::UntilDeadline),
            (None, Some(key)) => (self.announce_once(channel, &publication, &key), Resend::UntilDeadline),
            (None, None) => (self.say(channel, &codec::encode_ephemeral(&publication)), Resend::Never),
        };
        let (answer, channel) = (self.write(channel, cmd, again).await?, channel.clone());
        Ok(async move { self.published(&channel, answer.await?) })
    }

    // NL-2.3
    fn store(&self, channel: &ChannelName, publication: &Publication, retention: Retention, key: Option<IdempotencyKey>) -> Cmd {
        let (once, fingerprint, life) = match key {
            Some(key) => (self.keys.once(channel, &key.scope, &key.key), hex(&key.fingerprint), self.idempotency_ttl),
            // Made up, so that it can be sent again when its answer is lost; nobody else uses it.
            None => (self.keys.once(channel, "", &hex(&rand::random::<[u8; 16]>())), String::new(), self.answer_ttl),
        };
        let keys = [self.keys.meta(channel), self.keys.stream(channel), once];
        let mut cmd = call(&SCRIPTS.publish, &keys);
        cmd.arg(self.keys.lane(channel)).arg(codec::encode_body(publication));
        cmd.arg(retention.size.max(1)).arg(millis(retention.ttl)).arg(millis(self.meta_ttl.max(retention.ttl)));
        cmd.arg(fingerprint).arg(millis(life)).arg(Epoch::random().as_str()).arg(self.pubsub.publish());
        cmd
    }

    fn announce_once(&self, channel: &ChannelName, publication: &Publication, key: &IdempotencyKey) -> Cmd {
        let mut cmd = call(&SCRIPTS.announce, &[self.keys.once(channel, &key.scope, &key.key)]);
        cmd.arg(self.keys.lane(channel)).arg(codec::encode_ephemeral(publication));
        cmd.arg(hex(&key.fingerprint)).arg(millis(self.idempotency_ttl)).arg(self.pubsub.publish());
        cmd
    }

    /// Tells subscribers something that is not stored.
    fn say(&self, channel: &ChannelName, message: &[u8]) -> Cmd {
        let mut cmd = redis::cmd(self.pubsub.publish());
        cmd.arg(self.keys.lane(channel)).arg(message);
        cmd
    }

    /// What Redis said of a publication.
    fn published(&self, channel: &ChannelName, answer: Value) -> Result<Published, BrokerError> {
        if matches!(answer, Value::Int(_)) {
            return Ok(Published { position: None, replayed: false });
        }
        let (what, position, is_first) = outcome(answer).ok_or_else(unexpected_answer)?;
        // Again from time to time, in case that a node ended before it had written the name.
        if position.is_some_and(|position| is_first || position.offset.is_power_of_two()) {
            self.names.add([channel]);
        }
        match &*what {
            "stored" => {
                let position = position.ok_or_else(unexpected_answer)?;
                self.subscriptions.acknowledged(channel, position);
                Ok(Published { position: Some(position), replayed: false })
            }
            "replayed" => Ok(Published { position, replayed: true }),
            "announced" => Ok(Published { position: None, replayed: false }),
            "unannounced" => {
                self.counters.unannounced.add(1);
                tracing::error!(%channel, "Redis stored a publication and refused to announce it; subscribers read it instead. May the user of redis.url PUBLISH?");
                // Subscribers of other nodes get it from their audits.
                self.subscriptions.dirty(channel);
                Ok(Published { position: Some(position.ok_or_else(unexpected_answer)?), replayed: false })
            }
            "mismatch" => Err(BrokerError::IdempotencyMismatch),
            _ => Err(unexpected_answer()),
        }
    }

    pub(crate) async fn announce(&self, channel: &ChannelName, announcement: &Announcement) -> Result<(), BrokerError> {
        let cmd = self.say(channel, &codec::encode_announcement(announcement));
        self.write(channel, cmd, Resend::Never).await?.await.map(drop)
    }

    /// Reads as of one moment. `ttl` is that of the channel's history.
    pub(crate) async fn read(&self, channel: &ChannelName, ttl: Duration, span: Span, limit: PageLimit) -> Result<Page, BrokerError> {
        let mut cmd = call(&SCRIPTS.read, &[self.keys.meta(channel), self.keys.stream(channel)]);
        match span {
            Span::Top => cmd.arg("top").arg(0),
            Span::After(offset) => cmd.arg("after").arg(offset),
            Span::Before(None) => cmd.arg("before").arg("+"),
            Span::Before(Some(offset)) => cmd.arg("before").arg(offset),
        };
        cmd.arg(limit.entries.min(ENTRIES)).arg(limit.bytes.min(BYTES)).arg(millis(self.meta_ttl.max(ttl))).arg(Epoch::random().as_str());
        let lane = &self.readers[self.order(channel) as usize % self.readers.len()];
        let value = lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Safe }).await?;
        page(value, limit).ok_or_else(unexpected_answer)
    }

    // NL-1.9
    pub(crate) async fn clear(&self, channel: &ChannelName) -> Result<(), BrokerError> {
        let mut cmd = redis::cmd("DEL");
        cmd.arg(self.keys.stream(channel));
        // A repeat would take with it what was published since.
        self.write(channel, cmd, Resend::Never).await?.await.map(drop)
    }

    /// Hands over what keeps its order within the channel.
    async fn write(&self, channel: &ChannelName, cmd: Cmd, again: Resend) -> Result<Answer, BrokerError> {
        let order = self.order(channel);
        self.writers[order as usize % self.writers.len()].hand_over(Command { cmd, to: Target::Key, order: Some(order), again }).await
    }

    fn order(&self, channel: &ChannelName) -> u64 {
        self.hasher.hash_one(channel)
    }
}

/// Entries and bytes of one read at most, whatever was asked for: Redis does nothing else meanwhile.
const ENTRIES: usize = 10_000;
const BYTES: usize = 16 << 20;

/// What was done, where the publication is, and whether it is the first that is held.
fn outcome(value: Value) -> Option<(String, Option<Position>, bool)> {
    let mut parts = match value {
        Value::Array(parts) => parts.into_iter().map(text),
        _ => return None,
    };
    let mut next = || parts.next().flatten();
    let (what, epoch, offset, first) = (next()?, next(), next(), next());
    // Of an announcement that was repeated there is no position.
    let position = || Some(Position { epoch: Epoch::parse(epoch.as_deref()?)?, offset: offset?.parse().ok()? });
    Some((what, position(), first.as_deref() == Some("1")))
}

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

/// In two digits each.
fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis() as u64
}
