//! The producers of a channel: which number of each comes next, and where the last ones were stored.
//!
//! The script `publish.lua` decides the same in Redis.

use crate::model::{ProducerNumber, Span};
use std::collections::VecDeque;

/// What to do with a publish that has a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// Carry it out: the number is the next one.
    Next,
    /// An earlier publish with this number was carried out. Its positions, if they are still remembered.
    Done(Option<Span>),
    /// Refuse it, because numbers from this one on are missing.
    Gap(u64),
    /// Refuse it, because the producer has begun this higher epoch.
    Fenced(u64),
}

/// The producers that published into a channel last.
#[derive(Clone, Debug, Default)]
pub struct Producers {
    /// The least recently used first.
    records: VecDeque<Record>,
}

#[derive(Clone, Debug)]
struct Record {
    id: Box<str>,
    epoch: u64,
    /// The number of the newest publish.
    seq: u64,
    /// The positions of the newest publishes, newest first; never empty.
    spans: VecDeque<Span>,
}

impl Record {
    fn newest(&self) -> u64 {
        self.spans.front().map_or(0, |span| span.last)
    }
}

impl Producers {
    /// Number of producers that a channel remembers.
    pub const MOST: usize = 64;
    /// Number of publishes of a producer whose positions are remembered.
    pub const POSITIONS: usize = 16;

    /// Number of producers.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    // NL-2.15, NL-2.17
    /// Judges a number. `top` is the offset of the channel's newest publication. A producer that is ahead of it belongs to a timeline that is
    /// lost, so it is not known.
    pub fn judge(&self, number: &ProducerNumber, top: u64) -> Judgement {
        let known = self.records.iter().find(|record| *record.id == *number.id() && record.newest() <= top);
        let next = match known {
            Some(record) if number.epoch() < record.epoch => return Judgement::Fenced(record.epoch),
            Some(record) if number.epoch() == record.epoch => {
                if let Some(age) = record.seq.checked_sub(number.seq()) {
                    return Judgement::Done(usize::try_from(age).ok().and_then(|age| record.spans.get(age)).copied());
                }
                record.seq + 1
            }
            _ => 0,
        };
        if number.seq() == next { Judgement::Next } else { Judgement::Gap(next) }
    }

    // NL-2.18
    /// Records a publish that was judged as [`Judgement::Next`] and carried out.
    pub fn record(&mut self, number: &ProducerNumber, span: Span) {
        let index = self.records.iter().position(|record| *record.id == *number.id());
        let before = index.and_then(|index| self.records.remove(index)).filter(|record| record.epoch == number.epoch() && number.seq() > 0);
        let mut spans = before.map(|record| record.spans).unwrap_or_default();
        spans.truncate(Self::POSITIONS - 1);
        spans.push_front(span);
        self.records.push_back(Record { id: number.id().into(), epoch: number.epoch(), seq: number.seq(), spans });
        if self.records.len() > Self::MOST {
            self.records.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Judgement::*, *};
    use crate::model::{Epoch, Position};
    use proptest::prelude::*;
    use shared_proto::producer::{MAX_NUMBER, Producer};

    fn number(id: &str, epoch: u64, seq: u64) -> ProducerNumber {
        ProducerNumber::new(Producer { id: id.into(), epoch, seq }).expect("valid")
    }

    fn at(offset: u64) -> Span {
        Position { epoch: Epoch::parse("epoch001").expect("valid"), offset }.into()
    }

    /// Producers, and the number of publications.
    fn after(numbers: impl IntoIterator<Item = ProducerNumber>) -> (Producers, u64) {
        let (mut all, mut top) = (Producers::default(), 0);
        for number in numbers {
            assert_eq!(all.judge(&number, top), Next, "{number:?}");
            top += 1;
            all.record(&number, at(top));
        }
        (all, top)
    }

    #[test]
    fn a_number_is_next_done_too_far_or_fenced_off() {
        let (all, top) = after((0..20).map(|seq| number("p", 5, seq)));
        for (epoch, seq, expected) in [
            (5, 20, Next),
            (5, 21, Gap(20)),
            (5, MAX_NUMBER, Gap(20)),
            (5, 19, Done(Some(at(20)))),
            (5, 4, Done(Some(at(5)))),
            (5, 3, Done(None)),
            (5, 0, Done(None)),
            (4, 20, Fenced(5)),
            (0, 0, Fenced(5)),
            (6, 0, Next),
            (6, 20, Gap(0)),
            (MAX_NUMBER, 0, Next),
        ] {
            assert_eq!(all.judge(&number("p", epoch, seq), top), expected, "{epoch}, {seq}");
        }
        assert_eq!(all.judge(&number("q", 0, 1), top), Gap(0));
        assert_eq!(all.judge(&number("p", 5, 20), top - 1), Gap(0), "ahead of the channel: of a lost timeline");
    }

    #[test]
    fn the_producer_that_published_least_recently_is_forgotten() {
        let ids: Vec<_> = (0..Producers::MOST).map(|index| format!("p{index}")).collect();
        let (mut all, mut top) = after(ids.iter().map(|id| number(id, 0, 0)).chain([number("p0", 0, 1)]));
        top += 1;
        all.record(&number("new", 0, 0), at(top));
        assert_eq!(all.len(), Producers::MOST);
        assert_eq!(all.judge(&number("p1", 0, 1), top), Gap(0));
        assert_eq!(all.judge(&number("p0", 0, 2), top), Next);
    }

    #[test]
    fn a_higher_epoch_forgets_the_positions_of_the_lower_one() {
        let (all, top) = after([number("p", 0, 0), number("p", 0, 1), number("p", 7, 0)]);
        assert_eq!(all.judge(&number("p", 7, 0), top), Done(Some(at(3))));
        assert_eq!(all.judge(&number("p", 0, 1), top), Fenced(7));
    }

    #[test]
    fn invalid_numbers_are_refused_with_their_name() {
        let refused = |id: &str, epoch, seq| ProducerNumber::new(Producer { id: id.into(), epoch, seq }).expect_err("invalid").detail;
        for id in ["", "a b", "ü", &"x".repeat(256)] {
            assert!(refused(id, 0, 0).contains("`producer.id`"), "{id}");
        }
        assert!(refused("p", 1 << 53, 0).contains("`producer.epoch`"));
        assert!(refused("p", 0, 1 << 53).contains("`producer.seq`"));
        assert!(ProducerNumber::new(Producer { id: "x".repeat(255), epoch: MAX_NUMBER, seq: MAX_NUMBER }).is_ok());
    }

    proptest! {
        /// Whatever order and repetition the requests have, each number is carried out once and in order.
        #[test]
        fn numbers_are_carried_out_once_and_in_order(requests in proptest::collection::vec((0..3u64, 0..6u64), 0..200)) {
            let (mut all, mut top, mut done) = (Producers::default(), 0, Vec::new());
            for (epoch, seq) in requests {
                let request = number("p", epoch, seq);
                if all.judge(&request, top) == Next {
                    top += 1;
                    all.record(&request, at(top));
                    done.push((epoch, seq));
                }
            }
            for (before, after) in done.iter().zip(done.iter().skip(1)) {
                prop_assert!(after.0 == before.0 && after.1 == before.1 + 1 || after.0 > before.0 && after.1 == 0);
            }
        }
    }
}
