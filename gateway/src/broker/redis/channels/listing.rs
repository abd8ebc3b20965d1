//! Lists of active channels: those with publications or with subscribers.

use super::channel_index::{ChannelIndex, IndexPage, SHARDS};
use crate::broker::{
    BrokerError, ChannelSummary,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::{text, unexpected_answer},
            keys::Keys,
            slot::Slot,
        },
        servers::masters::Masters,
    },
};
use gateway_core::{
    channel::Glob,
    model::{ChannelName, Epoch, Position},
};
use redis::{Cmd, Value, cmd};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// Number of names in the first page of a set.
const FIRST_PAGE: usize = 16;
const MAX_PAGE: usize = 1000;
/// Largest number of channels that are checked together.
const CHECKED_TOGETHER: usize = 256;

/// Longest wait for the write of this node's new names before a list.
const WRITE: Duration = Duration::from_millis(100);

/// Lists of active channels.
pub(crate) struct Listing {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    pub(crate) masters: Arc<Masters>,
    pub(crate) channel_index: Arc<ChannelIndex>,
}

/// A walk through the names in all sets, in order.
struct Walk<'a> {
    channel_index: &'a ChannelIndex,
    sets: Vec<Set>,
    /// Where the walk ends, as `ZRANGEBYLEX` expects it.
    to: Vec<u8>,
    count: usize,
}

/// The names of one set that were read but not returned.
struct Set {
    read: VecDeque<ChannelName>,
    /// Where the next page begins, if there is one.
    from: Option<Vec<u8>>,
}

impl<'a> Walk<'a> {
    /// A walk through the names that begin with `prefix` and follow the name `after`.
    fn new(channel_index: &'a ChannelIndex, prefix: &[u8], after: Option<&str>, count: usize) -> Self {
        let from = match after {
            Some(after) if after.as_bytes() >= prefix => [b"(", after.as_bytes()].concat(),
            _ if prefix.is_empty() => b"-".to_vec(),
            _ => [b"[", prefix].concat(),
        };
        // Names are UTF-8, which never contains the byte 0xff.
        let to = if prefix.is_empty() { b"+".to_vec() } else { [b"(", prefix, b"\xff"].concat() };
        let sets = (0..SHARDS).map(|_| Set { read: VecDeque::new(), from: Some(from.clone()) }).collect();
        Self { channel_index, sets, to, count }
    }

    /// The next name, if there is one.
    async fn next(&mut self) -> Result<Option<ChannelName>, BrokerError> {
        // The next page may contain no valid name, so one read may not be enough.
        while self.sets.iter().any(Set::is_due) {
            self.read().await?;
        }
        let first = self.sets.iter_mut().filter(|set| !set.read.is_empty()).min_by(|a, b| a.read[0].cmp(&b.read[0]));
        Ok(first.and_then(|set| set.read.pop_front()))
    }

    /// Reads the next page of each set whose names were all returned. Each page is larger than the one before.
    async fn read(&mut self) -> Result<(), BrokerError> {
        let (channel_index, to, count) = (self.channel_index, &self.to, self.count);
        let due = self.sets.iter_mut().zip(0..).filter(|(set, _)| set.is_due());
        let pages = due.map(async |(set, shard): (&mut Set, u16)| {
            let from = set.from.take().unwrap_or_default();
            let IndexPage { names, next } = channel_index.page(shard, &from, to, count).await?;
            (set.read, set.from) = (names.into(), next);
            Ok(())
        });
        futures_util::future::try_join_all(pages).await?;
        self.count = (2 * count).min(MAX_PAGE);
        Ok(())
    }
}

impl Set {
    fn is_due(&self) -> bool {
        self.read.is_empty() && self.from.is_some()
    }
}

impl Listing {
    /// Lists the active channels that match, in the order of their names. A channel that has just become active at another node may be
    /// missing.
    pub(crate) async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        // If the write takes longer, only channels that have just become active are missing from the list.
        let _ = timeout(WRITE, self.channel_index.write()).await;
        let pattern = Glob::new(pattern);
        let mut walk = Walk::new(&self.channel_index, pattern.prefix(), after, (limit / 8).clamp(FIRST_PAGE, MAX_PAGE));
        let (mut found, mut is_over) = (Vec::new(), false);
        while found.len() < limit && !is_over {
            let mut some = Vec::new();
            while some.len() < (limit - found.len()).min(CHECKED_TOGETHER) && !is_over {
                match walk.next().await? {
                    Some(name) if pattern.matches(&name) => some.push(name),
                    Some(_) => {}
                    None => is_over = true,
                }
            }
            found.extend(self.active(some).await?);
        }
        Ok(found)
    }

    /// Removes inactive channels from one page of a set. Returns where the next page begins.
    pub(crate) async fn remove_inactive(&self, shard: u16, from: &[u8], count: usize) -> Result<Option<Vec<u8>>, BrokerError> {
        let IndexPage { names, next } = self.channel_index.page(shard, from, b"+", count).await?;
        for some in names.chunks(CHECKED_TOGETHER) {
            self.active(some.to_vec()).await?;
        }
        Ok(next)
    }

    /// Returns the active channels, and removes the others from the index.
    async fn active(&self, names: Vec<ChannelName>) -> Result<Vec<ChannelSummary>, BrokerError> {
        let (active, others) = self.check(names).await?;
        if !others.is_empty() {
            self.channel_index.remove(&others).await?;
            // A channel may have become active between the check and the removal.
            let (again, _) = self.check(others).await?;
            self.channel_index.add(again.iter().map(|it| &it.name));
        }
        Ok(active)
    }

    /// Separates active channels from inactive ones. Returns the summaries of the active ones and the names of the others.
    async fn check(&self, names: Vec<ChannelName>) -> Result<(Vec<ChannelSummary>, Vec<ChannelName>), BrokerError> {
        let all = futures_util::future::try_join_all(names.into_iter().map(|name| self.summary(name))).await?;
        let empty: Vec<_> = all.iter().filter(|it| it.held == 0).map(|it| it.name.clone()).collect();
        let subscribed = self.subscribed(&empty).await?;
        let (active, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.held > 0 || subscribed.contains(&it.name));
        Ok((active, others.into_iter().map(|it| it.name).collect()))
    }

    /// Returns those of these channels that have a subscriber on any node.
    async fn subscribed(&self, names: &[ChannelName]) -> Result<HashSet<ChannelName>, BrokerError> {
        let (map, mut by_master) = (self.masters.topology(), BTreeMap::<_, Vec<_>>::new());
        for name in names {
            let pubsub_channel = self.keys.pubsub_channel(name);
            let owner = map.owner(Slot::of(pubsub_channel.as_bytes()));
            let owner = owner.ok_or_else(|| BrokerError::Unavailable("no master of the Redis Cluster serves the channel's slot".into()))?;
            by_master.entry(owner).or_default().push(pubsub_channel);
        }
        let mut found = HashSet::new();
        for (master, pubsub_channels) in by_master {
            let Value::Array(counts) = self.run(Target::Master(master), self.masters.pubsub().count_subscribers(&pubsub_channels)).await?
            else {
                return Err(unexpected_answer());
            };
            for pair in counts.chunks_exact(2).filter(|pair| pair[1] != Value::Int(0)) {
                let pubsub_channel = text(pair[0].clone()).ok_or_else(unexpected_answer)?;
                found.extend(self.keys.channel(&pubsub_channel).and_then(|name| name.parse().ok()));
            }
        }
        Ok(found)
    }

    async fn summary(&self, name: ChannelName) -> Result<ChannelSummary, BrokerError> {
        let (mut meta, mut held) = (cmd("HMGET"), cmd("XLEN"));
        meta.arg(self.keys.meta(&name)).arg("epoch").arg("top");
        held.arg(self.keys.stream(&name));
        let (meta, held) = futures_util::future::try_join(self.run(Target::Key, meta), self.run(Target::Key, held)).await?;
        let (Value::Array(fields), Value::Int(held)) = (meta, held) else { return Err(unexpected_answer()) };
        let mut fields = fields.into_iter().map(text);
        let position = fields
            .next()
            .flatten()
            .zip(fields.next().flatten())
            .and_then(|(epoch, top)| Some(Position { epoch: Epoch::parse(&epoch)?, offset: top.parse().ok()? }));
        Ok(ChannelSummary { name, position, held: usize::try_from(held).map_err(|_| unexpected_answer())? })
    }

    /// The channels that have subscribers at the master `to`.
    pub(crate) async fn subscribed_at(&self, to: Target) -> Result<Vec<ChannelName>, BrokerError> {
        let Value::Array(pubsub_channels) = self.run(to, self.masters.pubsub().list_channels(&self.keys.all_pubsub_channels())).await?
        else {
            return Err(unexpected_answer());
        };
        let pubsub_channels = pubsub_channels.into_iter().filter_map(text);
        Ok(pubsub_channels.filter_map(|pubsub_channel| self.keys.channel(&pubsub_channel)?.parse().ok()).collect())
    }

    /// It does no harm to run any of these commands twice.
    async fn run(&self, to: Target, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to, order: None, resend: Resend::Safe }).await
    }
}
