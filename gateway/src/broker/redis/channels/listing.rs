//! Lists of active channels: those that hold publications, or that somebody is subscribed to.

use super::channel_index::{ChannelIndex, IndexPage, SHARDS};
use crate::broker::{
    BrokerError, ChannelSummary,
    glob::Glob,
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
use gateway_core::model::{ChannelName, Epoch, Position};
use redis::{Cmd, Value, cmd};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};
use tokio::time::timeout;

/// Names of one set that are read together, at first and at most.
const FIRST: usize = 16;
const MOST: usize = 1000;
/// Channels that are looked at together.
const LOOK: usize = 256;

/// For names of this node that wait to be written, before a list.
const WRITE: Duration = Duration::from_millis(100);

/// See the module.
pub(crate) struct Listing {
    pub(crate) keys: Keys,
    pub(crate) lane: Arc<Lane>,
    pub(crate) masters: Arc<Masters>,
    pub(crate) names: Arc<ChannelIndex>,
}

/// Walks through the names of all sets, in order.
struct Walk<'a> {
    names: &'a ChannelIndex,
    sets: Vec<Set>,
    /// Before which it ends, as `ZRANGEBYLEX` takes it.
    to: Vec<u8>,
    count: usize,
}

/// One of them.
struct Set {
    read: VecDeque<ChannelName>,
    /// Where to read on; none: it ends.
    from: Option<Vec<u8>>,
}

impl<'a> Walk<'a> {
    /// Through the names that begin so, and are after this one.
    fn new(names: &'a ChannelIndex, prefix: &[u8], after: Option<&str>, count: usize) -> Self {
        let from = match after {
            Some(after) if after.as_bytes() >= prefix => [b"(", after.as_bytes()].concat(),
            _ if prefix.is_empty() => b"-".to_vec(),
            _ => [b"[", prefix].concat(),
        };
        // No name holds such a byte.
        let to = if prefix.is_empty() { b"+".to_vec() } else { [b"(", prefix, b"\xff"].concat() };
        let sets = (0..SHARDS).map(|_| Set { read: VecDeque::new(), from: Some(from.clone()) }).collect();
        Self { names, sets, to, count }
    }

    /// The next name; none: that is all.
    async fn next(&mut self) -> Result<Option<ChannelName>, BrokerError> {
        // A page may hold nothing that is a name.
        while self.sets.iter().any(Set::is_due) {
            self.read().await?;
        }
        let first = self.sets.iter_mut().filter(|set| !set.read.is_empty()).min_by(|a, b| a.read[0].cmp(&b.read[0]));
        Ok(first.and_then(|set| set.read.pop_front()))
    }

    /// Reads on where nothing is left: the more, the longer it goes.
    async fn read(&mut self) -> Result<(), BrokerError> {
        let (names, to, count) = (self.names, &self.to, self.count);
        let due = self.sets.iter_mut().zip(0..).filter(|(set, _)| set.is_due());
        let pages = due.map(async |(set, shard): (&mut Set, u16)| {
            let from = set.from.take().unwrap_or_default();
            let IndexPage { names, next } = names.page(shard, &from, to, count).await?;
            (set.read, set.from) = (names.into(), next);
            Ok(())
        });
        futures_util::future::try_join_all(pages).await?;
        self.count = (2 * count).min(MOST);
        Ok(())
    }
}

impl Set {
    fn is_due(&self) -> bool {
        self.read.is_empty() && self.from.is_some()
    }
}

impl Listing {
    /// Active channels that match, in name order. What became active at another node a moment ago may be missing.
    pub(crate) async fn channels(&self, pattern: &str, after: Option<&str>, limit: usize) -> Result<Vec<ChannelSummary>, BrokerError> {
        // What waits is listed if it can be written at once; a list is no worse for what cannot.
        let _ = timeout(WRITE, self.names.write()).await;
        let pattern = Glob::new(pattern);
        let mut walk = Walk::new(&self.names, pattern.prefix(), after, (limit / 8).clamp(FIRST, MOST));
        let (mut found, mut is_over) = (Vec::new(), false);
        while found.len() < limit && !is_over {
            let mut some = Vec::new();
            while some.len() < (limit - found.len()).min(LOOK) && !is_over {
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

    /// Looks at some of the names of a set, from here on; answers where to go on. Takes out those that are not active.
    pub(crate) async fn tidy(&self, shard: u16, from: &[u8], count: usize) -> Result<Option<Vec<u8>>, BrokerError> {
        let IndexPage { names, next } = self.names.page(shard, from, b"+", count).await?;
        for some in names.chunks(LOOK) {
            self.active(some.to_vec()).await?;
        }
        Ok(next)
    }

    /// Those of them that are active; the others are taken out.
    async fn active(&self, names: Vec<ChannelName>) -> Result<Vec<ChannelSummary>, BrokerError> {
        let (active, others) = self.look(names).await?;
        if !others.is_empty() {
            self.names.remove(&others).await?;
            // One that has become active before it was taken out.
            let (again, _) = self.look(others).await?;
            self.names.add(again.iter().map(|it| &it.name));
        }
        Ok(active)
    }

    /// Tells those that are active from others.
    async fn look(&self, names: Vec<ChannelName>) -> Result<(Vec<ChannelSummary>, Vec<ChannelName>), BrokerError> {
        let all = futures_util::future::try_join_all(names.into_iter().map(|name| self.summary(name))).await?;
        let empty: Vec<_> = all.iter().filter(|it| it.held == 0).map(|it| it.name.clone()).collect();
        let subscribed = self.subscribed(&empty).await?;
        let (active, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|it| it.held > 0 || subscribed.contains(&it.name));
        Ok((active, others.into_iter().map(|it| it.name).collect()))
    }

    /// Those of them that some node is subscribed to.
    async fn subscribed(&self, names: &[ChannelName]) -> Result<HashSet<ChannelName>, BrokerError> {
        let (map, mut by_master) = (self.masters.now(), BTreeMap::<_, Vec<_>>::new());
        for name in names {
            let lane = self.keys.lane(name);
            let owner = map.owner(Slot::of(lane.as_bytes()));
            let owner = owner.ok_or_else(|| BrokerError::Unavailable("no master of the Redis Cluster serves the channel's slot".into()))?;
            by_master.entry(owner).or_default().push(lane);
        }
        let mut found = HashSet::new();
        for (master, lanes) in by_master {
            let Value::Array(counts) = self.run(Target::Master(master), self.masters.pubsub().subscribers(&lanes)).await? else {
                return Err(unexpected_answer());
            };
            for pair in counts.chunks_exact(2).filter(|pair| pair[1] != Value::Int(0)) {
                let lane = text(pair[0].clone()).ok_or_else(unexpected_answer)?;
                found.extend(self.keys.channel(&lane).and_then(|name| name.parse().ok()));
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

    /// What a master announces to somebody: the names of all its channels.
    pub(crate) async fn announced(&self, to: Target) -> Result<Vec<ChannelName>, BrokerError> {
        let Value::Array(lanes) = self.run(to, self.masters.pubsub().announced(&self.keys.all_lanes())).await? else {
            return Err(unexpected_answer());
        };
        let lanes = lanes.into_iter().filter_map(text);
        Ok(lanes.filter_map(|lane| self.keys.channel(&lane)?.parse().ok()).collect())
    }

    /// Everything here may be done twice.
    async fn run(&self, to: Target, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to, order: None, again: Resend::Safe }).await
    }
}
