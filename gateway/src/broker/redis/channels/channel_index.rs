//! The channel index: the names of all channels that may be active, in order. With it, a list of channels need not scan all keys.
//!
//! A node adds a name when the channel gets its first publication or its first subscription. A list or the sweep removes the name of an
//! inactive channel. The node that adds a name first makes the channel active, then adds the name. The node that removes a name checks the
//! channel once more after the removal. So a name can be missing only if a node ended between these two steps, and only until later
//! publications or the sweep add it.
//!
//! The index consists of several sets. The hash of a name decides its set, so that a Redis Cluster spreads the index over several masters.
//! New names wait here for a write of many names together.

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

/// Number of sets.
pub(crate) const SHARDS: u16 = 16;
/// Largest number of names in one command.
const BATCH: usize = 1000;
/// Largest number of names that wait for the write, about 10 MB. Further names are only counted, and the sweep adds them.
const MAX_WAITING: usize = 100_000;
/// Pause after a failed write.
const RETRY: Duration = Duration::from_millis(500);

/// The channel index.
pub(crate) struct ChannelIndex {
    keys: Keys,
    lane: Arc<Lane>,
    counters: Arc<Counters>,
    waiting: Mutex<HashSet<ChannelName>>,
    /// Allows one write at a time. When a caller gets the lock, all names of earlier writes are in the index.
    writing: tokio::sync::Mutex<()>,
    changed: Notify,
}

impl ChannelIndex {
    pub(crate) fn new(keys: Keys, lane: Arc<Lane>, counters: Arc<Counters>) -> Self {
        Self { keys, lane, counters, waiting: Mutex::default(), writing: tokio::sync::Mutex::default(), changed: Notify::new() }
    }

    /// Adds the names of channels that have become active. They wait for the next write.
    pub(crate) fn add<'a>(&self, channels: impl IntoIterator<Item = &'a ChannelName>) {
        let mut waiting = lock(&self.waiting);
        for channel in channels {
            if waiting.len() < MAX_WAITING || waiting.contains(channel) {
                waiting.insert(channel.clone());
            } else {
                self.counters.unlisted.add(1);
            }
        }
        drop(waiting);
        self.changed.notify_one();
    }

    /// Writes new names to Redis. Never returns.
    pub(crate) async fn run(&self) {
        loop {
            self.changed.notified().await;
            while let Err(error) = self.write().await {
                tracing::warn!(%error, "new active channels are missing from lists until the channel index can be written");
                sleep(RETRY).await;
            }
        }
    }

    /// Writes all names that wait.
    pub(crate) async fn write(&self) -> Result<(), BrokerError> {
        let _guard = self.writing.lock().await;
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
        let some: Vec<_> = waiting.iter().take(BATCH).cloned().collect();
        for name in &some {
            waiting.remove(name);
        }
        if waiting.is_empty() {
            waiting.shrink_to(BATCH);
        }
        Taken { channel_index: self, some }
    }

    /// Adds these names to the index now, without a wait for other names.
    pub(crate) async fn put(&self, names: &[ChannelName]) -> Result<(), BrokerError> {
        self.change("ZADD", names, |change, name| {
            change.arg(0).arg(name);
        })
        .await
    }

    /// Removes these names from the index.
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
                change.arg(self.keys.channel_index(*shard));
                change
            });
            argument(change, name);
        }
        futures_util::future::try_join_all(by_shard.into_values().map(|change| self.run_one(change))).await.map(drop)
    }

    /// Reads at most `count` names of a set, in order. `from` and `to` are the bounds as `ZRANGEBYLEX` expects them. Leaves out entries
    /// that are not names of channels.
    pub(crate) async fn page(&self, shard: u16, from: &[u8], to: &[u8], count: usize) -> Result<IndexPage, BrokerError> {
        let mut range = cmd("ZRANGEBYLEX");
        range.arg(self.keys.channel_index(shard)).arg(from).arg(to).arg("LIMIT").arg(0).arg(count);
        let Value::Array(names) = self.run_one(range).await? else { return Err(unexpected_answer()) };
        let last = if names.len() < count { None } else { names.last() };
        let next = last.and_then(|last| if let Value::BulkString(last) = last { Some([b"(", &last[..]].concat()) } else { None });
        Ok(IndexPage { names: names.into_iter().filter_map(|name| text(name)?.parse().ok()).collect(), next })
    }

    /// It does no harm to run any of these commands twice.
    async fn run_one(&self, cmd: Cmd) -> Result<Value, BrokerError> {
        self.lane.run(Command { cmd, to: Target::Key, order: None, resend: Resend::Safe }).await
    }
}

/// A page of names of a set.
pub(crate) struct IndexPage {
    pub(crate) names: Vec<ChannelName>,
    /// Where the next page begins, if there is one.
    pub(crate) next: Option<Vec<u8>>,
}

/// Names that are being written. If the write fails or is cancelled, they wait again.
struct Taken<'a> {
    channel_index: &'a ChannelIndex,
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
            lock(&self.channel_index.waiting).extend(self.some.drain(..));
            self.channel_index.changed.notify_one();
        }
    }
}

/// The number of the set that contains a name. All nodes compute the same number.
pub(crate) fn shard(name: &str) -> u16 {
    Slot::of(name.as_bytes()).0 % SHARDS
}

#[cfg(test)]
mod tests;
