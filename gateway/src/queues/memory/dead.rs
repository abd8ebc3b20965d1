//! The dead letters of a partition.

use super::stored::{Stored, next_id};
use gateway_core::queue::{DeadLetter, EntryId, ReadLimits, StoredDeadLetter};
use std::{
    collections::BTreeMap,
    ops::Bound::{Excluded, Unbounded},
};

/// Bytes of a detail.
const DETAIL: usize = 1024;

pub(super) struct Dead {
    most: usize,
    last: EntryId,
    letters: BTreeMap<EntryId, (DeadLetter, Stored)>,
}

impl Dead {
    pub(super) fn new(most: usize) -> Self {
        Self { most, last: EntryId::default(), letters: BTreeMap::new() }
    }

    pub(super) fn is_full(&self) -> bool {
        self.letters.len() >= self.most
    }

    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }

    pub(super) fn add(&mut self, letter: &DeadLetter, stored: Stored, now_ms: u64) {
        self.last = next_id(self.last, now_ms);
        let detail = letter.detail[..letter.detail.floor_char_boundary(DETAIL)].into();
        self.letters.insert(self.last, (DeadLetter { detail, ..letter.clone() }, stored));
    }

    pub(super) fn remove(&mut self, id: EntryId) -> Option<(DeadLetter, Stored)> {
        self.letters.remove(&id)
    }

    pub(super) fn get(&self, id: EntryId) -> Option<StoredDeadLetter> {
        self.letters.get(&id).map(|letter| shown(id, letter, usize::MAX))
    }

    pub(super) fn page(&self, after: Option<EntryId>, limits: ReadLimits) -> Vec<StoredDeadLetter> {
        let from = after.map_or(Unbounded, Excluded);
        let mut bytes = 0_usize;
        let mut page = Vec::new();
        for (id, letter) in self.letters.range((from, Unbounded)).take(limits.entries) {
            let shown = shown(*id, letter, limits.entry_bytes);
            bytes = bytes.saturating_add(shown.fields.bytes());
            if bytes > limits.bytes && !page.is_empty() {
                break;
            }
            page.push(shown);
        }
        page
    }
}

fn shown(id: EntryId, (letter, stored): &(DeadLetter, Stored), most: usize) -> StoredDeadLetter {
    StoredDeadLetter {
        id,
        entry: letter.id,
        reason: Some(letter.reason),
        detail: letter.detail.clone(),
        tries: letter.tries,
        fields: stored.fields(most),
    }
}
