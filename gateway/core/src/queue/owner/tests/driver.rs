//! A backlog with a store and a consumer, both simple, and the promises between them.

use crate::{
    model::Tick,
    queue::{
        DeadLettered, DeadReason, EntryId,
        owner::{Backlog, Content, Handout, OwnerLimits, Read, ReadEntry, Report, Ticket},
    },
};
use std::{collections::BTreeMap, time::Duration};

/// The store's clock at tick 0.
pub(super) const START_MS: u64 = 1_000_000;

pub(super) fn limits() -> OwnerLimits {
    OwnerLimits {
        tries: 3,
        retry_min: Duration::from_secs(1),
        retry_max: Duration::from_secs(10),
        visibility: Duration::from_secs(30),
        window: 8,
        window_bytes: 1000,
        blocked_ids: 100,
        entry_bytes: 100,
    }
}

#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) key: String,
    pub(super) bytes: usize,
    pub(super) expires_ms: Option<u64>,
    pub(super) tries: u32,
    is_malformed: bool,
}

/// What happened to an entry.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    deliveries: usize,
    /// Failures that count as tries.
    failures: u32,
    not_sent: usize,
    is_refused: bool,
    is_done: bool,
}

/// When a delivery was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    No,
    At(Tick),
    /// So long ago that its time is over.
    Late,
}

/// An answer of the simulated store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Arrives,
    /// The store did it, and the answer is lost.
    IsLost,
}

pub(super) struct Driver {
    pub(super) backlog: Backlog<EntryId>,
    pub(super) limits: OwnerLimits,
    pub(super) now: Tick,
    generation: u64,
    pub(super) stream: BTreeMap<EntryId, Stored>,
    /// Entries that were handed out as new.
    read_up_to: Option<EntryId>,
    pub(super) past: BTreeMap<EntryId, Past>,
    pub(super) dead: BTreeMap<EntryId, DeadReason>,
    pub(super) places: usize,
    /// What the consumer has.
    pub(super) held: Vec<(Handout<EntryId>, Written)>,
    /// Takeovers so far: each may repeat deliveries and forget tries.
    takeovers: u32,
    seq: u64,
    largest: usize,
}

impl Driver {
    pub(super) fn new(limits: OwnerLimits) -> Self {
        Self {
            backlog: Backlog::new(limits, 1, 1, Tick(0), START_MS),
            limits,
            now: Tick(0),
            generation: 1,
            stream: BTreeMap::new(),
            read_up_to: None,
            past: BTreeMap::new(),
            dead: BTreeMap::new(),
            places: usize::MAX,
            held: Vec::new(),
            takeovers: 0,
            seq: 0,
            largest: 0,
        }
    }

    pub(super) fn enqueue(&mut self, key: &str) -> EntryId {
        self.enqueue_as(key, 10, None)
    }

    pub(super) fn enqueue_as(&mut self, key: &str, bytes: usize, expires: Option<Duration>) -> EntryId {
        self.seq += 1;
        let id = EntryId { ms: START_MS + self.now.0, seq: self.seq };
        let expires_ms = expires.map(|time| id.ms + time.as_millis() as u64);
        let is_malformed = bytes > self.limits.entry_bytes;
        self.stream.insert(id, Stored { key: key.to_owned(), bytes, expires_ms, tries: 0, is_malformed });
        self.largest = self.largest.max(bytes.min(self.limits.entry_bytes));
        id
    }

    /// Carries out the next read. Returns whether there was one.
    pub(super) fn read(&mut self, answer: Answer) -> bool {
        if self.backlog.awaits_arrival().is_some_and(|after| self.stream.range(after..).any(|(id, _)| *id > after)) {
            self.backlog.arrived();
        }
        let Some(read) = self.backlog.next_read(self.now) else { return false };
        let (ids, limits): (Vec<EntryId>, _) = match read {
            Read::Pending { after, limits } => {
                let known = |id: &EntryId| Some(*id) > after && Some(*id) <= self.read_up_to;
                (self.stream.keys().copied().filter(known).collect(), limits)
            }
            Read::New { limits } => (self.stream.keys().copied().filter(|id| Some(*id) > self.read_up_to).collect(), limits),
            Read::Load { ids, limits } => (ids, limits),
        };
        assert!(limits.entries > 0 && limits.bytes > 0);
        let mut bytes = 0;
        let mut entries = Vec::new();
        for id in ids.into_iter().take(limits.entries) {
            let (tries, content) = match self.stream.get(&id) {
                None => (0, Content::Gone),
                Some(stored) if stored.is_malformed => (stored.tries, Content::Malformed("malformed".into())),
                Some(Stored { key, bytes, expires_ms, tries, .. }) => {
                    (*tries, Content::Event { key: key.as_str().into(), bytes: *bytes, expires_ms: *expires_ms, payload: id })
                }
            };
            let size = if let Content::Event { bytes, .. } = &content { *bytes } else { 0 };
            if bytes + size > limits.bytes && !entries.is_empty() {
                break;
            }
            bytes += size;
            self.read_up_to = self.read_up_to.max(Some(id));
            entries.push(ReadEntry { id, tries, content });
        }
        match answer {
            Answer::Arrives => self.backlog.read(entries, self.now),
            Answer::IsLost => self.backlog.read_failed(),
        }
        self.check_bounds();
        true
    }

    /// The consumer takes the next delivery.
    pub(super) fn take(&mut self) -> Option<Handout<EntryId>> {
        let handout = self.backlog.next_delivery(self.now)?;
        let id = handout.ticket.entry;
        assert_eq!(handout.payload, id);
        let stored = self.stream.get(&id).expect("it was not deleted");
        assert!(!self.is_expired(id), "{id} is expired");
        if !stored.key.is_empty() {
            for (earlier, other) in self.stream.range(..id) {
                let is_over = self.past.get(earlier).is_some_and(|past| past.is_done);
                assert!(other.key != stored.key || is_over || other.is_malformed, "{id} is before {earlier}, which has the same key");
            }
        }
        let past = self.past.entry(id).or_default();
        past.deliveries += 1;
        let most = 1 + past.failures as usize + past.not_sent + self.takeovers as usize;
        assert!(past.deliveries <= most, "{id} was delivered {} times without a reason", past.deliveries);
        assert!(handout.ticket.attempt <= past.failures + 1, "{id}: try {} after {} failures", handout.ticket.attempt, past.failures);
        self.held.push((handout.clone(), Written::No));
        Some(handout)
    }

    fn is_expired(&self, id: EntryId) -> bool {
        self.stream.get(&id).and_then(|stored| stored.expires_ms).is_some_and(|ms| ms < START_MS + self.now.0)
    }

    pub(super) fn report(&mut self, ticket: Ticket, report: Report) {
        let at = self.held.iter().position(|(held, _)| held.ticket == ticket);
        let is_current = ticket.generation() == self.generation;
        let is_open = is_current && at.is_none_or(|at| self.held[at].1 != Written::Late);
        let past = self.past.entry(ticket.entry).or_default();
        match &report {
            Report::Sent => at.into_iter().for_each(|at| self.held[at].1 = Written::At(self.now)),
            Report::Done if is_current => past.is_done = true,
            Report::NotSent => past.not_sent += 1,
            Report::Failed { temporary: false, .. } if is_current => {
                past.failures += u32::from(is_open);
                past.is_refused = true;
            }
            Report::Failed { .. } | Report::Lost if is_open => past.failures += 1,
            Report::Done | Report::Failed { .. } | Report::Lost => {}
        }
        if report != Report::Sent {
            at.map(|at| self.held.remove(at));
        }
        self.backlog.report(ticket, report, self.now);
        self.check_bounds();
    }

    /// Takes the next delivery, and reports it as written.
    pub(super) fn send(&mut self) -> Option<Ticket> {
        let ticket = self.take()?.ticket;
        self.report(ticket, Report::Sent);
        Some(ticket)
    }

    pub(super) fn fail(&mut self, ticket: Ticket) {
        self.report(ticket, Report::Failed { temporary: true, retry_after: None, detail: "it failed".into() });
    }

    /// The store does everything that the backlog wants it to do, except reads.
    pub(super) fn store(&mut self) {
        let done = self.backlog.take_done(256);
        for id in &done {
            assert!(self.stream.get(id).is_none_or(|_| self.past.get(id).is_some_and(|past| past.is_done)), "{id} is not done");
            self.stream.remove(id);
        }
        self.backlog.confirmed(done.len());
        for (id, tries) in self.backlog.take_tried(256) {
            self.stream.get_mut(&id).into_iter().for_each(|stored| stored.tries = tries);
        }
        while let Some(letter) = self.backlog.next_dead_letter() {
            let outcome = if self.dead.len() < self.places { DeadLettered::Moved } else { DeadLettered::Full };
            if outcome == DeadLettered::Moved && self.stream.contains_key(&letter.id) {
                self.check_dead_letter(letter.id, letter.reason);
                self.stream.remove(&letter.id);
                self.dead.insert(letter.id, letter.reason);
            }
            self.backlog.dead_lettered(letter.id, outcome, self.now);
        }
    }

    fn check_dead_letter(&self, id: EntryId, reason: DeadReason) {
        let past = self.past.get(&id).cloned().unwrap_or_default();
        let is_right = match reason {
            DeadReason::Refused => past.is_refused,
            DeadReason::Tries => past.failures >= self.limits.tries,
            DeadReason::Expired => self.is_expired(id),
            DeadReason::Malformed => self.stream[&id].is_malformed,
            DeadReason::Unpublishable => false,
        };
        assert!(is_right, "{id} became a dead letter: {reason:?}, {past:?}");
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.now = self.now.after(time);
        let Self { held, past, now, generation, limits, .. } = self;
        for (handout, written) in held.iter_mut().filter(|(handout, _)| handout.ticket.generation() == *generation) {
            if matches!(written, Written::At(at) if at.after(limits.visibility) <= *now) {
                *written = Written::Late;
                past.entry(handout.ticket.entry).or_default().failures += 1;
            }
        }
        self.backlog.tick(self.now);
    }

    pub(super) fn take_over(&mut self) {
        self.takeovers += 1;
        self.generation += 1;
        self.backlog = Backlog::new(self.limits, self.generation, self.generation, self.now, START_MS + self.now.0);
    }

    pub(super) fn check_bounds(&self) {
        let OwnerLimits { window, window_bytes, blocked_ids, entry_bytes, .. } = self.limits;
        assert!(self.backlog.loaded() <= window, "{} of {window}", self.backlog.loaded());
        assert!(self.backlog.loaded_bytes() <= window_bytes.max(entry_bytes), "{} bytes", self.backlog.loaded_bytes());
        assert!(self.backlog.loaded() + self.backlog.ids_only() <= window + blocked_ids);
    }

    /// All faults end: everything is worked off.
    pub(super) fn finish(&mut self) {
        self.places = usize::MAX;
        self.backlog.set_paused(false);
        while let Some((held, _)) = self.held.pop() {
            self.report(held.ticket, Report::NotSent);
        }
        self.pass(self.limits.visibility);
        for _ in 0..20_000 {
            if self.stream.is_empty() {
                return;
            }
            let mut any = self.read(Answer::Arrives);
            while let Some(ticket) = self.send() {
                any = true;
                self.report(ticket, Report::Done);
            }
            self.store();
            if !any {
                let deadline = self.backlog.deadline().map_or(Duration::ZERO, |at| at.since(self.now));
                self.pass(deadline.max(Duration::from_millis(1)));
            }
        }
        panic!("never worked off: {:?} {:?}", self.stream, self.backlog);
    }
}
