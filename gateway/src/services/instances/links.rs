//! The pool of one service, shared by its links and its calls.

use super::pool::Pool;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A [`Pool`] behind a lock that is held briefly and never across an await.
pub(crate) struct Links(Mutex<Pool>);

impl Links {
    pub(crate) fn new(pool: Pool) -> Self {
        Self(Mutex::new(pool))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Pool> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
