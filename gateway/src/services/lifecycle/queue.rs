//! The lifecycle events that wait for one service. Takes the time as an argument.

use super::event::Lifecycle;
use crate::settings;
use gateway_core::model::Tick;
use std::{collections::VecDeque, time::Duration};

/// Limits of the lifecycle events of one service.
#[derive(Clone, Copy, Debug)]
pub struct LifecycleLimits {
    /// Number of events that may wait.
    pub queue_events: usize,
    /// How long an event waits.
    pub event_ttl: Duration,
    /// Largest number of events in one request to a webhook, at least 1.
    pub batch_events: usize,
    /// How long an event waits for others that go in the same request.
    pub batch_delay: Duration,
}

impl From<&settings::Lifecycle> for LifecycleLimits {
    fn from(settings: &settings::Lifecycle) -> Self {
        let settings::Lifecycle { queue_events, event_ttl, batch_events, batch_delay, .. } = *settings;
        Self { queue_events, event_ttl, batch_events, batch_delay }
    }
}

impl Default for LifecycleLimits {
    fn default() -> Self {
        Self { queue_events: 10_000, event_ttl: Duration::from_mins(10), batch_events: 100, batch_delay: Duration::from_millis(500) }
    }
}

/// What to do with a waiting event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::services) enum Fate {
    /// It goes on waiting.
    Wait,
    /// It leaves the queue.
    Leave,
}

/// The events, oldest first.
pub(in crate::services) struct LifecycleQueue {
    limits: LifecycleLimits,
    waiting: VecDeque<(Lifecycle, Tick)>,
}

impl LifecycleQueue {
    pub(in crate::services) fn new(limits: LifecycleLimits) -> Self {
        Self { limits, waiting: VecDeque::new() }
    }

    pub(in crate::services) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(in crate::services) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether another event fits. Events that would otherwise be sent later leave half of the places to the others.
    pub(in crate::services) fn has_room(&self, can_be_later: bool) -> bool {
        self.waiting.len() < if can_be_later { self.limits.queue_events / 2 } else { self.limits.queue_events }
    }

    pub(in crate::services) fn push(&mut self, event: Lifecycle, now: Tick) {
        self.waiting.push_back((event, now));
    }

    /// Puts events back that were taken last, in their order.
    pub(in crate::services) fn put_back(&mut self, events: Vec<Lifecycle>, now: Tick) {
        // The times in the queue never decrease.
        let since = self.waiting.front().map_or(now, |(_, since)| *since);
        events.into_iter().rev().for_each(|event| self.waiting.push_front((event, since)));
    }

    /// Decides on each event, oldest first.
    pub(in crate::services) fn visit(&mut self, mut fate: impl FnMut(&Lifecycle) -> Fate) {
        self.waiting.retain(|(event, _)| fate(event) == Fate::Wait);
        self.shrink();
    }

    /// The oldest events, as many as one request takes.
    pub(in crate::services) fn batch(&self) -> Vec<Lifecycle> {
        self.waiting.iter().take(self.limits.batch_events).map(|(event, _)| event.clone()).collect()
    }

    /// When a batch is due: at once if it is full. `None` if no event waits.
    pub(in crate::services) fn batch_due(&self) -> Option<Tick> {
        let (_, since) = self.waiting.front()?;
        Some(if self.waiting.len() < self.limits.batch_events { since.after(self.limits.batch_delay) } else { *since })
    }

    /// Removes the oldest `number` events.
    pub(in crate::services) fn remove(&mut self, number: usize) -> Vec<Lifecycle> {
        let removed = self.waiting.drain(..number.min(self.waiting.len())).map(|(event, _)| event).collect();
        self.shrink();
        removed
    }

    /// When the oldest event has waited too long. `None` if no event waits.
    pub(in crate::services) fn expiry(&self) -> Option<Tick> {
        self.waiting.front().map(|(_, since)| since.after(self.limits.event_ttl))
    }

    /// Removes the events that waited too long.
    pub(in crate::services) fn remove_expired(&mut self, now: Tick) -> Vec<Lifecycle> {
        let expired = self.waiting.iter().take_while(|(_, since)| now.since(*since) >= self.limits.event_ttl).count();
        self.remove(expired)
    }

    fn shrink(&mut self) {
        if self.waiting.is_empty() {
            self.waiting.shrink_to(64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::event::Change, *};
    use crate::services::Origin;
    use gateway_core::model::ConnectionId;

    fn event(number: u64) -> Lifecycle {
        let origin =
            Origin { holder: "n1/1".into(), connection: ConnectionId::random(), user: "alice".parse().expect("valid"), meta: None };
        Lifecycle { time_ms: number, ..Lifecycle::new(Change::Connected(origin)) }
    }

    fn queue(of: std::ops::Range<u64>) -> LifecycleQueue {
        let limits = LifecycleLimits { queue_events: 8, batch_events: 3, ..LifecycleLimits::default() };
        let mut queue = LifecycleQueue::new(limits);
        of.for_each(|number| queue.push(event(number), Tick(number)));
        queue
    }

    fn numbers(events: &[Lifecycle]) -> Vec<u64> {
        events.iter().map(|event| event.time_ms).collect()
    }

    #[test]
    fn a_batch_is_due_once_it_is_full_or_its_first_event_has_waited() {
        assert_eq!(queue(0..0).batch_due(), None);
        assert_eq!((queue(7..9).batch_due(), queue(7..10).batch_due()), (Some(Tick(507)), Some(Tick(7))));
        let mut queue = queue(0..5);
        assert_eq!(numbers(&queue.batch()), [0, 1, 2]);
        queue.remove(3);
        assert_eq!((numbers(&queue.batch()), queue.batch_due()), (vec![3, 4], Some(Tick(503))));
    }

    #[test]
    fn events_that_can_be_sent_later_leave_half_of_the_places_free() {
        for (waiting, expected) in [(3, (true, true)), (4, (true, false)), (7, (true, false)), (8, (false, false))] {
            let queue = queue(0..waiting);
            assert_eq!((queue.has_room(false), queue.has_room(true)), expected, "{waiting}");
        }
    }

    #[test]
    fn events_leave_one_by_one_or_after_their_time_and_keep_their_order() {
        let mut queue = queue(0..6);
        queue.visit(|event| if event.time_ms % 2 == 0 { Fate::Leave } else { Fate::Wait });
        queue.put_back(vec![event(10), event(11)], Tick(0));
        assert_eq!(numbers(&queue.remove(4)), [10, 11, 1, 3]);
        queue.push(event(6), Tick(900));
        let ttl = LifecycleLimits::default().event_ttl;
        assert_eq!(numbers(&queue.remove_expired(Tick(4).after(ttl))), [0; 0]);
        assert_eq!(numbers(&queue.remove_expired(Tick(5).after(ttl))), [5]);
        assert_eq!(queue.len(), 1);
    }
}
