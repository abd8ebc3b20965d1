//! The limit of open connections, and the end of admissions in a drain.

use crate::transport::websocket::Denial;
use gateway_core::model::ErrorCode;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Counts the open connections of all workers, and admits new ones up to the limit.
pub(in crate::server) struct Admissions {
    open: AtomicUsize,
    limit: usize,
    retry_after: Duration,
    draining: AtomicBool,
    emptied: Notify,
}

impl Admissions {
    pub(in crate::server) fn new(limit: usize, retry_after: Duration) -> Self {
        Self { open: AtomicUsize::new(0), limit, retry_after, draining: AtomicBool::new(false), emptied: Notify::new() }
    }

    pub(in crate::server) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    pub(in crate::server) fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Waits until no connection is open.
    pub(in crate::server) async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.open() == 0 {
                return;
            }
            emptied.await;
        }
    }

    pub(super) fn admit(self: &Arc<Self>) -> Result<Permit, Denial> {
        if self.draining.load(Relaxed) {
            return Err(Denial::retry_after(ErrorCode::Draining, self.retry_after));
        }
        let permit = Permit(self.clone());
        if self.open.fetch_add(1, Relaxed) >= self.limit {
            return Err(Denial::retry_after(ErrorCode::ConnectionLimit, self.retry_after));
        }
        Ok(permit)
    }
}

/// The right to one open connection. Its drop frees the place for another connection.
pub(super) struct Permit(Arc<Admissions>);

impl Drop for Permit {
    fn drop(&mut self) {
        if self.0.open.fetch_sub(1, Relaxed) == 1 {
            self.0.emptied.notify_waiters();
        }
    }
}
