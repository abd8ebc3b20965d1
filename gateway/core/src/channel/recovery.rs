//! Where a subscription starts: what a returning client gets, and what it is told.

use super::feed::{continues, is_valid};
use crate::model::{Epoch, Page, Position, Publication, RecoverFrom, Recovery, Span};
use std::sync::Arc;

/// The start of a subscription.
#[derive(Debug)]
pub struct Start {
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

impl Start {
    /// From this place in the current timeline, which these publications follow without a gap, up to the newest that is known.
    pub fn remembered(answer: Position, publications: Vec<Arc<Publication>>) -> Self {
        let cursor = publications.last().and_then(|last| last.position).unwrap_or(answer);
        Self { answer, cursor, top: cursor.offset, recovery: Recovery::Recovered, publications }
    }
}

/// What a page says about a recovery.
#[derive(Debug)]
pub enum Judgement {
    /// It is decided.
    Start(Start),
    /// Another range has to be read first, then ask [`lost`].
    ReadAgain(Span),
}

/// Where a client wants to go on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum From {
    /// Whatever is held: offset 0 and no epoch.
    FirstHeld,
    /// After this offset of whichever timeline is the current one: the client names no epoch, and so takes any.
    Offset(u64),
    /// After this position.
    Position(Position),
    /// After something that no gateway has ever written.
    Nowhere,
}

fn from(recover: &RecoverFrom) -> From {
    match recover.position() {
        None if recover.epoch.is_empty() && recover.offset == 0 => From::FirstHeld,
        None if recover.epoch.is_empty() => From::Offset(recover.offset),
        Some(position) => From::Position(position),
        None => From::Nowhere,
    }
}

/// What to read first.
pub fn first_span(recover: Option<&RecoverFrom>) -> Span {
    match recover.map(from) {
        None => Span::Top,
        Some(From::Position(Position { offset, .. }) | From::Offset(offset)) => Span::After(offset),
        Some(From::FirstHeld | From::Nowhere) => Span::After(0),
    }
}

/// Decides by the page that [`first_span`] brought.
pub fn judge(recover: Option<&RecoverFrom>, page: Page) -> Judgement {
    let top = Position { epoch: page.epoch, offset: page.top };
    match recover.map(from) {
        None => Judgement::Start(Start { answer: top, cursor: top, top: page.top, recovery: Recovery::NotAsked, publications: Vec::new() }),
        Some(From::FirstHeld) => Judgement::Start(recovered(before_first(&page), page)),
        Some(From::Nowhere) => Judgement::Start(lost(&page)),
        Some(From::Position(position)) if !is_valid(position, page.epoch, &page.forks) => {
            let fork = page.forks.iter().find(|fork| fork.epoch == position.epoch);
            Judgement::ReadAgain(Span::After(fork.map_or(0, |fork| fork.offset)))
        }
        Some(From::Position(Position { offset, .. }) | From::Offset(offset)) if continues(offset, &page) => {
            Judgement::Start(recovered(Position { epoch: page.epoch, offset }, page))
        }
        Some(From::Position(_) | From::Offset(_)) => Judgement::Start(lost(&page)),
    }
}

/// Whether `from` is a place in this timeline, or in one that it continues. One without an epoch is in any.
pub fn is_known(from: &RecoverFrom, epoch: Epoch, forks: &[Position]) -> bool {
    from.epoch.is_empty() || from.position().is_some_and(|position| is_valid(position, epoch, forks))
}

// NL-0.2, NL-5.6
/// Something is gone: the client is told, and gets what is still held as pushes after the answer.
pub fn lost(page: &Page) -> Start {
    let answer = before_first(page);
    Start { answer, cursor: answer, top: page.top, recovery: Recovery::Lost, publications: Vec::new() }
}

fn recovered(answer: Position, page: Page) -> Start {
    Start { top: page.top, ..Start::remembered(answer, page.publications) }
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
        let Judgement::Start(start) = judge(recover.as_ref(), page) else { panic!("wants to read again") };
        assert_eq!((start.recovery, start.answer.offset, start.cursor.offset), (recovery, answer, cursor));
        assert_eq!(start.answer.epoch.as_str(), "epoch002", "clients always learn the current timeline");
    }

    #[test]
    fn without_recovery_it_starts_at_the_top() {
        assert_eq!(first_span(None), Span::Top);
        starts(None, page(7, []), Recovery::NotAsked, 7, 7);
    }

    // NL-1.3
    #[test]
    fn what_was_missed_comes_in_the_answer() {
        assert_eq!(first_span(Some(&recover("epoch002", 5))), Span::After(5));
        starts(Some(recover("epoch002", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts(Some(recover("epoch002", 9)), page(9, []), Recovery::Recovered, 9, 9);
        starts(Some(recover("epoch001", 4)), page(6, 5..=6), Recovery::Recovered, 4, 6);
    }

    #[test]
    fn from_the_first_that_is_held() {
        assert_eq!(first_span(Some(&recover("", 0))), Span::After(0));
        starts(Some(recover("", 0)), page(9, 4..=9), Recovery::Recovered, 3, 9);
        starts(Some(recover("", 0)), page(0, []), Recovery::Recovered, 0, 0);
        starts(Some(recover("", 0)), page(9, []), Recovery::Recovered, 9, 9);
    }

    #[test]
    fn without_an_epoch_any_is_meant() {
        assert_eq!(first_span(Some(&recover("", 5))), Span::After(5));
        starts(Some(recover("", 5)), page(9, 6..=8), Recovery::Recovered, 5, 8);
        starts(Some(recover("", 9)), page(9, []), Recovery::Recovered, 9, 9);
    }

    // NL-0.2, NL-5.6
    #[test]
    fn what_is_gone_is_told_and_the_rest_follows_the_answer() {
        starts(Some(recover("epoch002", 2)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("epoch002", 2)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("epoch002", 10)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
        starts(Some(recover("", 10)), page(9, []), Recovery::Lost, 9, 9);
        starts(Some(recover("no epoch", 3)), page(9, 5..=9), Recovery::Lost, 4, 4);
    }

    #[test]
    fn beyond_the_fork_everything_after_it_is_read() {
        let judge = |from: &RecoverFrom| match judge(Some(from), page(9, [])) {
            Judgement::ReadAgain(span) => span,
            Judgement::Start(start) => panic!("decided too early: {start:?}"),
        };
        assert_eq!(judge(&recover("epoch001", 6)), Span::After(4));
        assert_eq!(judge(&recover("epoch000", 6)), Span::After(0));
        let start = lost(&page(9, 5..=9));
        assert_eq!((start.answer.offset, start.cursor.offset, start.top), (4, 4, 9));
    }
}
