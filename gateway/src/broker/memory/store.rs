//! All data of the memory broker. Sans-I/O: callers pass the time.

use super::{
    MemoryLimits,
    calls::Calls,
    idle::IdleChannels,
    presence::Presence,
    repeats::{Identity, Repeats},
    revocations::Revocations,
    shard::Shard,
    users::UserSubscriptions,
};
use crate::broker::{
    Announcement, BrokerError, BrokerStats, ChannelSummary, Delivery, Mailbox, NewPublication, NewPublications, PublishIdentity, Published,
    UserSubscription,
};
use gateway_core::{
    channel::Glob,
    model::{
        ChannelName, ClientInfo, ConnectionId, Page, PageLimit, PresenceStats, Publication, ReadRange, Retention, Revocation,
        RevocationTarget, Span, Tick, UserId, WorkerId, WorkerSet, lock,
    },
};
use std::{
    hash::BuildHasher,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

/// One moment, as two clocks show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) tick: Tick,
    /// Milliseconds since 1970.
    pub(super) unix_ms: u64,
}

/// All channels, in shards with a lock each, and the data that belongs to no channel. Lock order: first a shard, then one of the other
/// locks or a mailbox.
pub(super) struct Store {
    shards: Box<[Mutex<Shard>]>,
    hasher: foldhash::fast::RandomState,
    mailboxes: Vec<Arc<Mailbox>>,
    idle: IdleChannels,
    repeats: Box<Repeats>,
    users: Mutex<UserSubscriptions>,
    revocations: Box<Mutex<Revocations>>,
    calls: Box<Mutex<Calls>>,
    /// Size of all histories together, in bytes.
    bytes: AtomicUsize,
    bytes_bound: usize,
    /// The index of the next shard that trims publications.
    reclaims: AtomicUsize,
}

impl Store {
    /// Number of shards. It is large enough that the threads of a node seldom wait for the same lock.
    pub(super) const SHARDS: usize = 64;
    /// Largest number of expired histories that are removed under one lock.
    const SWEEP_BATCH: usize = 256;

    pub(super) fn new(mailboxes: Vec<Arc<Mailbox>>, limits: &MemoryLimits) -> Self {
        Self {
            shards: (0..Self::SHARDS).map(|_| Mutex::default()).collect(),
            hasher: foldhash::fast::RandomState::default(),
            mailboxes,
            idle: IdleChannels::new(limits.idle_channels, limits.position_ttl),
            repeats: Box::new(Repeats::new(limits)),
            users: Mutex::new(UserSubscriptions::new(limits.subscriptions_per_user, limits.user_subscriptions)),
            revocations: Box::new(Mutex::new(Revocations::new(limits.revocations))),
            calls: Box::new(Mutex::new(Calls::new(limits.idempotency_ttl, limits.answers, limits.answers_bytes))),
            bytes: AtomicUsize::new(0),
            bytes_bound: limits.history_bytes,
            reclaims: AtomicUsize::new(0),
        }
    }

    pub(super) fn publish(&self, now: Now, channel: &ChannelName, new: NewPublication) -> Result<Published, BrokerError> {
        let NewPublication { content, tags, info, traceparent, retention, identity } = new;
        let publication = Publication { position: None, content, tags, info, time_ms: now.unix_ms, traceparent };
        let published = self.carry_out(now, channel, [publication], retention, identity)?;
        Ok(published.map(Span::end))
    }

    // NL-2.19
    pub(super) fn publish_all(&self, now: Now, channel: &ChannelName, new: NewPublications) -> Result<Published<Span>, BrokerError> {
        let NewPublications { items, traceparent, retention, identity } = new;
        let publications = items.into_iter().map(|(content, tags)| {
            let traceparent = traceparent.clone();
            Publication { position: None, content, tags, info: None, time_ms: now.unix_ms, traceparent }
        });
        self.carry_out(now, channel, publications, Some(retention), identity)
    }

    fn carry_out(
        &self,
        now: Now,
        channel: &ChannelName,
        publications: impl IntoIterator<Item = Publication>,
        retention: Option<Retention>,
        identity: Option<PublishIdentity>,
    ) -> Result<Published<Span>, BrokerError> {
        let identity = identity.map(|identity| Identity::new(channel, identity, retention.is_some())).transpose()?;
        // One lock covers the positions, the history, the mailboxes and the identity. So all of them have the same order, and a repeat finds
        // all of them changed or none.
        let mut shard = self.shard_of(channel);
        if let Some(identity) = &identity
            && let Some(published) =
                self.repeats.find(channel, identity, retention, now.tick, || shard.top(channel, now.tick, &self.idle))?
        {
            return Ok(published);
        }
        let (mut span, mut woken) = (None::<Span>, WorkerSet::default());
        for publication in publications {
            let publication = match retention {
                Some(retention) => {
                    let (position, publication) = shard.append(channel, publication, retention, now.tick, &self.idle);
                    span = Some(span.map_or(position.into(), |span| Span { last: position.offset, ..span }));
                    publication
                }
                None => Arc::new(publication),
            };
            self.deliver(&shard, channel, &Delivery::Publication(publication), &mut woken);
        }
        if let Some(identity) = identity {
            self.repeats.remember(channel, identity, span.zip(retention), now.tick);
        }
        drop(shard);
        self.wake(woken);
        self.reclaim(now.tick);
        Ok(Published { position: span, replayed: false })
    }

    pub(super) fn announce(&self, channel: &ChannelName, announcement: Announcement) {
        let mut woken = WorkerSet::default();
        self.deliver(&self.shard_of(channel), channel, &Delivery::Announcement(announcement), &mut woken);
        self.wake(woken);
    }

    pub(super) fn subscribe(&self, channel: &ChannelName, worker: WorkerId) {
        self.shard_of(channel).subscribe(channel, worker);
    }

    pub(super) fn unsubscribe(&self, now: Now, channel: &ChannelName, worker: WorkerId) {
        self.shard_of(channel).unsubscribe(channel, worker, now.tick, &self.idle);
    }

    pub(super) fn read(&self, now: Now, channel: &ChannelName, retention: Retention, range: ReadRange, limit: PageLimit) -> Page {
        self.shard_of(channel).read(channel, retention, range, limit, now.tick, &self.idle)
    }

    pub(super) fn clear(&self, now: Now, channel: &ChannelName) {
        self.shard_of(channel).clear(channel, now.tick, &self.idle);
    }

    pub(super) fn presence_add(&self, channel: &ChannelName, info: Arc<ClientInfo>) {
        self.shard_of(channel).presence_mut(channel).add(info);
    }

    pub(super) fn presence_remove(&self, now: Now, channel: &ChannelName, connection: ConnectionId) {
        self.shard_of(channel).presence_remove(channel, connection, now.tick, &self.idle);
    }

    pub(super) fn presence(&self, channel: &ChannelName, limit: usize) -> Vec<Arc<ClientInfo>> {
        self.shard_of(channel).presence(channel).map_or_else(Vec::new, |presence| presence.list(limit))
    }

    pub(super) fn presence_stats(&self, channel: &ChannelName) -> PresenceStats {
        self.shard_of(channel).presence(channel).map_or_else(PresenceStats::default, Presence::stats)
    }

    /// Active channels of one shard that match. The names are matched outside the lock, so that a slow pattern does not make other threads
    /// wait.
    pub(super) fn channels(&self, now: Now, shard: usize, pattern: &Glob, after: Option<&str>) -> Vec<ChannelSummary> {
        let admits = |name: &ChannelName| after.is_none_or(|after| name.as_str() > after) && pattern.admits(name);
        let mut found = self.lock(shard).summaries(now.tick, admits);
        found.retain(|channel| pattern.matches(&channel.name));
        found
    }

    pub(super) fn put_user_subscription(&self, now: Now, user: &UserId, subscription: UserSubscription) -> Result<(), BrokerError> {
        lock(&self.users).put(user, subscription, now.unix_ms / 1000)
    }

    pub(super) fn delete_user_subscription(&self, now: Now, user: &UserId, channel: &ChannelName) -> bool {
        lock(&self.users).delete(user, channel, now.unix_ms / 1000)
    }

    pub(super) fn user_subscriptions(&self, now: Now, user: &UserId) -> Vec<UserSubscription> {
        lock(&self.users).list(user, now.unix_ms / 1000)
    }

    pub(super) fn revoke(&self, now: Now, target: &RevocationTarget, revocation: Revocation, ttl: Duration) -> Result<(), BrokerError> {
        let now = now.unix_ms / 1000;
        lock(&self.revocations).put(target, revocation, now.saturating_add(ttl.as_secs().max(1)), now)
    }

    pub(super) fn revoked(&self, now: Now, target: &RevocationTarget) -> Option<Revocation> {
        lock(&self.revocations).get(target, now.unix_ms / 1000)
    }

    /// Removes expired histories of one shard. Returns whether more have expired.
    pub(super) fn sweep_shard(&self, now: Now, shard: usize) -> bool {
        self.lock(shard).sweep(now.tick, Self::SWEEP_BATCH, &self.idle)
    }

    /// Removes all other expired data.
    pub(super) fn sweep_rest(&self, now: Now) {
        self.idle.sweep(now.tick);
        self.repeats.sweep(now.tick);
        lock(&self.users).sweep(now.unix_ms / 1000);
        self.calls().sweep(now.tick);
    }

    /// Calls that may be repeated.
    pub(super) fn calls(&self) -> MutexGuard<'_, Calls> {
        lock(&self.calls)
    }

    pub(super) fn stats(&self) -> BrokerStats {
        let (idle_channels, idle_evicted) = self.idle.stats();
        let [(idempotency_keys, idempotency_evicted), (producers, producers_evicted)] = self.repeats.stats();
        let (answers, answers_bytes, answers_evicted) = self.calls().stats();
        let user_subscriptions = lock(&self.users).len();
        let rest = BrokerStats {
            idle_channels,
            idempotency_keys,
            producers,
            answers,
            answers_bytes,
            user_subscriptions,
            idle_evicted,
            idempotency_evicted,
            producers_evicted,
            answers_evicted,
            ..BrokerStats::default()
        };
        (0..Self::SHARDS).fold(rest, |mut sum, shard| {
            let shard = self.lock(shard);
            sum.channels += shard.channels();
            sum.publications += shard.held().publications;
            sum.bytes += shard.held().bytes;
            sum.trimmed += shard.trimmed();
            sum
        })
    }

    #[cfg(test)]
    pub(super) fn mailboxes(&self) -> &[Arc<Mailbox>] {
        &self.mailboxes
    }

    /// Puts a delivery into the mailboxes of all workers that subscribe. Adds the workers to wake after the lock is released.
    fn deliver(&self, shard: &Shard, channel: &ChannelName, delivery: &Delivery, woken: &mut WorkerSet) {
        let Some((name, workers)) = shard.subscribers(channel) else { return };
        for worker in workers.iter() {
            if self.mailboxes.get(worker.index()).is_some_and(|mailbox| mailbox.enqueue(name, delivery.clone())) {
                woken.insert(worker);
            }
        }
    }

    fn wake(&self, workers: WorkerSet) {
        for mailbox in workers.iter().filter_map(|worker| self.mailboxes.get(worker.index())) {
            mailbox.wake();
        }
    }

    /// Trims histories until all of them together are within their limit. One shard after the other trims as much as the excess requires.
    fn reclaim(&self, now: Tick) {
        let mut without = 0;
        while without < Self::SHARDS {
            let excess = self.bytes.load(Relaxed).saturating_sub(self.bytes_bound);
            if excess == 0 {
                return;
            }
            let next = self.reclaims.fetch_add(1, Relaxed) % Self::SHARDS;
            without = if self.lock(next).reclaim(excess, now, &self.idle) { 0 } else { without + 1 };
        }
    }

    fn shard_of(&self, channel: &ChannelName) -> Locked<'_> {
        // The table in the shard has a hasher with another seed, so names in one shard do not collide in its table.
        self.lock(self.hasher.hash_one(channel) as usize % Self::SHARDS)
    }

    fn lock(&self, shard: usize) -> Locked<'_> {
        let shard = lock(&self.shards[shard]);
        Locked { before: shard.held().bytes, shard, bytes: &self.bytes }
    }
}

/// A locked shard. When it is released, it adds the change of its bytes to the total.
struct Locked<'a> {
    shard: MutexGuard<'a, Shard>,
    before: usize,
    bytes: &'a AtomicUsize,
}

impl Deref for Locked<'_> {
    type Target = Shard;

    fn deref(&self) -> &Shard {
        &self.shard
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Shard {
        &mut self.shard
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let after = self.shard.held().bytes;
        if after != self.before {
            // The sum wraps around, so a negative difference is correct, too.
            self.bytes.fetch_add(after.wrapping_sub(self.before), Relaxed);
        }
    }
}
