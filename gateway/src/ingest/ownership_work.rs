//! The work of the owner of a partition: reads entries, publishes them, acknowledges what is published.

use super::{
    chains::{ChainName, Chains, Link, Outcome, Step, Work},
    config::IngestConfig,
    entry,
    problem::Problem,
    requests::{Event, Part, acknowledge, hand_over, move_to_dead_letters, read},
    stats::{IngestCount, IngestStats},
};
use crate::{
    broker::Published,
    publish::{EntryError, Publisher},
    queues::{HeldLease, Owned, OwnedError, QueueStore},
    telemetry::FailureLog,
};
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use gateway_core::{
    model::ErrorCode,
    queue::{DeadLetter, DeadLettered, DeadReason, EntryId, RawEntry, ReadLimits, StoredFields},
};
use std::pin::pin;
use tokio::time::{Instant, sleep_until};

/// Bytes of one read.
const READ_BYTES: usize = 4 << 20;
/// Number of steps that are begun together.
const STEPS: usize = 256;
/// Number of entries in one acknowledgement.
const ACKNOWLEDGED: usize = 1000;

/// Why an owner stopped its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Another node owns the partition.
    Lost,
    /// A channel knows an owner with a higher epoch.
    Stale,
    /// This node has to leave the partition.
    Left,
}

/// Which requests run now. At most one of each kind does.
#[derive(Default)]
struct Busy {
    reading: bool,
    handing_over: bool,
    acknowledging: bool,
}

/// The work of one ownership.
pub(super) struct OwnershipWork<'a, S> {
    store: &'a S,
    publisher: &'a Publisher,
    config: &'a IngestConfig,
    stats: &'a IngestStats,
    held_lease: &'a HeldLease<S>,
    chains: Chains,
    part: Part,
    /// The newest entry that this owner has read.
    newest: Option<EntryId>,
    running: FuturesUnordered<BoxFuture<'a, Event<'a>>>,
    busy: Busy,
    is_finishing: bool,
    /// Entries that need nothing but their acknowledgement.
    done: Vec<EntryId>,
    failures: FailureLog,
}

impl<'a, S: QueueStore> OwnershipWork<'a, S> {
    pub(super) fn new(
        store: &'a S,
        publisher: &'a Publisher,
        config: &'a IngestConfig,
        stats: &'a IngestStats,
        held_lease: &'a HeldLease<S>,
    ) -> Self {
        Self {
            store,
            publisher,
            config,
            stats,
            held_lease,
            chains: Chains::default(),
            // NL-8.6
            part: Part::Pending(None),
            newest: None,
            running: FuturesUnordered::new(),
            busy: Busy::default(),
            is_finishing: false,
            done: Vec::new(),
            failures: FailureLog::default(),
        }
    }

    /// Works until the ownership has to end, or until `leave`.
    pub(super) async fn work(&mut self, leave: impl Future<Output = ()>) -> End {
        let mut leave = pin!(leave);
        loop {
            self.begin();
            let pause_end = self.chains.next_pause_end().filter(|_| self.may_publish());
            tokio::select! {
                biased;
                () = &mut leave => return End::Left,
                Some(event) = self.running.next() => {
                    if let Some(end) = self.take_all(event) {
                        return end;
                    }
                }
                Some(()) = OptionFuture::from(pause_end.map(sleep_until)) => {}
                () = self.held_lease.renewed() => {}
            }
        }
    }

    /// Begins nothing new, and acknowledges what is published.
    pub(super) async fn finish(&mut self) {
        self.is_finishing = true;
        loop {
            self.begin();
            if self.chains.in_flight() == 0 && !self.busy.acknowledging {
                return;
            }
            let Some(event) = self.running.next().await else { return };
            if self.take_all(event).is_some() {
                return;
            }
        }
    }

    /// Takes an event, and those that are there already.
    fn take_all(&mut self, event: Event<'a>) -> Option<End> {
        let mut next = Some(event);
        for _ in 0..STEPS {
            let Some(event) = next.take() else { break };
            if let Some(end) = self.take(event) {
                return Some(end);
            }
            next = self.running.next().now_or_never().flatten();
        }
        next.and_then(|event| self.take(event))
    }

    /// Begins whatever may begin now.
    fn begin(&mut self) {
        // NL-8.5
        if !self.held_lease.is_valid() {
            return;
        }
        self.begin_to_acknowledge();
        if self.is_finishing || self.held_lease.is_paused() {
            return;
        }
        if !self.busy.reading && self.chains.held() <= self.config.batch {
            self.busy.reading = true;
            let limits = ReadLimits { entries: self.config.batch, bytes: READ_BYTES, entry_bytes: self.config.entry_bytes };
            self.running.push(Box::pin(read(self.store, self.held_lease, self.part, self.newest, limits)));
        }
        if self.may_publish() {
            self.begin_steps();
        }
    }

    /// Whether steps may begin now.
    fn may_publish(&self) -> bool {
        !self.busy.handing_over && !self.is_finishing && self.held_lease.is_valid() && !self.held_lease.is_paused()
    }

    fn begin_to_acknowledge(&mut self) {
        if self.busy.acknowledging {
            return;
        }
        let mut ids = std::mem::take(&mut self.done);
        ids.extend(self.chains.take_finished(ACKNOWLEDGED));
        if ids.is_empty() {
            return;
        }
        self.busy.acknowledging = true;
        self.running.push(Box::pin(acknowledge(self.store, self.held_lease, ids)));
    }

    fn begin_steps(&mut self) {
        let mut publications = Vec::new();
        for step in self.chains.steps(STEPS, Instant::now()) {
            match step {
                Step::Publish { chain, id, draft, after } => publications.push((chain, id, draft, after)),
                Step::DeadLetterEntry { chain, id, problem } => {
                    let letter = DeadLetter { id, reason: problem.reason, detail: problem.document, tries: 0 };
                    self.running.push(Box::pin(move_to_dead_letters(self.store, self.held_lease, chain, letter)));
                }
            }
        }
        if !publications.is_empty() {
            self.busy.handing_over = true;
            self.running.push(Box::pin(hand_over(self.publisher, self.held_lease, publications)));
        }
    }

    /// Takes the end of a request. Returns why the ownership has to end, if it has to.
    fn take(&mut self, event: Event<'a>) -> Option<End> {
        match event {
            Event::Read(read) => {
                self.busy.reading = false;
                let entries = self.succeeded("read the entries", read);
                self.take_entries(entries)
            }
            Event::HandedOver(answers) => {
                self.busy.handing_over = false;
                self.running.extend(answers);
                None
            }
            Event::Answered(chain, id, answer) => self.take_answer(&chain, id, answer),
            Event::DeadLettered(chain, id, reason, dead_lettered) => {
                let dead_lettered = self.succeeded("store a dead letter", dead_lettered);
                if matches!(dead_lettered, Err(End::Lost)) {
                    return Some(End::Lost);
                }
                self.stats.set_dead_letters_full(dead_lettered == Ok(Some(DeadLettered::Full)));
                let is_dead_lettered = dead_lettered == Ok(Some(DeadLettered::Moved));
                if is_dead_lettered {
                    self.stats.count(if reason == DeadReason::Malformed { IngestCount::Malformed } else { IngestCount::Unpublishable });
                }
                self.chains.dead_lettered(&chain, id, is_dead_lettered, Instant::now());
                None
            }
            Event::Acknowledged(ids, acknowledged) => {
                self.busy.acknowledging = false;
                match self.succeeded("acknowledge entries", acknowledged) {
                    Err(end) => return Some(end),
                    Ok(None) => self.done.extend(ids),
                    Ok(Some(())) => {}
                }
                None
            }
        }
    }

    /// Logs a failure of the store. None: it may be repeated.
    fn succeeded<T>(&mut self, what: &str, result: Owned<T>) -> Result<Option<T>, End> {
        match result {
            Ok(value) => {
                self.failures.succeeded();
                Ok(Some(value))
            }
            Err(OwnedError::NotOwner) => Err(End::Lost),
            Err(OwnedError::Broker(error)) => {
                let partition = self.held_lease.partition();
                self.failures.failed(|| tracing::warn!(%partition, %error, "ingest cannot {what} now; it tries again"));
                Ok(None)
            }
        }
    }

    fn take_entries(&mut self, entries: Result<Option<Vec<RawEntry>>, End>) -> Option<End> {
        let entries = match entries {
            Ok(Some(entries)) => entries,
            Ok(None) => return None,
            Err(end) => return Some(end),
        };
        let is_new = self.part == Part::New;
        let last = entries.last().map(|entry| entry.id);
        // After a failed read the store may hand an entry out twice.
        let known = self.newest;
        self.newest = self.newest.max(last);
        self.part = match (self.part, last) {
            (Part::Pending(_), Some(last)) => Part::Pending(Some(last)),
            (Part::New, _) | (_, None) => Part::New,
        };
        for entry in entries.into_iter().filter(|entry| Some(entry.id) > known) {
            self.take_entry(entry, is_new);
        }
        None
    }

    fn take_entry(&mut self, raw: RawEntry, is_new: bool) {
        let id = raw.id;
        if raw.fields == StoredFields::Gone {
            return self.done.push(id);
        }
        let (channel, work) = match entry::read(&raw.fields, self.config.entry_bytes, &self.config.channels) {
            Ok(draft) => (Some(draft.channel.clone()), Work::Publish(draft)),
            Err(unreadable) => {
                let reason =
                    if unreadable.refusal.code == ErrorCode::PermissionDenied { DeadReason::Unpublishable } else { DeadReason::Malformed };
                (unreadable.channel, Work::DeadLetterEntry(Problem::new(reason, &unreadable.refusal)))
            }
        };
        // A channel without history has no place that keeps its order.
        let options = channel.as_ref().and_then(|channel| self.publisher.options(channel).ok());
        let is_pipelined = options.is_some_and(|options| options.retention.is_some());
        let chain = channel.map_or(ChainName::Entry(id), ChainName::Channel);
        self.chains.push(chain, Link { id, work, is_new }, is_pipelined);
    }

    fn take_answer(&mut self, chain: &ChainName, id: EntryId, answer: Result<Published, EntryError>) -> Option<End> {
        let (outcome, count) = match answer {
            Ok(published) => {
                let count = if published.replayed { IngestCount::Repeated } else { IngestCount::Published };
                (Outcome::Published, Some(count))
            }
            Err(EntryError::Passed) => (Outcome::Passed, Some(IngestCount::Repeated)),
            Err(EntryError::Early) => (Outcome::Early, None),
            Err(EntryError::Later { is_uncertain }) => (Outcome::Later { is_uncertain }, None),
            Err(EntryError::Refused(refusal)) => (Outcome::Refused(Problem::new(DeadReason::Unpublishable, &refusal)), None),
            Err(EntryError::Stale) => return Some(End::Stale),
        };
        if matches!(outcome, Outcome::Later { .. }) {
            self.stats.count(IngestCount::Retried);
        }
        if self.chains.answered(chain, id, outcome, Instant::now())
            && let Some(count) = count
        {
            self.stats.count(count);
        }
        None
    }
}
