//! Order of calls: the calls of one key run one after the other.

use super::routes::route::OrderKey;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::oneshot;

/// The instance that got the key's last call. The next call prefers it.
pub(super) type PreferredInstance = Option<Arc<str>>;

/// The result of [`OrderQueues::enter`].
pub(super) enum Admission {
    /// No other call of this key is in flight. Start now.
    Now,
    /// Start when this receiver resolves.
    Wait(oneshot::Receiver<PreferredInstance>),
    /// Too many calls wait.
    Full,
}

/// One queue for each key with a call in flight.
pub(super) struct OrderQueues {
    waiting_max: usize,
    queues: HashMap<OrderKey, VecDeque<oneshot::Sender<PreferredInstance>>>,
}

impl OrderQueues {
    /// `waiting_max`: calls of one key that may wait.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { waiting_max, queues: HashMap::new() }
    }

    // NL-8.1
    pub(super) fn enter(&mut self, key: &OrderKey) -> Admission {
        let Some(waiting) = self.queues.get_mut(key) else {
            self.queues.insert(key.clone(), VecDeque::new());
            return Admission::Now;
        };
        if waiting.len() >= self.waiting_max {
            waiting.retain(|turn| !turn.is_closed());
        }
        if waiting.len() >= self.waiting_max {
            return Admission::Full;
        }
        let (sender, receiver) = oneshot::channel();
        waiting.push_back(sender);
        Admission::Wait(receiver)
    }

    /// Ends the current call of a key: the next call that still waits may start.
    pub(super) fn leave(&mut self, key: &OrderKey, instance: Option<&Arc<str>>) {
        let Some(waiting) = self.queues.get_mut(key) else { return };
        while let Some(next) = waiting.pop_front() {
            if next.send(instance.cloned()).is_ok() {
                return;
            }
        }
        self.queues.remove(key);
    }

    /// Number of waiting calls.
    pub(super) fn waiting(&self) -> usize {
        self.queues.values().map(|queue| queue.iter().filter(|turn| !turn.is_closed()).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> OrderKey {
        OrderKey::Member(text.into())
    }

    fn wait(queues: &mut OrderQueues, key: &OrderKey) -> oneshot::Receiver<PreferredInstance> {
        match queues.enter(key) {
            Admission::Wait(turn) => turn,
            Admission::Now | Admission::Full => panic!("expected to wait"),
        }
    }

    // NL-8.1
    #[test]
    fn a_key_waits_for_its_turn_and_others_do_not() {
        let (a, b) = (key("a"), key("b"));
        let mut queues = OrderQueues::new(8);
        assert!(matches!(queues.enter(&a), Admission::Now));
        let (mut second, mut third) = (wait(&mut queues, &a), wait(&mut queues, &a));
        assert!(matches!(queues.enter(&b), Admission::Now));
        assert!(second.try_recv().is_err());
        queues.leave(&a, Some(&"i1".into()));
        assert_eq!(second.try_recv(), Ok(Some("i1".into())));
        assert!(third.try_recv().is_err());
        queues.leave(&a, None);
        assert_eq!(third.try_recv(), Ok(None));
        queues.leave(&a, None);
        queues.leave(&b, None);
        assert!(queues.queues.is_empty(), "idle keys use no memory");
    }

    #[test]
    fn a_full_queue_refuses_unless_a_waiting_call_was_dropped() {
        let a = key("a");
        let mut queues = OrderQueues::new(2);
        assert!(matches!(queues.enter(&a), Admission::Now));
        let dropped = wait(&mut queues, &a);
        let mut stays = wait(&mut queues, &a);
        assert!(matches!(queues.enter(&a), Admission::Full));
        drop(dropped);
        let _late = wait(&mut queues, &a);
        assert_eq!(queues.waiting(), 2);
        queues.leave(&a, None);
        assert_eq!(stays.try_recv(), Ok(None), "the turn skips the dropped call");
    }
}
