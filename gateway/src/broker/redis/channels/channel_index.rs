//! The names of all channels that may be active, in order, so that a list of channels need not go through all keys.
//!
//! A name is added when a channel begins to hold publications and when a node subscribes to it, and taken out when a list or the sweep finds it neither held
//! nor subscribed to. Both write what makes the channel active first and its name then, and whoever has taken a name out looks at the channel
//! once more: so a name is missing only where a node ended in between, until the channel's next publications or the sweep.
//!
//! Names are in a few sets by their hash, so that a Redis Cluster has them on several masters. What is added waits here, and is written many at a time.

use crate::broker::{
    BrokerError,
    redis::{
        commands::{
            job::{Command, Resend, Target},
            lane::Lane,
        },
        schema::{
            answers::{text, unexpected_answer},
            counters::Counters,
            keys::Keys,
            slot::Slot,
        },
    },
};
use gateway_core::model::{ChannelName, lock};
use redis::{Cmd, Value, cmd};
use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{sync::Notify, time::sleep};

/// Sets of names.
pub(crate) const SHARDS: u16 = 16;
/// Names of one command.
const STEP: usize = 1000;
/// Names that may wait to be written: about 10 MB. What is more is counted, and found by the sweep.
const WAITING: usize = 100_000;
/// Before a write that failed is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// See the module.
pub(crate) struct ChannelIndex {
    keys: Keys,
    lane: Arc<Lane>,
    counters: Arc<Counters>,
    waiting: Mutex<HashSet<ChannelName>>,
    /// One writes at a time, so that who comes behind finds written what waited before.
    writing: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl ChannelIndex {
    pub(crate) fn new(keys: Keys, lane: Arc<Lane>, counters: Arc<Counters>) -> Self {
        Self { keys, lane, counters, waiting: Mutex::default(), writing: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    /// These are active from now on.
    pub(crate) fn add<'a>(&self, channels: impl IntoIterator<Item = &'a ChannelName>) {
        let mut waiting = lock(&self.waiting);
        for channel in channels {
            if waiting.len() < WAITING || waiting.contains(channel) {
                waiting.insert(channel.clone());
            } else {
                self.counters.unlisted.add(1);
            }
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Writes what is added, for good.
    pub(crate) async fn run(&self) {
        loop {
            self.changed.notified().await;
            while let Err(error) = self.write().await {
                tracing::warn!(%error, "channels that have become active cannot be listed yet");
                sleep(RETRY).await;
            }
        }
    }

    /// Writes what waits.
    pub(crate) async fn write(&self) -> Result<(), BrokerError> {
        let _alone = self.writing.lock().await;
        loop {
            let taken = self.take();
            if taken.some.is_empty() {
                return Ok(());
            }
            self.put(&taken.some).await?;
            taken.done();
        }
    }

    fn take(&self) -> Taken<'_> {
        let mut waiting = lock(&self.waiting);
        // Any order: no name depends on another.
        let some: Vec<_> = waiting.iter().take(STEP).cloned().collect();
        for name in &some {
            waiting.remove(name);
        }
        if waiting.is_empty() {
            waiting.shrink_to(STEP);
        }
        Taken { names: self, some }
    }

    /// Adds these now.
    pub(crate) async fn put(&self, names: &[ChannelName]) -> Result<(), BrokerError> {
        self.change("ZADD", names, |change, name| {
            change.arg(0).arg(name);
        })
        .await
    }

    /// Takes these out.
    pub(crate) async fn remove(&self, names: &[ChannelName]) -> Result<(), BrokerError> {
        self.change("ZREM", names, |change, name| {
            change.arg(name);
        })
        .await
    }

    async fn change(&self, word: &str, names: &[ChannelName], argument: impl Fn(&mut Cmd, &str)) -> Result<(), BrokerError> {
        let mut by_shard = BTreeMap::new();
        for name in names {
            let change = by_shard.entry(shard(name)).or_insert_with_key(|shard| {
                let mut change = cmd(word);
                change.arg(self.keys.names(*shard));
                change
            });
            argument(change, name);
        }
        futures_util::future::try_join_all(by_shard.into_values().map(|change| self.run_one(change))).await.map(drop)
    }

    /// Names of a set from `from` on and before `to`, in order; each as `ZRANGEBYLEX` takes them. What is no name is left out.
    pub(crate) async fn page(&self, shard: u16, from: &[u8], to: &[u8], count: usize) -> Result<IndexPage, BrokerError> {
        let mut range = cmd("ZRANGEBYLEX");
        range.arg(self.keys.names(shard)).arg(from).arg(to).arg("LIMIT").arg(0).arg(count);
        let Value::Array(names) = self.run_one(range).await? else { return Err(unexpected_answer()) };
        let last = if names.len() < count { None } else { names.last() };
        let next = last.and_then(|last| if let Value::BulkString(last) = last { Some([b"(", &last[..]].concat()) } else { None });
        Ok(IndexPage { names: names.into_iter().filter_map(|name| text(name)?.parse().ok()).collect(), next })
    }

    /// Everything here may be done twice.
    async fn run_one(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, again: Resend::Safe }).await
    }
}

/// Some of the names of a set.
pub(crate) struct IndexPage {
    pub(crate) names: Vec<ChannelName>,
    /// From where on to read the next; none: there is none.
    pub(crate) next: Option<Vec<u8>>,
}

/// Names that are being written. They wait again if that fails, or is given up.
struct Taken<'a> {
    names: &'a ChannelIndex,
    some: Vec<ChannelName>,
}

impl Taken<'_> {
    fn done(mut self) {
        self.some.clear();
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if !self.some.is_empty() {
            lock(&self.names.waiting).extend(self.some.drain(..));
            self.names.changed.notify_one();
        }
    }
}

/// The set of a name: the same for every node.
pub(crate) fn shard(name: &str) -> u16 {
    Slot::of(name.as_bytes()).0 % SHARDS
}
