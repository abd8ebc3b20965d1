//! Where a subscription starts: what a returning client gets, and what it is told.

use super::feed::{continues, is_valid};
use crate::model::{Page, Position, Publication, ReadRange, RecoverFrom, Recovery};
use std::sync::Arc;

/// The start of a subscription.
#[derive(Debug)]
pub struct SubscriptionStart {
    /// Told in the answer: the position before the first publication that follows.
    pub answer: Position,
    /// What has been handed over once the answer is out.
    pub cursor: Position,
    /// The stream went up to here when it was read.
    pub top: u64,
    /// How it went.
    pub recovery: Recovery,
    /// First page, part of the answer.
    pub publications: Vec<Arc<Publication>>,
}

impl SubscriptionStart {
    /// From this place in the current timeline, which these publications follow without a gap, up to the newest that is known.
    pub fn from_memory(answer: Position, publications: Vec<Arc<Publication>>) -> Self {
        let cursor = publications.last().and_then(|last| last.position).unwrap_or(answer);
        Self { answer, cursor, top: cursor.offset, recovery: Recovery::Recovered, publications }
    }
}

/// What a page says about a recovery.
#[derive(Debug)]
pub enum RecoveryDecision {
    /// It is decided.
    Start(SubscriptionStart),
    /// Another range has to be read first, then ask [`lost`].
    ReadAgain(ReadRange),
}

/// Where a client wants to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecoveryPoint {
    /// Whatever is held: offset 0 and no epoch.
    Earliest,
    /// After this position.
    Position(Position),
    /// After something that no gateway has ever written.
    Unknown,
}

fn recovery_point(recover: &RecoverFrom) -> RecoveryPoint {
    match recover.position() {
        None if recover.epoch.is_empty() && recover.offset == 0 => RecoveryPoint::Earliest,
        Some(position) => RecoveryPoint::Position(position),
        None => RecoveryPoint::Unknown,
    }
}

/// What to read first.
pub fn first_range(recover: Option<&RecoverFrom>) -> ReadRange {
    match recover.map(recovery_point) {
        None => ReadRange::Top,
        Some(RecoveryPoint::Position(position)) => ReadRange::After(position.offset),
        Some(RecoveryPoint::Earliest | RecoveryPoint::Unknown) => ReadRange::After(0),
    }
}

/// Decides by the page that [`first_range`] brought.
pub fn decide(recover: Option<&RecoverFrom>, page: Page) -> RecoveryDecision {
    let top = Position { epoch: page.epoch, offset: page.top };
    match recover.map(recovery_point) {
        None => RecoveryDecision::Start(SubscriptionStart {
            answer: top,
            cursor: top,
            top: page.top,
            recovery: Recovery::NotRequested,
            publications: Vec::new(),
        }),
        Some(RecoveryPoint::Earliest) => RecoveryDecision::Start(recovered(before_first(&page), page)),
        Some(RecoveryPoint::Unknown) => RecoveryDecision::Start(start_after_loss(&page)),
        Some(RecoveryPoint::Position(position)) => {
            if !is_valid(position, page.epoch, &page.forks) {
                let fork = page.forks.iter().find(|fork| fork.epoch == position.epoch);
                return RecoveryDecision::ReadAgain(ReadRange::After(fork.map_or(0, |fork| fork.offset)));
            }
            if continues(position.offset, &page) {
                return RecoveryDecision::Start(recovered(Position { epoch: page.epoch, ..position }, page));
            }
            RecoveryDecision::Start(start_after_loss(&page))
        }
    }
}

/// Something is gone: the client is told, and gets what is still held as pushes after the answer.
pub fn start_after_loss(page: &Page) -> SubscriptionStart {
    let answer = before_first(page);
    SubscriptionStart { answer, cursor: answer, top: page.top, recovery: Recovery::Lost, publications: Vec::new() }
}

fn recovered(answer: Position, page: Page) -> SubscriptionStart {
    SubscriptionStart { top: page.top, ..SubscriptionStart::from_memory(answer, page.publications) }
}

fn before_first(page: &Page) -> Position {
    let first = page.publications.first().and_then(|first| first.position);
    Position { epoch: page.epoch, offset: first.map_or(page.top, |first| first.offset - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Data, Epoch, Tags};

    fn page(top: u64, offsets: impl IntoIterator<Item = u64>) -> Page {
        let epoch = Epoch::parse("epoch002").expect("valid");
        let publication = |offset| {
            let position = Some(Position { epoch, offset });
            Arc::new(Publication { position, data: Data::null(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
        };
        let fork = Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 4 };
        Page { epoch, top, forks: vec![fork], publications: offsets.into_iter().map(publication).collect() }
    }

    fn recover(epoch: &str, offset: u64) -> RecoverFrom {
        RecoverFrom { epoch: epoch.into(), offset }
    }

    #[track_caller]
    fn starts(recover: Option<RecoverFrom>, page: Page, recovery: Recovery, answer: u64, cursor: u64) {
        let RecoveryDecision::Start(start) = decide(recover.as_ref(), page) else { panic!("wants to read again") };
        assert_eq!((start.recovery, start.answer.offset, start.cursor.offset), (recovery, answer, cursor));
        assert_eq!(start.answer.epoch.as_str(), "epoch002", "clients always learn the current timeline");
    }

    #[test]
    fn without_recovery_it_starts_at_the_top() {
        assert_eq!(first_range(None), ReadRange::Top);
        starts(None, page(7, []), Recovery::NotRequested, 7, 7);
    }

    #[test]
    fn what_was_missed_comes_in_the_answer() {
        assert_eq!(first_range(Some(&recover("epoch002", 5))), ReadRange::After(5));
        starts(Some(recover("epoch002", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts(Some(recover("epoch002", 9)), page(9, []), Recovery::Recovered, 9, 9);
        starts(Some(recover("epoch001", 4)), page(6, 5..=6), Recovery::Recovered, 4, 6);
    }

    #[test]
    fn from_the_first_that_is_held() {
        assert_eq!(first_range(Some(&recover("", 0))), ReadRange::After(0));
        starts(Some(recover("", 0)), page(9, 4..=9), Recovery::Recovered, 3, 9);
        starts(Some(recover("", 0)), page(0, []), Recovery::Recovered, 0, 0);
        starts(Some(recover("", 0)), page(9, []), Recovery::Recovered, 9, 9);
    }

    #[test]
    fn what_is_gone_is_told_and_the_rest_follows_the_answer() {
        starts(Some(recover("epoch002", 2)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("epoch002", 2)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("epoch002", 10)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("no epoch", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
    }

    #[test]
    fn beyond_the_fork_everything_after_it_is_read() {
        let range_to_read = |from: &RecoverFrom| match decide(Some(from), page(9, [])) {
            RecoveryDecision::ReadAgain(range) => range,
            RecoveryDecision::Start(start) => panic!("decided too early: {start:?}"),
        };
        assert_eq!(range_to_read(&recover("epoch001", 6)), ReadRange::After(4));
        assert_eq!(range_to_read(&recover("epoch000", 6)), ReadRange::After(0));
        let start = start_after_loss(&page(9, 5..=9));
        assert_eq!((start.answer.offset, start.cursor.offset, start.top), (4, 4, 9));
    }
}
