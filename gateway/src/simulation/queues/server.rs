//! The simulated store: what Redis holds, and what its scripts do.

use super::{
    flaw::QueueFlaw,
    ledger::{Ledger, Nature},
    plan::Shape,
    situations::Situation,
};
use crate::queues::{Owned, OwnedError, Ownership};
use bytes::Bytes;
use gateway_core::queue::{DeadLetter, DeadLettered, EntryId, NewEntry, OwnerId, PartitionStatus, RawEntry, ReadLimits, StoredFields};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::time::Instant;

pub(super) const LEASE: Duration = Duration::from_secs(10);
/// The clock of the store at the beginning.
const START_MS: u64 = 1_795_891_200_000;

struct Stored {
    fields: StoredFields,
    tries: u32,
}

/// See the module.
pub(super) struct Server {
    shape: Shape,
    flaw: Option<QueueFlaw>,
    start: Instant,
    entries: BTreeMap<EntryId, Stored>,
    last: EntryId,
    /// All entries up to this one were handed out.
    read: EntryId,
    ids: BTreeMap<Box<str>, EntryId>,
    owner: Option<(OwnerId, Instant)>,
    epoch: u64,
    pub(super) is_paused: bool,
    /// Number of dead letters.
    dead: usize,
    pub(super) ledger: Ledger,
    pub(super) reached: BTreeSet<Situation>,
}

/// What is to be stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewEvent {
    pub(super) key: usize,
    pub(super) nature: Nature,
    pub(super) expires: Option<Duration>,
}

impl Server {
    pub(super) fn new(shape: Shape, flaw: Option<QueueFlaw>) -> Self {
        Self {
            shape,
            flaw,
            start: Instant::now(),
            entries: BTreeMap::new(),
            last: EntryId::default(),
            read: EntryId::default(),
            ids: BTreeMap::new(),
            owner: None,
            epoch: 0,
            is_paused: false,
            dead: 0,
            ledger: Ledger::default(),
            reached: BTreeSet::new(),
        }
    }

    pub(super) fn now_ms(&self) -> u64 {
        START_MS + self.start.elapsed().as_millis() as u64
    }

    fn has(&self, flaw: QueueFlaw) -> bool {
        self.flaw == Some(flaw)
    }

    /// Stores an event. False: it was refused.
    pub(super) fn enqueue(&mut self, new: NewEvent, repeat_of: Option<usize>) -> bool {
        let number = repeat_of.unwrap_or(self.ledger.events.len());
        let id: Box<str> = format!("e{number}").into();
        if self.ids.contains_key(&id) && !self.has(QueueFlaw::ForgetsIds) {
            return true;
        }
        if self.entries.len() >= self.shape.max_length {
            self.reached.insert(Situation::QueueFull);
            match self.entries.pop_first() {
                Some(_) if self.has(QueueFlaw::Trims) => {}
                oldest => {
                    self.entries.extend(oldest);
                    return false;
                }
            }
        }
        let now_ms = self.now_ms();
        self.last = if now_ms > self.last.ms { EntryId { ms: now_ms, seq: 0 } } else { EntryId { seq: self.last.seq + 1, ..self.last } };
        let key = if new.key == 0 { "".into() } else { format!("k{}", new.key).into() };
        let event = match new.nature {
            Nature::Malformed => Bytes::new(),
            Nature::Plain | Nature::Poison => format!("{{\"data\":{number}}}").into(),
        };
        let fields = NewEntry { id: id.clone(), key, event, expires_after: new.expires, once: None }.fields(now_ms);
        self.entries.insert(self.last, Stored { fields: StoredFields::Read(fields), tries: 0 });
        self.ids.insert(id, self.last);
        match repeat_of {
            Some(event) => self.ledger.stored_again(event),
            None => self.ledger.stored(self.last, new.key, new.nature, new.expires.map(|time| now_ms + time.as_millis() as u64)),
        }
        true
    }

    fn owner(&self) -> Option<&OwnerId> {
        self.owner.as_ref().filter(|(_, until)| Instant::now() < *until).map(|(owner, _)| owner)
    }

    /// Whether this is the owner.
    pub(super) fn is_owner(&self, owner: &OwnerId) -> bool {
        self.owner() == Some(owner)
    }

    /// The name of the node that owns the partition.
    pub(super) fn owner_node(&self) -> Option<&str> {
        self.owner()?.as_str().split(' ').next()
    }

    fn check(&self, owner: &OwnerId) -> Owned<()> {
        if self.is_owner(owner) { Ok(()) } else { Err(OwnedError::NotOwner) }
    }

    /// Besides the ownership, it returns up to where entries were handed out.
    pub(super) fn acquire(&mut self, owner: &OwnerId) -> Option<(Ownership, EntryId)> {
        match self.owner() {
            Some(other) if other != owner && !self.has(QueueFlaw::TwoOwners) => return None,
            Some(other) if other != owner => self.ledger.wrong("a second owner got the partition".to_owned()),
            Some(_) => {}
            None => {
                self.epoch += 1;
                self.ledger.takeovers += 1;
                if self.epoch > 1 {
                    self.reached.insert(Situation::TakenOver);
                }
                if self.has(QueueFlaw::TakeoverIsTry) {
                    self.entries.range_mut(..=self.read).for_each(|(_, stored)| stored.tries += 1);
                }
            }
        }
        Some((self.begin_lease(owner), self.read))
    }

    fn begin_lease(&mut self, owner: &OwnerId) -> Ownership {
        self.owner = Some((owner.clone(), Instant::now() + LEASE));
        Ownership { epoch: self.epoch, paused: self.is_paused, now_ms: self.now_ms() }
    }

    pub(super) fn renew(&mut self, owner: &OwnerId) -> Owned<Ownership> {
        self.check(owner)?;
        Ok(self.begin_lease(owner))
    }

    pub(super) fn release(&mut self, owner: &OwnerId) -> Owned<()> {
        self.check(owner)?;
        self.owner = None;
        self.reached.insert(Situation::Released);
        Ok(())
    }

    pub(super) fn pending(&mut self, owner: &OwnerId, after: EntryId, limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.check(owner)?;
        if self.has(QueueFlaw::NewBeforePending) && self.entries.range(self.read..).any(|(id, _)| *id > self.read) {
            return Ok(Vec::new());
        }
        let found: Vec<_> = self.entries.range(after..=self.read.max(after)).map(|(id, _)| *id).filter(|id| *id > after).collect();
        if !found.is_empty() {
            self.reached.insert(Situation::PendingRead);
        }
        Ok(self.page(&found, limits))
    }

    /// `known`: up to where the owner knows what was handed out. Returns that, too.
    pub(super) fn read_new(&mut self, owner: &OwnerId, known: EntryId, limits: ReadLimits) -> Owned<(Vec<RawEntry>, EntryId)> {
        self.check(owner)?;
        let from = if self.has(QueueFlaw::SkipsUnanswered) { self.read } else { known };
        let found: Vec<_> = self.entries.range(from..).map(|(id, _)| *id).filter(|id| *id > from).collect();
        let page = self.page(&found, limits);
        let last = page.last().map_or(self.read.max(from), |entry| entry.id);
        self.read = self.read.max(last);
        Ok((page, last))
    }

    pub(super) fn load(&mut self, owner: &OwnerId, ids: &[EntryId], limits: ReadLimits) -> Owned<Vec<RawEntry>> {
        self.check(owner)?;
        self.reached.insert(Situation::Loaded);
        Ok(self.page(ids, limits))
    }

    fn page(&self, ids: &[EntryId], limits: ReadLimits) -> Vec<RawEntry> {
        let mut bytes = 0;
        let mut page = Vec::new();
        for id in ids.iter().take(limits.entries) {
            let (tries, fields) = self.entries.get(id).map_or((0, StoredFields::Gone), |stored| (stored.tries, stored.fields.clone()));
            bytes += fields.bytes();
            if bytes > limits.bytes && !page.is_empty() {
                break;
            }
            page.push(RawEntry { id: *id, tries, fields });
        }
        page
    }

    pub(super) fn has_behind(&self, after: EntryId) -> bool {
        self.last > after && self.entries.contains_key(&self.last)
    }

    pub(super) fn acknowledge(&mut self, owner: &OwnerId, ids: &[EntryId]) -> Owned<()> {
        if !self.is_owner(owner) {
            if !self.has(QueueFlaw::StaleAcknowledge) {
                self.reached.insert(Situation::StaleRefused);
                return Err(OwnedError::NotOwner);
            }
            self.ledger.wrong("a node that does not own the partition deleted entries".to_owned());
        }
        for id in ids {
            if self.entries.remove(id).is_some() {
                self.ledger.acknowledged(*id);
            }
        }
        Ok(())
    }

    pub(super) fn record_tries(&mut self, owner: &OwnerId, tries: &[(EntryId, u32)]) -> Owned<()> {
        self.check(owner)?;
        for (id, tries) in tries {
            self.entries.get_mut(id).into_iter().for_each(|stored| stored.tries = *tries);
        }
        Ok(())
    }

    pub(super) fn move_to_dead_letters(&mut self, owner: &OwnerId, letter: &DeadLetter) -> Owned<DeadLettered> {
        self.check(owner)?;
        if !self.entries.contains_key(&letter.id) {
            return Ok(DeadLettered::Moved);
        }
        if self.dead >= self.shape.max_dead {
            self.reached.insert(Situation::DeadLettersFull);
            if !self.has(QueueFlaw::DropsDead) {
                return Ok(DeadLettered::Full);
            }
            self.ledger.wrong("an entry was deleted that had no place among the dead letters".to_owned());
        }
        self.entries.remove(&letter.id);
        self.dead += 1;
        self.reached.insert(Situation::DeadLettered(letter.reason.name()));
        let now_ms = self.now_ms();
        self.ledger.dead_lettered(letter.id, letter.reason, self.shape.tries as usize, Instant::now(), now_ms);
        Ok(DeadLettered::Moved)
    }

    pub(super) fn status(&self) -> PartitionStatus {
        PartitionStatus { depth: self.entries.len() as u64, owner: self.owner().map(|owner| owner.as_str().into()), ..Default::default() }
    }

    pub(super) fn drop_dead(&mut self) -> bool {
        let any = self.dead > 0;
        self.dead = self.dead.saturating_sub(1);
        any
    }

    /// It restarts with its data.
    pub(super) fn restart(&mut self) {
        if self.has(QueueFlaw::ForgetsPending) {
            let pending: Vec<_> = self.entries.range(..=self.read).map(|(id, _)| *id).collect();
            for id in &pending {
                self.entries.remove(id);
            }
        }
    }

    /// Up to where entries were handed out.
    pub(super) fn handed_out(&self) -> EntryId {
        self.read
    }

    pub(super) fn length(&self) -> usize {
        self.entries.len()
    }
}
