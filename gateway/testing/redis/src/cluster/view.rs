//! A member's view of the cluster: the role and the slots of each member.

use std::{collections::BTreeMap, ops::RangeInclusive};

/// What one member reports about all members, by node id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct View(pub(super) BTreeMap<String, Seen>);

/// What one member reports about another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// The node id of its master. `None` if it is a master itself.
    pub(super) master: Option<String>,
    /// The slots that it serves.
    pub(super) slots: Vec<RangeInclusive<u16>>,
}

impl View {
    /// Reads an answer to `CLUSTER NODES`. `None` if the answer marks a member as failed, unknown or still joining, or cannot be read.
    pub(super) fn read(answer: &str) -> Option<Self> {
        let mut view = BTreeMap::new();
        // The fields of a line: id address flags master ping pong epoch link slots…
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

    /// The node id of the master that serves a slot.
    pub(super) fn owner(&self, slot: u16) -> Option<&str> {
        self.0.iter().find(|(_, seen)| seen.slots.iter().any(|range| range.contains(&slot))).map(|(id, _)| &**id)
    }
}

impl Seen {
    /// The number of slots that the member serves.
    pub(super) fn size(&self) -> usize {
        self.slots.iter().map(ExactSizeIterator::len).sum()
    }
}
