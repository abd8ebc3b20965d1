//! Which events a partition remembers, so that a repeat is stored once.

use super::stored::Memory;
use crate::broker::BrokerError;
use gateway_core::queue::Once;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;

/// Bytes that a remembered event needs besides its id.
const OVERHEAD: usize = 256;
/// How long the id of an event without a name is remembered. That is for repeats by nodes, and this store loses no answers.
pub(super) const ID_TTL: Duration = Duration::from_secs(10);
/// Number of events without a name that are remembered.
const IDS: usize = 10_000;

pub(super) struct Repeats {
    memory: Arc<Memory>,
    named: HashMap<[u8; 32], Named>,
    ends: BTreeSet<(Instant, [u8; 32])>,
    /// Ids of events without a name, and their numbers.
    ids: HashMap<Arc<str>, u64>,
    /// The same by number, with the time at which they are forgotten.
    by_number: BTreeMap<u64, (Instant, Arc<str>)>,
    last: u64,
}

struct Named {
    body: [u8; 32],
    id: Box<str>,
}

impl Repeats {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, named: HashMap::new(), ends: BTreeSet::new(), ids: HashMap::new(), by_number: BTreeMap::new(), last: 0 }
    }

    /// The id under which this event was stored before.
    pub(super) fn find(&self, id: &str, once: Option<&Once>) -> Result<Option<Box<str>>, BrokerError> {
        let Some(once) = once else { return Ok(self.ids.get_key_value(id).map(|(id, _)| (**id).into())) };
        match self.named.get(&once.name) {
            None => Ok(None),
            Some(first) if first.body == once.body => Ok(Some(first.id.clone())),
            Some(_) => Err(BrokerError::IdempotencyMismatch),
        }
    }

    /// Remembers an event. False: there is no memory for it.
    pub(super) fn remember(&mut self, id: &str, once: Option<Once>, now: Instant) -> bool {
        if once.is_none() && self.ids.len() >= IDS {
            self.forget_first_id();
        }
        let taken = self.memory.take(id.len() + OVERHEAD);
        match once {
            _ if !taken => {}
            Some(once) => {
                self.named.insert(once.name, Named { body: once.body, id: id.into() });
                self.ends.insert((now + once.ttl, once.name));
            }
            None => {
                let id: Arc<str> = id.into();
                self.last += 1;
                self.ids.insert(id.clone(), self.last);
                self.by_number.insert(self.last, (now + ID_TTL, id));
            }
        }
        taken
    }

    /// Forgets events whose time is over.
    pub(super) fn forget(&mut self, now: Instant) {
        while self.by_number.first_key_value().is_some_and(|(_, (end, _))| *end <= now) {
            self.forget_first_id();
        }
        while self.ends.first().is_some_and(|(end, _)| *end <= now) {
            if let Some((_, name)) = self.ends.pop_first()
                && let Some(event) = self.named.remove(&name)
            {
                self.memory.give_back(event.id.len() + OVERHEAD);
            }
        }
    }

    fn forget_first_id(&mut self) {
        if let Some((_, (_, id))) = self.by_number.pop_first() {
            self.ids.remove(&id);
            self.memory.give_back(id.len() + OVERHEAD);
        }
    }
}
