//! Tracks how long each stream has not grown. It uses only this process's clock, so clocks of different machines are never compared.
//! Sans-I/O.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// A stream that has not grown for this time has no writer: a writer sends four heartbeats in it.
const ABORT_AFTER: Duration = Duration::from_secs(4);
/// The instance that ended a stream has this time to publish the complete message.
const COMPLETE_AFTER: Duration = Duration::from_secs(3);

/// What to do with a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Action {
    Wait,
    /// End the stream and publish its complete message.
    Abort,
    /// Publish the complete message. The stream has an end.
    Complete,
}

#[derive(Debug)]
enum State {
    /// The stream has been at this position since then.
    Growing {
        position: (String, u64),
        since: Instant,
    },
    Ended {
        since: Instant,
    },
    /// The stream has an end and a complete message.
    Complete,
}

/// The last observed state of each stream. It only saves requests: a new instance gets the same results without it.
#[derive(Debug, Default)]
pub(super) struct StreamTracker {
    states: HashMap<String, State>,
}

impl StreamTracker {
    pub(super) fn retain(&mut self, stored: &HashSet<String>) {
        self.states.retain(|id, _| stored.contains(id));
    }

    pub(super) fn is_complete(&self, id: &str) -> bool {
        matches!(self.states.get(id), Some(State::Complete))
    }

    pub(super) fn set_complete(&mut self, id: &str) {
        self.states.insert(id.to_owned(), State::Complete);
    }

    /// The stream is at this position now, with or without an end.
    pub(super) fn observe(&mut self, id: &str, position: (String, u64), ended: bool, now: Instant) -> Action {
        match self.states.get(id) {
            Some(State::Ended { since }) if now - *since >= COMPLETE_AFTER => Action::Complete,
            Some(State::Complete | State::Ended { .. }) => Action::Wait,
            Some(State::Growing { position: before, since }) if !ended && *before == position => {
                if now - *since >= ABORT_AFTER {
                    Action::Abort
                } else {
                    Action::Wait
                }
            }
            Some(State::Growing { .. }) | None => {
                let state = if ended { State::Ended { since: now } } else { State::Growing { position, since: now } };
                self.states.insert(id.to_owned(), state);
                Action::Wait
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> (String, u64) {
        ("e".into(), offset)
    }

    #[tokio::test(start_paused = true)]
    async fn only_a_stream_that_does_not_grow_is_aborted() {
        let (mut tracker, start) = (StreamTracker::default(), Instant::now());
        let second = |n: u64| start + Duration::from_secs(n);
        for n in 0..20 {
            assert_eq!(tracker.observe("lives", at(n), false, second(n)), Action::Wait);
        }
        for n in 0..4 {
            assert_eq!(tracker.observe("dead", at(7), false, second(n)), Action::Wait);
        }
        assert_eq!(tracker.observe("dead", at(7), false, second(4)), Action::Abort);
        assert_eq!(tracker.observe("dead", at(7), false, second(5)), Action::Abort, "until it is complete");
        tracker.set_complete("dead");
        assert!(tracker.is_complete("dead"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_stream_is_completed_once() {
        let (mut tracker, start) = (StreamTracker::default(), Instant::now());
        assert_eq!(tracker.observe("x", at(1), false, start), Action::Wait);
        assert_eq!(tracker.observe("x", at(2), true, start), Action::Wait);
        assert_eq!(tracker.observe("x", at(2), true, start + COMPLETE_AFTER), Action::Complete);
        tracker.set_complete("x");
        assert_eq!(tracker.observe("x", at(2), true, start + COMPLETE_AFTER * 2), Action::Wait);
        tracker.retain(&HashSet::new());
        assert!(tracker.states.is_empty());
    }
}
