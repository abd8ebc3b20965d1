//! Questions that wait until a service has room for them.

use gateway_core::model::{ErrorCode, Refusal, lock};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

#[cfg(test)]
mod tests;

/// Longest pause until the first question looks for room again: nobody tells when a breaker closes, or when an event of a webhook ends.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The questions that wait until a service has room for them, in the order in which they came. Whoever asks limits their number.
#[derive(Default)]
pub(in crate::services) struct RoomQueue {
    /// The number of those in `waiting`, so that the end of a call costs one load if nobody waits.
    count: AtomicUsize,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last: u64,
    by_number: BTreeMap<u64, Arc<Notify>>,
}

/// How a question got room.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::services) enum Entry<T> {
    /// There was room when it came.
    AtOnce(T),
    /// It waited for room.
    AfterWait(T),
    /// There was none in its time.
    None,
}

impl RoomQueue {
    /// Sends a question as soon as the service has room and no earlier question waits. `send` fails with `overloaded` if there is no room;
    /// any other error ends the wait.
    pub(in crate::services) async fn enter<T>(
        &self,
        deadline: Instant,
        send: impl Fn() -> Result<T, Refusal>,
    ) -> Result<Entry<T>, Refusal> {
        if self.count.load(SeqCst) == 0 {
            match send() {
                Err(refusal) if refusal.code == ErrorCode::Overloaded => {}
                outcome => return outcome.map(Entry::AtOnce),
            }
        }
        // It waits before it looks again, so that it does not miss a call that ends meanwhile.
        let place = self.take_place();
        loop {
            let mut until = deadline;
            if place.is_first() {
                match send() {
                    Err(refusal) if refusal.code == ErrorCode::Overloaded => until = deadline.min(Instant::now() + LOOK_AGAIN),
                    outcome => return outcome.map(Entry::AfterWait),
                }
            }
            if timeout_at(until, place.woken.notified()).await.is_err() && until == deadline {
                return Ok(Entry::None);
            }
        }
    }

    /// Lets the first question look for room. To be called when there may be some.
    pub(in crate::services) fn wake(&self) {
        if self.count.load(SeqCst) > 0 {
            lock(&self.waiting).wake_first();
        }
    }

    #[cfg(test)]
    fn is_empty(&self) -> bool {
        lock(&self.waiting).by_number.is_empty()
    }

    fn take_place(&self) -> Place<'_> {
        let woken = Arc::new(Notify::new());
        let mut waiting = lock(&self.waiting);
        waiting.last += 1;
        let number = waiting.last;
        waiting.by_number.insert(number, Arc::clone(&woken));
        self.count.store(waiting.by_number.len(), SeqCst);
        Place { queue: self, number, woken }
    }
}

impl Waiting {
    fn is_first(&self, number: u64) -> bool {
        self.by_number.first_key_value().is_some_and(|(first, _)| *first == number)
    }

    fn wake_first(&self) {
        if let Some((_, first)) = self.by_number.first_key_value() {
            first.notify_one();
        }
    }
}

/// The place of a question in the queue. Dropping it lets the next one look for room.
struct Place<'a> {
    queue: &'a RoomQueue,
    number: u64,
    woken: Arc<Notify>,
}

impl Place<'_> {
    fn is_first(&self) -> bool {
        lock(&self.queue.waiting).is_first(self.number)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.queue.waiting);
        let was_first = waiting.is_first(self.number);
        waiting.by_number.remove(&self.number);
        self.queue.count.store(waiting.by_number.len(), SeqCst);
        if was_first {
            waiting.wake_first();
        }
    }
}
