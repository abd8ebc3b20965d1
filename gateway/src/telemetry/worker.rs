//! Counts of one worker thread: plain numbers, which only that thread writes and any thread reads.

use super::labels::{Closed, CommandKind, Count, DropCause, Label, Level, OverflowPolicy};
use gateway_core::model::ErrorCode;
use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// One number per label value.
pub(super) struct Family<L, const N: usize> {
    cells: [AtomicU64; N],
    label: PhantomData<fn(L)>,
}

impl<L: Label, const N: usize> Default for Family<L, N> {
    fn default() -> Self {
        const { assert!(N == L::LEN, "a cell for each label value") };
        Self { cells: [const { AtomicU64::new(0) }; N], label: PhantomData }
    }
}

impl<L: Label, const N: usize> Family<L, N> {
    /// Load and store instead of a locked addition: there is one writer.
    fn add(&self, label: L, by: u64) {
        let cell = &self.cells[label.index()];
        cell.store(cell.load(Relaxed).wrapping_add(by), Relaxed);
    }

    fn set(&self, label: L, to: u64) {
        self.cells[label.index()].store(to, Relaxed);
    }

    pub(super) fn get(&self, index: usize) -> u64 {
        self.cells[index].load(Relaxed)
    }
}

/// A task that is counted among those open while this lives.
pub struct OpenTask(Arc<WorkerMetrics>);

impl OpenTask {
    /// One more.
    pub fn new(metrics: &Arc<WorkerMetrics>) -> Self {
        metrics.raise(Level::TasksOpen, 1);
        Self(metrics.clone())
    }
}

impl Drop for OpenTask {
    fn drop(&mut self) {
        self.0.lower(Level::TasksOpen, 1);
    }
}

/// What one worker counts. Only the worker's own thread may write, else counts are lost; in cache lines of its own.
#[repr(align(128))]
#[derive(Default)]
pub struct WorkerMetrics {
    pub(super) counts: Family<Count, { Count::LEN }>,
    pub(super) levels: Family<Level, { Level::LEN }>,
    pub(super) closed: Family<Closed, { Closed::LEN }>,
    pub(super) refused: Family<ErrorCode, { ErrorCode::LEN }>,
    pub(super) commands: Family<CommandKind, { CommandKind::LEN }>,
    pub(super) errors: Family<ErrorCode, { ErrorCode::LEN }>,
    pub(super) dropped: Family<DropCause, { DropCause::LEN }>,
    pub(super) overflowed: Family<OverflowPolicy, { OverflowPolicy::LEN }>,
}

impl WorkerMetrics {
    /// Adds to a counter.
    pub fn count(&self, what: Count, by: u64) {
        self.counts.add(what, by);
    }

    /// What a counter has come to.
    pub fn counted(&self, what: Count) -> u64 {
        self.counts.get(what.index())
    }

    /// Adds to a gauge.
    pub fn raise(&self, what: Level, by: u64) {
        self.levels.add(what, by);
    }

    /// Takes from a gauge what was added before.
    pub fn lower(&self, what: Level, by: u64) {
        self.levels.add(what, by.wrapping_neg());
    }

    /// Sets a gauge.
    pub fn set(&self, what: Level, to: u64) {
        self.levels.set(what, to);
    }

    /// What a gauge shows.
    pub fn level(&self, what: Level) -> u64 {
        self.levels.get(what.index())
    }

    /// A connection ended.
    pub fn closed(&self, how: Closed) {
        self.closed.add(how, 1);
    }

    /// How many have ended in this way.
    pub fn closings(&self, how: Closed) -> u64 {
        self.closed.get(how.index())
    }

    /// An upgrade was refused.
    pub fn upgrade_refused(&self, why: ErrorCode) {
        self.refused.add(why, 1);
    }

    /// A command came.
    pub fn command(&self, which: CommandKind) {
        self.commands.add(which, 1);
    }

    /// A command was answered with an error.
    pub fn reply_error(&self, which: ErrorCode) {
        self.errors.add(which, 1);
    }

    /// Deliveries were not made.
    pub fn dropped(&self, why: DropCause, deliveries: u64) {
        self.dropped.add(why, deliveries);
    }

    /// How many were not made for this cause.
    pub fn drops(&self, why: DropCause) -> u64 {
        self.dropped.get(why.index())
    }

    /// An outbox overflowed.
    pub fn overflowed(&self, policy: OverflowPolicy) {
        self.overflowed.add(policy, 1);
    }

    /// How many of them have met this.
    pub fn overflows(&self, policy: OverflowPolicy) -> u64 {
        self.overflowed.get(policy.index())
    }
}
