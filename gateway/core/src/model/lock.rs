//! Locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks although a holder may have panicked: what these locks guard is changed in steps that each leave it whole.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
