//! Which streams have not moved for how long, by this process's own clock: no two clocks are compared. Sans-I/O.

use std::collections::{HashMap, HashSet};
use std::time::Duration;
use tokio::time::Instant;

/// A stream that has not moved for so long has no speaker: it would have given a sign of life four times.
const PATIENCE: Duration = Duration::from_secs(4);
/// Time that whoever ended a stream has to leave the finished line.
const COURTESY: Duration = Duration::from_secs(3);

/// What is to be done about a stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Wait,
    /// End it, then leave the finished line.
    Abort,
    /// It has an end: see to the finished line.
    Finish,
}

#[derive(Debug)]
enum Seen {
    Unmoved { at: (String, u64), since: Instant },
    Ended { since: Instant },
    Settled,
}

/// What was seen of each stream. Only a saving: an instance that starts anew sees it all again.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: HashMap<String, Seen>,
}

impl Watch {
    pub(super) fn forget_all_but(&mut self, held: &HashSet<String>) {
        self.seen.retain(|id, _| held.contains(id));
    }

    pub(super) fn is_settled(&self, id: &str) -> bool {
        matches!(self.seen.get(id), Some(Seen::Settled))
    }

    pub(super) fn settle(&mut self, id: &str) {
        self.seen.insert(id.to_owned(), Seen::Settled);
    }

    /// A stream stands at `at`, and has an end or not.
    pub(super) fn see(&mut self, id: &str, at: (String, u64), ended: bool, now: Instant) -> Verdict {
        match self.seen.get(id) {
            Some(Seen::Ended { since }) if now - *since >= COURTESY => Verdict::Finish,
            Some(Seen::Settled | Seen::Ended { .. }) => Verdict::Wait,
            Some(Seen::Unmoved { at: before, since }) if !ended && *before == at => {
                if now - *since >= PATIENCE {
                    Verdict::Abort
                } else {
                    Verdict::Wait
                }
            }
            Some(Seen::Unmoved { .. }) | None => {
                let seen = if ended { Seen::Ended { since: now } } else { Seen::Unmoved { at, since: now } };
                self.seen.insert(id.to_owned(), seen);
                Verdict::Wait
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
    async fn only_what_does_not_move_is_aborted() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        let second = |n: u64| start + Duration::from_secs(n);
        for n in 0..20 {
            assert_eq!(watch.see("lives", at(n), false, second(n)), Verdict::Wait);
        }
        for n in 0..4 {
            assert_eq!(watch.see("dead", at(7), false, second(n)), Verdict::Wait);
        }
        assert_eq!(watch.see("dead", at(7), false, second(4)), Verdict::Abort);
        assert_eq!(watch.see("dead", at(7), false, second(5)), Verdict::Abort, "again, until it is settled");
        watch.settle("dead");
        assert!(watch.is_settled("dead"));
    }

    #[tokio::test(start_paused = true)]
    async fn an_ended_stream_is_seen_to_once() {
        let (mut watch, start) = (Watch::default(), Instant::now());
        assert_eq!(watch.see("x", at(1), false, start), Verdict::Wait);
        assert_eq!(watch.see("x", at(2), true, start), Verdict::Wait);
        assert_eq!(watch.see("x", at(2), true, start + COURTESY), Verdict::Finish);
        watch.settle("x");
        assert_eq!(watch.see("x", at(2), true, start + COURTESY * 2), Verdict::Wait);
        watch.forget_all_but(&HashSet::new());
        assert!(watch.seen.is_empty());
    }
}
