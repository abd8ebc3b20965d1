//! What is known of the dead letters in the store.

use crate::model::Tick;
use std::time::Duration;

/// Number of entries that become dead letters at the same time.
const AT_ONCE: usize = 16;

/// What is known of the dead letters in the store.
#[derive(Debug, Default)]
pub(in crate::queue::owner) struct DeadLetterMoves {
    pub(in crate::queue::owner) under_way: usize,
    pub(in crate::queue::owner) full: Option<Full>,
}

/// The store has as many dead letters as it may have.
#[derive(Debug)]
pub(in crate::queue::owner) struct Full {
    pub(in crate::queue::owner) pause: Duration,
    /// When to try it again. None: now.
    pub(in crate::queue::owner) until: Option<Tick>,
}

impl DeadLetterMoves {
    pub(in crate::queue::owner) fn until(&self) -> Option<Tick> {
        self.full.as_ref()?.until
    }

    pub(in crate::queue::owner) fn tick(&mut self, now: Tick) {
        if let Some(full) = &mut self.full
            && full.until.is_some_and(|until| until <= now)
        {
            full.until = None;
        }
    }

    pub(in crate::queue::owner) fn may_begin(&self) -> bool {
        match &self.full {
            None => self.under_way < AT_ONCE,
            Some(full) => self.under_way == 0 && full.until.is_none(),
        }
    }
}
