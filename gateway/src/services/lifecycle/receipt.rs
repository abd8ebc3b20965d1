//! Tells the registry that an event needs no further attempt.

use gateway_core::model::lock;
use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
};

/// Runs an action once the event that has this receipt, and all copies of the event, were sent or dropped. Until then the event is in the registry,
/// where other nodes find it if this one dies.
#[derive(Clone)]
pub struct Receipt(Arc<Pending>);

struct Pending(Mutex<Option<Action>>);

type Action = Box<dyn FnOnce() + Send>;

impl Receipt {
    /// A receipt with this action.
    pub fn new(action: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Pending(Mutex::new(Some(Box::new(action))))))
    }

    /// Prevents the action: the event has to be sent again later.
    pub(in crate::services) fn cancel(&self) {
        lock(&self.0.0).take();
    }

    /// Refers to the copies of the event that services took.
    pub(in crate::services) fn sent(&self) -> SentReceipt {
        SentReceipt(Arc::downgrade(&self.0))
    }
}

/// A receipt whose action was cancelled, while services may not have their copies of the event yet.
pub(in crate::services) struct SentReceipt(Weak<Pending>);

impl SentReceipt {
    /// Delays the action of a later receipt until these copies, too, were sent or dropped.
    pub(in crate::services) fn hold_back(&self, later: &Receipt) {
        if let Some(pending) = self.0.upgrade() {
            let later = later.clone();
            let earlier = lock(&pending.0).replace(Box::new(move || drop(later)));
            drop(earlier);
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(action) = lock(&self.0).take() {
            action();
        }
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

    #[test]
    fn the_last_copy_runs_the_action_unless_it_is_cancelled() {
        let runs = Arc::new(AtomicU32::new(0));
        let receipt = || {
            let runs = runs.clone();
            Receipt::new(move || {
                runs.fetch_add(1, Relaxed);
            })
        };
        let (first, second) = (receipt(), receipt());
        let copy = first.clone();
        drop(first);
        assert_eq!(runs.load(Relaxed), 0, "a copy is left");
        drop(copy);
        assert_eq!(runs.load(Relaxed), 1);
        second.cancel();
        drop(second);
        assert_eq!(runs.load(Relaxed), 1);
    }
}
