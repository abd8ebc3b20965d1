//! Counts of one worker thread. Only that thread writes them; every thread may read them.

use super::labels::{
    Closed, CommandKind, Count, DropCause, IgnoredCredentials, Label, Level, LogoutResult, OverflowPolicy, PostResult, UncheckedToken,
};
use gateway_core::model::ErrorCode;
use std::{
    marker::PhantomData,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// A count for each value of a label.
pub(super) struct Family<L, const N: usize> {
    cells: [AtomicU64; N],
    label: PhantomData<fn(L)>,
}

impl<L: Label, const N: usize> Default for Family<L, N> {
    fn default() -> Self {
        const { assert!(N == L::LEN, "one cell for each label value") };
        Self { cells: [const { AtomicU64::new(0) }; N], label: PhantomData }
    }
}

impl<L: Label, const N: usize> Family<L, N> {
    /// Load and store instead of an atomic addition, because there is only one writer.
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

/// Counts a running task as long as it exists.
pub struct OpenTask(Arc<WorkerMetrics>);

impl OpenTask {
    /// Counts one more task.
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

/// Counts of one worker. If another thread wrote, counts would be lost. The alignment gives each worker its own cache lines.
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
    pub(super) posted: Family<PostResult, { PostResult::LEN }>,
    pub(super) ignored_credentials: Family<IgnoredCredentials, { IgnoredCredentials::LEN }>,
    pub(super) logouts: Family<LogoutResult, { LogoutResult::LEN }>,
    pub(super) unchecked: Family<UncheckedToken, { UncheckedToken::LEN }>,
}

impl WorkerMetrics {
    /// Adds to a counter.
    pub fn count(&self, what: Count, by: u64) {
        self.counts.add(what, by);
    }

    /// The value of a counter.
    pub fn counted(&self, what: Count) -> u64 {
        self.counts.get(what.index())
    }

    /// Raises a gauge.
    pub fn raise(&self, what: Level, by: u64) {
        self.levels.add(what, by);
    }

    /// Lowers a gauge.
    pub fn lower(&self, what: Level, by: u64) {
        self.levels.add(what, by.wrapping_neg());
    }

    /// Sets a gauge.
    pub fn set(&self, what: Level, to: u64) {
        self.levels.set(what, to);
    }

    /// The value of a gauge.
    pub fn level(&self, what: Level) -> u64 {
        self.levels.get(what.index())
    }

    /// Counts a connection that ended.
    pub fn closed(&self, how: Closed) {
        self.closed.add(how, 1);
    }

    /// Number of connections that ended in this way.
    pub fn closings(&self, how: Closed) -> u64 {
        self.closed.get(how.index())
    }

    /// Counts a request with commands for the session of a stream.
    pub fn posted(&self, result: PostResult) {
        self.posted.add(result, 1);
    }

    /// Counts a logout token.
    pub fn logout(&self, result: LogoutResult) {
        self.logouts.add(result, 1);
    }

    /// Counts a token whose revocation could not be looked up.
    pub fn unchecked_token(&self, result: UncheckedToken) {
        self.unchecked.add(result, 1);
    }

    /// Number of such tokens.
    pub fn unchecked_tokens(&self, result: UncheckedToken) -> u64 {
        self.unchecked.get(result.index())
    }

    /// Counts a refused upgrade, or a refused request for a stream or with its commands.
    pub fn upgrade_refused(&self, why: ErrorCode) {
        self.refused.add(why, 1);
    }

    /// Counts a request whose cookies or passwords did not count.
    pub fn credentials_ignored(&self, why: IgnoredCredentials) {
        self.ignored_credentials.add(why, 1);
    }

    /// Counts a command.
    pub fn command(&self, which: CommandKind) {
        self.commands.add(which, 1);
    }

    /// Counts a command that was answered with an error.
    pub fn reply_error(&self, which: ErrorCode) {
        self.errors.add(which, 1);
    }

    /// Counts deliveries that were not made.
    pub fn dropped(&self, why: DropCause, deliveries: u64) {
        self.dropped.add(why, deliveries);
    }

    /// Number of deliveries that were not made for this cause.
    pub fn drops(&self, why: DropCause) -> u64 {
        self.dropped.get(why.index())
    }

    /// Counts an outbox that overflowed.
    pub fn overflowed(&self, policy: OverflowPolicy) {
        self.overflowed.add(policy, 1);
    }

    /// Number of outboxes that overflowed with this action.
    pub fn overflows(&self, policy: OverflowPolicy) -> u64 {
        self.overflowed.get(policy.index())
    }
}
