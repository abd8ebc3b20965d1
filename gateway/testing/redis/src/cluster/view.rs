//! What members say of all members.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// What a member says of all, by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View(pub(super) BTreeMap<String, Seen>);

/// What it says of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Its master's id; none: it is a master itself.
    pub(super) master: Option<String>,
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

impl View {
    /// From an answer to `CLUSTER NODES`. None: some member is not reached, or not known well.
    pub(super) fn read(answer: &str) -> Option<Self> {
        let mut view = BTreeMap::new();
        // id address flags master ping pong epoch link slots…
        for line in answer.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let flags: Vec<_> = words.get(2)?.split(',').collect();
            if flags.iter().any(|flag| matches!(*flag, "fail?" | "fail" | "handshake" | "noaddr")) {
                return None;
            }
            let master = (!flags.contains(&"master")).then(|| words[3].to_owned());
            let slots = words.get(8..)?.iter().filter(|slots| !slots.starts_with('['));
            let range = |text: &&str| {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                Some(first.parse().ok()?..=last.parse().ok()?)
            };
            view.insert(words[0].to_owned(), Seen { master, slots: slots.map(range).collect::<Option<_>>()? });
        }
        Some(Self(view))
    }

    /// The id of the master that serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&str> {
        self.0.iter().find(|(_, seen)| seen.slots.iter().any(|range| range.contains(&slot))).map(|(id, _)| &**id)
    }
}

impl Seen {
    /// How many slots it serves.
    pub(super) fn size(&self) -> usize {
        self.slots.iter().map(ExactSizeIterator::len).sum()
    }
}
