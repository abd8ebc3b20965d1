//! Placeholder until the real one lands.
#![allow(missing_docs)]
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
#[derive(Default, Debug)]
pub struct Count(AtomicU64);
impl Count {
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed) + n, Relaxed);
    }
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
#[derive(Clone, Copy, Debug)]
pub enum CloseCause {
    Session,
    OutboxFull,
    WorkerOutboxesFull,
    WriteTimeout,
    Violation,
    MessageTimeout,
    Peer,
    PeerGone,
}
#[derive(Clone, Copy, Debug)]
pub enum DropCause {
    AtMostOnce,
    Latest,
    JoinLeave,
}
#[derive(Default, Debug)]
pub struct WorkerMetrics {
    pub connections_open: Count,
    pub channels_open: Count,
    pub outbox_bytes: Count,
    pub deliveries: Count,
    pub fan_out_batches: Count,
    pub backfills: Count,
    pub gaps_lost: Count,
    pub connections_opened: Count,
    pub frames_in: Count,
    pub bytes_out: Count,
}
impl WorkerMetrics {
    pub fn closed(&self, _: CloseCause, _: u16) {}
    pub fn dropped(&self, _: DropCause, _: u64) {}
}
