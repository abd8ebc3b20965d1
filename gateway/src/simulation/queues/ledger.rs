//! What happened to each event, and what must not happen.

use gateway_core::queue::{DeadReason, EntryId};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// The time for an acknowledgement.
pub(super) const VISIBILITY: Duration = Duration::from_secs(30);
/// How long the clock of the store that a node knows may be wrong: answers take time.
const CLOCK_MS: u64 = 15_000;

/// All events.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) events: Vec<Event>,
    by_entry: BTreeMap<EntryId, usize>,
    /// Number of ownerships that began, and of deliveries that were taken back.
    pub(super) takeovers: usize,
    pub(super) wrong: Option<String>,
}

/// What can be processed of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    Plain,
    /// Its processing fails.
    Poison,
    /// Its entry has no event.
    Malformed,
}

/// An event that the store accepted.
pub(super) struct Event {
    pub(super) key: usize,
    pub(super) nature: Nature,
    pub(super) expires_ms: Option<u64>,
    writes: Vec<Write>,
    not_sent: usize,
    pub(super) is_done: bool,
    is_refused: bool,
    /// It is no entry any more.
    pub(super) is_over: bool,
}

/// A delivery that was written.
struct Write {
    at: Instant,
    end: Option<(Instant, End)>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Done,
    Failed,
    Refused,
    Lost,
}

impl Event {
    /// Number of deliveries that failed, or were not acknowledged in time.
    fn failures(&self, now: Instant) -> usize {
        let failed = |write: &&Write| match write.end {
            Some((_, End::Failed | End::Refused | End::Lost)) => true,
            Some((at, End::Done)) => at >= write.at + VISIBILITY,
            None => now >= write.at + VISIBILITY,
        };
        self.writes.iter().filter(failed).count()
    }
}

impl Ledger {
    pub(super) fn wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    pub(super) fn stored(&mut self, id: EntryId, key: usize, nature: Nature, expires_ms: Option<u64>) {
        self.by_entry.insert(id, self.events.len());
        let (writes, not_sent) = (Vec::new(), 0);
        self.events.push(Event { key, nature, expires_ms, writes, not_sent, is_done: false, is_refused: false, is_over: false });
    }

    /// The event of an entry was stored once more.
    pub(super) fn stored_again(&mut self, event: usize) {
        self.wrong(format!("event {event} was stored twice"));
    }

    /// A consumer got a delivery. Returns which delivery of the event it is.
    pub(super) fn written(&mut self, event: usize, now: Instant, now_ms: u64) -> usize {
        let most = 1 + self.takeovers + self.events[event].failures(now) + self.events[event].not_sent;
        let (Event { key, expires_ms, .. }, written) = (&self.events[event], self.events[event].writes.len());
        let (key, expires_ms) = (*key, *expires_ms);
        if written == 0 && key > 0 {
            let waits = |other: &Event| other.key == key && !other.is_done && !other.is_over && other.nature != Nature::Malformed;
            if let Some(earlier) = self.events[..event].iter().position(waits) {
                self.wrong(format!("event {event} was delivered before event {earlier}, which has the same key"));
            }
        }
        if written >= most {
            self.wrong(format!("event {event} was delivered again without a reason"));
        }
        if expires_ms.is_some_and(|expires| expires + CLOCK_MS < now_ms) {
            self.wrong(format!("event {event} was delivered after it expired"));
        }
        self.events[event].writes.push(Write { at: now, end: None });
        written
    }

    pub(super) fn not_sent(&mut self, event: usize) {
        self.events[event].not_sent += 1;
    }

    pub(super) fn ended(&mut self, event: usize, write: usize, end: End, now: Instant) {
        let event = &mut self.events[event];
        event.writes[write].end.get_or_insert((now, end));
        event.is_done |= end == End::Done;
        event.is_refused |= end == End::Refused;
    }

    /// The store deletes an entry.
    pub(super) fn acknowledged(&mut self, id: EntryId) {
        let Some(event) = self.by_entry.get(&id).copied() else { return };
        if !self.events[event].is_done {
            self.wrong(format!("event {event} was deleted before a consumer was done with it"));
        }
        self.events[event].is_over = true;
    }

    /// An entry becomes a dead letter.
    pub(super) fn dead_lettered(&mut self, id: EntryId, reason: DeadReason, tries: usize, now: Instant, now_ms: u64) {
        let Some(at) = self.by_entry.get(&id).copied() else { return };
        let event = &mut self.events[at];
        let failures = event.failures(now);
        let is_right = match reason {
            DeadReason::Refused => event.is_refused,
            DeadReason::Tries => failures >= tries,
            DeadReason::Expired => event.expires_ms.is_some_and(|expires| expires < now_ms),
            DeadReason::Malformed => event.nature == Nature::Malformed,
            DeadReason::Unpublishable => false,
        };
        event.is_over = true;
        if !is_right {
            self.wrong(format!("event {at} became a dead letter: {}, after {failures} failures", reason.name()));
        }
    }

    /// The first event that is neither done nor a dead letter.
    pub(super) fn lost(&self) -> Option<usize> {
        self.events.iter().position(|event| !event.is_over)
    }

    pub(super) fn redelivered(&self) -> bool {
        self.events.iter().any(|event| event.writes.len() > 1)
    }
}
