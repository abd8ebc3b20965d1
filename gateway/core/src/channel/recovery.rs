//! Where a subscription starts: what a returning client gets, and what the reply tells it.

use super::{
    feed::{continues, is_valid},
    options::Unrecoverable,
};
use crate::model::{Epoch, Page, Position, Publication, ReadRange, RecoverFrom, Recovery};
use std::sync::Arc;

/// The start of a subscription.
#[derive(Debug)]
pub struct SubscriptionStart {
    /// The position in the reply. The first publication after it follows in the reply or as a push.
    pub answer: Position,
    /// The position that the client has reached with the reply.
    pub cursor: Position,
    /// Offset of the newest publication at the time of the read.
    pub top: u64,
    /// How the recovery went.
    pub recovery: Recovery,
    /// The first page of missed publications, for the reply.
    pub publications: Vec<Arc<Publication>>,
}

impl SubscriptionStart {
    /// A successful recovery from a worker's memory. The publications follow `answer` without a gap, up to the newest that the worker knows.
    pub fn from_memory(answer: Position, publications: Vec<Arc<Publication>>) -> Self {
        // The publications may be from before a fork. What the client gets next is in the epoch of the answer.
        let offset = publications.last().and_then(|last| last.position).map_or(answer.offset, |last| last.offset);
        let cursor = Position { offset, ..answer };
        Self { answer, cursor, top: cursor.offset, recovery: Recovery::Recovered, publications }
    }
}

/// What a page means for a recovery.
#[derive(Debug)]
pub enum RecoveryDecision {
    /// The subscription starts here.
    Start(SubscriptionStart),
    /// Something was lost. Read this range, and start with [`replay`].
    ReadAgain(ReadRange),
}

/// Where a client wants to continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecoveryPoint {
    /// At the oldest publication that is kept: offset 0 without an epoch.
    Oldest,
    /// After this offset in the current epoch: the client names none, and accepts any.
    Offset(u64),
    /// After this position.
    Position(Position),
    /// After a position that no gateway can have given to a client.
    Invalid,
}

impl RecoveryPoint {
    /// The position in the current epoch, if the page continues there.
    fn found_in(self, page: &Page) -> Option<Position> {
        let offset = match self {
            Self::Oldest => return Some(before_first(page)),
            Self::Offset(offset) => offset,
            Self::Position(position) if is_valid(position, page.epoch, &page.forks) => position.offset,
            Self::Position(_) | Self::Invalid => return None,
        };
        continues(offset, page).then_some(Position { epoch: page.epoch, offset })
    }
}

fn recovery_point(recover: &RecoverFrom) -> RecoveryPoint {
    match recover.position() {
        None if recover.epoch.is_empty() && recover.offset == 0 => RecoveryPoint::Oldest,
        None if recover.epoch.is_empty() => RecoveryPoint::Offset(recover.offset),
        Some(position) => RecoveryPoint::Position(position),
        None => RecoveryPoint::Invalid,
    }
}

/// What to read first.
pub fn first_range(recover: Option<&RecoverFrom>) -> ReadRange {
    match recover.map(recovery_point) {
        None => ReadRange::Top,
        Some(RecoveryPoint::Position(Position { offset, .. }) | RecoveryPoint::Offset(offset)) => ReadRange::After(offset),
        Some(RecoveryPoint::Oldest | RecoveryPoint::Invalid) => ReadRange::After(0),
    }
}

/// Decides with the page of the range from [`first_range`].
pub fn decide(recover: Option<&RecoverFrom>, unrecoverable: Unrecoverable, page: Page) -> RecoveryDecision {
    let Some(point) = recover.map(recovery_point) else {
        return RecoveryDecision::Start(without_publications(top(&page), Recovery::NotRequested, &page));
    };
    if let Some(answer) = point.found_in(&page) {
        return RecoveryDecision::Start(SubscriptionStart { top: page.top, ..SubscriptionStart::from_memory(answer, page.publications) });
    }
    // NL-5.6
    match (unrecoverable, point) {
        (Unrecoverable::Live, _) => RecoveryDecision::Start(without_publications(top(&page), Recovery::Lost, &page)),
        (Unrecoverable::Replay, RecoveryPoint::Position(position)) if !is_valid(position, page.epoch, &page.forks) => {
            let fork = page.forks.iter().find(|fork| fork.epoch == position.epoch);
            RecoveryDecision::ReadAgain(ReadRange::After(fork.map_or(0, |fork| fork.offset)))
        }
        (Unrecoverable::Replay, _) => RecoveryDecision::Start(replay(&page)),
    }
}

/// Whether the current epoch contains or continues this position. Without an epoch, it does.
pub fn is_known(from: &RecoverFrom, epoch: Epoch, forks: &[Position]) -> bool {
    from.epoch.is_empty() || from.position().is_some_and(|position| is_valid(position, epoch, forks))
}

// NL-0.2, NL-5.6
/// The start of a subscription whose recovery failed. The reply says so. The publications of the page follow it as pushes.
pub fn replay(page: &Page) -> SubscriptionStart {
    without_publications(before_first(page), Recovery::Lost, page)
}

fn without_publications(answer: Position, recovery: Recovery, page: &Page) -> SubscriptionStart {
    SubscriptionStart { answer, cursor: answer, top: page.top, recovery, publications: Vec::new() }
}

fn top(page: &Page) -> Position {
    Position { epoch: page.epoch, offset: page.top }
}

fn before_first(page: &Page) -> Position {
    let first = page.publications.first().and_then(|first| first.position);
    Position { epoch: page.epoch, offset: first.map_or(page.top, |first| first.offset - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Data, Tags};

    fn page(top: u64, offsets: impl IntoIterator<Item = u64>) -> Page {
        let epoch = Epoch::parse("epoch002").expect("valid");
        let publication = |offset| {
            let position = Some(Position { epoch, offset });
            Arc::new(Publication { position, content: Data::null().into(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None })
        };
        let fork = Position { epoch: Epoch::parse("epoch001").expect("valid"), offset: 4 };
        Page { epoch, top, forks: vec![fork], publications: offsets.into_iter().map(publication).collect() }
    }

    fn recover(epoch: &str, offset: u64) -> RecoverFrom {
        RecoverFrom { epoch: epoch.into(), offset }
    }

    #[track_caller]
    fn starts(recover: Option<RecoverFrom>, page: Page, recovery: Recovery, answer: u64, cursor: u64) {
        starts_with(Unrecoverable::Replay, recover, page, recovery, answer, cursor);
    }

    #[track_caller]
    fn starts_with(unrecoverable: Unrecoverable, recover: Option<RecoverFrom>, page: Page, recovery: Recovery, answer: u64, cursor: u64) {
        let RecoveryDecision::Start(start) = decide(recover.as_ref(), unrecoverable, page) else { panic!("wants to read again") };
        assert_eq!((start.recovery, start.answer.offset, start.cursor.offset), (recovery, answer, cursor));
        assert_eq!(start.answer.epoch.as_str(), "epoch002", "the reply always names the current epoch");
    }

    #[test]
    fn without_recovery_a_subscription_starts_at_the_top() {
        assert_eq!(first_range(None), ReadRange::Top);
        starts(None, page(7, []), Recovery::NotRequested, 7, 7);
    }

    // NL-1.3
    #[test]
    fn missed_publications_are_part_of_the_reply() {
        assert_eq!(first_range(Some(&recover("epoch002", 5))), ReadRange::After(5));
        starts(Some(recover("epoch002", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts(Some(recover("epoch002", 9)), page(9, []), Recovery::Recovered, 9, 9);
        starts(Some(recover("epoch001", 4)), page(6, 5..=6), Recovery::Recovered, 4, 6);
    }

    #[test]
    fn offset_0_without_an_epoch_starts_at_the_oldest_publication() {
        assert_eq!(first_range(Some(&recover("", 0))), ReadRange::After(0));
        starts(Some(recover("", 0)), page(9, 4..=9), Recovery::Recovered, 3, 9);
        starts(Some(recover("", 0)), page(0, []), Recovery::Recovered, 0, 0);
        starts(Some(recover("", 0)), page(9, []), Recovery::Recovered, 9, 9);
    }

    #[test]
    fn an_offset_without_an_epoch_counts_in_the_current_epoch() {
        assert_eq!(first_range(Some(&recover("", 5))), ReadRange::After(5));
        starts(Some(recover("", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts(Some(recover("", 9)), page(9, []), Recovery::Recovered, 9, 9);
    }

    // NL-0.2, NL-5.6
    #[test]
    fn after_a_loss_a_subscription_starts_at_the_top_or_before_the_oldest_publication_that_is_kept() {
        for from in [recover("epoch002", 2), recover("epoch001", 6), recover("epoch000", 6), recover("", 3), recover("no epoch", 3)] {
            starts_with(Unrecoverable::Live, Some(from), page(9, 5..=9), Recovery::Lost, 9, 9);
        }
        starts_with(Unrecoverable::Live, Some(recover("epoch002", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts_with(Unrecoverable::Live, Some(recover("epoch001", 4)), page(6, 5..=6), Recovery::Recovered, 4, 6);
        starts(Some(recover("epoch002", 2)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("epoch002", 2)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("epoch002", 10)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("", 10)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("no epoch", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
    }

    #[test]
    fn a_position_beyond_its_fork_requires_a_read_from_the_fork_on() {
        let range_to_read = |from: &RecoverFrom| match decide(Some(from), Unrecoverable::Replay, page(9, [])) {
            RecoveryDecision::ReadAgain(range) => range,
            RecoveryDecision::Start(start) => panic!("decided too early: {start:?}"),
        };
        assert_eq!(range_to_read(&recover("epoch001", 6)), ReadRange::After(4));
        assert_eq!(range_to_read(&recover("epoch000", 6)), ReadRange::After(0));
        let start = replay(&page(9, 5..=9));
        assert_eq!((start.answer.offset, start.cursor.offset, start.top), (4, 4, 9));
    }
}
