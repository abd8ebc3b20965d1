//! What a channel remembers of ingest, so that it takes each entry once and in order.
//!
//! The script `ingest.lua` decides the same in Redis.

use super::EntryId;

/// The place of a publication among those of its partition of ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPlace {
    /// The partition.
    pub partition: u16,
    /// The epoch of the partition's owner.
    pub epoch: u64,
    /// The entry of the publication.
    pub entry: EntryId,
    /// The entry before it in the same channel, while the owner does not know what became of that one.
    pub after: Option<EntryId>,
}

/// What a channel remembers of a partition of ingest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastEntry {
    /// The highest epoch of an owner.
    pub epoch: u64,
    /// The newest entry. Whatever came before it in this channel was published, or is a dead letter.
    pub last: EntryId,
}

/// What to do with the publication of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryJudgement {
    /// Carry it out.
    Next,
    /// The channel has passed this entry.
    Passed,
    /// Refuse it for now: the channel has not passed the entry before it.
    Early,
    /// Refuse it: the partition has an owner with this higher epoch.
    Stale(u64),
}

impl EntryPlace {
    // NL-8.11, NL-8.12
    /// Judges an entry by what its channel remembers.
    pub fn judge(&self, known: Option<LastEntry>) -> EntryJudgement {
        let last = known.map(|known| known.last);
        match known {
            Some(known) if self.epoch < known.epoch => EntryJudgement::Stale(known.epoch),
            _ if last >= Some(self.entry) => EntryJudgement::Passed,
            _ if last < self.after => EntryJudgement::Early,
            _ => EntryJudgement::Next,
        }
    }

    /// What the channel remembers after an entry that it carried out or passed.
    pub fn record(&self, known: Option<LastEntry>) -> LastEntry {
        let (epoch, last) = known.map_or((0, EntryId::default()), |known| (known.epoch, known.last));
        LastEntry { epoch: epoch.max(self.epoch), last: last.max(self.entry) }
    }
}

#[cfg(test)]
mod tests {
    use super::{EntryJudgement::*, *};
    use proptest::prelude::*;

    fn id(seq: u64) -> EntryId {
        EntryId { ms: 7, seq }
    }

    fn place(epoch: u64, entry: u64, after: Option<u64>) -> EntryPlace {
        EntryPlace { partition: 0, epoch, entry: id(entry), after: after.map(id) }
    }

    #[test]
    fn an_entry_is_next_passed_early_or_of_a_stale_owner() {
        let known = Some(LastEntry { epoch: 5, last: id(3) });
        for (epoch, entry, after, expected) in [
            (5, 4, None, Next),
            (5, 4, Some(3), Next),
            (5, 9, Some(2), Next),
            (5, 5, Some(4), Early),
            (5, 3, Some(2), Passed),
            (5, 1, None, Passed),
            (4, 4, None, Stale(5)),
            (4, 1, None, Stale(5)),
            (6, 4, Some(3), Next),
            (6, 3, None, Passed),
            (6, 5, Some(4), Early),
        ] {
            assert_eq!(place(epoch, entry, after).judge(known), expected, "{epoch}, {entry}, {after:?}");
        }
        assert_eq!(place(0, 1, None).judge(None), Next);
        assert_eq!(place(0, 2, Some(1)).judge(None), Early, "the store lost the entry before it");
    }

    #[test]
    fn an_entry_that_was_passed_moves_the_epoch_only() {
        let known = Some(LastEntry { epoch: 5, last: id(3) });
        assert_eq!(place(6, 1, None).record(known), LastEntry { epoch: 6, last: id(3) });
        assert_eq!(place(6, 9, None).record(known), LastEntry { epoch: 6, last: id(9) });
        assert_eq!(place(4, 1, None).record(None), LastEntry { epoch: 4, last: id(1) });
    }

    proptest! {
        /// Each entry names the one before it. Whatever order and repetition the requests have, they are carried out once and in order.
        #[test]
        fn entries_are_carried_out_once_and_in_order(requests in proptest::collection::vec((0..3u64, 1..8u64), 0..200)) {
            let (mut known, mut done) = (None, Vec::new());
            for (epoch, entry) in requests {
                let place = place(epoch, entry, (entry > 1).then(|| entry - 1));
                if place.judge(known) == Next {
                    done.push(entry);
                    known = Some(place.record(known));
                }
            }
            prop_assert_eq!(&done, &(1..=done.len() as u64).collect::<Vec<_>>());
        }
    }
}
