//! The meters of many peers, in a table of fixed size.

use super::meter::nanos;
use crate::model::{Tick, lock};
use std::{
    hash::{BuildHasher as _, Hash, RandomState},
    num::NonZeroU64,
    sync::Mutex,
};

/// Peers whose entries are next to each other. A new one takes the place of one of these.
const WAYS: usize = 8;
/// Parts of a shared table, each with its lock, so that the workers seldom wait for each other.
const SHARDS: usize = 64;

/// The meters of one peer.
pub trait PeerMeters: Copy + Default {
    /// When they count nothing any more, in nanoseconds of the worker's clock.
    fn even_at(&self) -> u64;
}

/// The meters of many peers.
///
/// It has a fixed size. A new peer takes the place of the one, of eight, whose meters are the first to count nothing any more: if that moment has
/// passed, nothing is forgotten. Whoever wants to be forgotten needs other peers that have used more, in places that a secret chooses.
#[derive(Debug)]
pub struct PeerTable<M> {
    sets: Box<[[Entry<M>; WAYS]]>,
    forgotten: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry<M> {
    key: u64,
    meters: M,
}

impl<M: PeerMeters> PeerTable<M> {
    /// A table for about so many peers.
    pub fn new(peers: usize) -> Self {
        let sets = peers.div_ceil(WAYS).next_power_of_two();
        Self { sets: vec![[Entry::default(); WAYS]; sets].into(), forgotten: 0 }
    }

    /// The meters of a peer. The key is a hash of what identifies it, with a secret.
    pub fn of(&mut self, now: Tick, key: u64) -> &mut M {
        let at = key as usize & (self.sets.len() - 1);
        let set = &mut self.sets[at];
        let way = set.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            let first = (0..WAYS).min_by_key(|way| set[*way].meters.even_at()).unwrap_or_default();
            self.forgotten += u64::from(set[first].meters.even_at() > nanos(now));
            set[first] = Entry { key, meters: M::default() };
            first
        });
        &mut set[way].meters
    }

    /// How many peers lost their place while their meters counted something.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

/// Stands for a peer: a hash with the secret of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerKey(NonZeroU64);

/// A table that all workers of a node share. Their clocks have the same start.
#[derive(Debug)]
pub(super) struct SharedTable<M> {
    shards: Box<[Mutex<PeerTable<M>>]>,
    hasher: RandomState,
}

impl<M: PeerMeters> SharedTable<M> {
    /// A table for about so many peers.
    pub(super) fn new(peers: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::new(PeerTable::new(peers / SHARDS))).collect();
        Self { shards, hasher: RandomState::new() }
    }

    /// The key of a peer. Whoever asks for the same peer again and again keeps it.
    pub(super) fn key(&self, peer: impl Hash) -> PeerKey {
        PeerKey(NonZeroU64::new(self.hasher.hash_one(peer)).unwrap_or(NonZeroU64::MIN))
    }

    /// Passes the meters of a peer to `change`.
    pub(super) fn with<R>(&self, now: Tick, peer: PeerKey, change: impl FnOnce(&mut M) -> R) -> R {
        let key = peer.0.get();
        // The table uses the lowest bits.
        change(lock(&self.shards[(key >> 32) as usize % SHARDS]).of(now, key))
    }

    pub(super) fn forgotten(&self) -> u64 {
        self.shards.iter().map(|shard| lock(shard).forgotten()).sum()
    }
}
