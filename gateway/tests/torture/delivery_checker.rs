//! Checks the deliveries of one channel to one subscriber.

use crate::{
    ledger::{Channel, HeldPublication},
    number_set::NumberSet,
    subscriber::activity::Activity,
    tally::{Count, Tally},
};
use gateway_core::{channel::Unrecoverable, model::Position};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

/// All checkers, by the name of their channel.
#[derive(Default)]
pub(crate) struct DeliveryCheckers(Mutex<HashMap<String, Vec<Arc<Mutex<DeliveryChecker>>>>>);

impl DeliveryCheckers {
    /// Adds a checker.
    pub(crate) fn add(&self, who: String, channel: &Arc<Channel>, view: View, activity: Arc<Activity>) -> Arc<Mutex<DeliveryChecker>> {
        let checker = Arc::new(Mutex::new(DeliveryChecker::new(who, channel.clone(), view, activity)));
        self.0.lock().expect("no panic").entry(channel.name.clone()).or_default().push(checker.clone());
        checker
    }

    /// The checkers of a channel.
    pub(crate) fn of(&self, channel: &Channel) -> Vec<Arc<Mutex<DeliveryChecker>>> {
        self.0.lock().expect("no panic").get(&channel.name).cloned().unwrap_or_default()
    }
}

/// What a subscriber sees of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum View {
    /// All publications.
    Whole,
    /// No publications with the tag [`SKIPPED`](crate::content::SKIPPED). Checkpoints find those that it should have got.
    Filtered,
    /// All publications from the first subscribe on, and after a loss those that follow the position that it learns. It learns of a new epoch by
    /// the next publication.
    FromNow,
}

/// The state of one subscription. Its position is the one that the official SDKs would have.
pub(crate) struct DeliveryChecker {
    pub(crate) who: String,
    channel: Arc<Channel>,
    view: View,
    activity: Arc<Activity>,
    position: Option<Position>,
    /// The time at which it reached the position.
    position_since: Instant,
    /// All received publications.
    received: NumberSet,
    /// The position from which it went on live after the last reported loss, unless what is still held follows the position that it learned.
    live_after: Option<Position>,
    /// The publications that were received after the last reported loss.
    received_since_loss: NumberSet,
}

impl DeliveryChecker {
    fn new(who: String, channel: Arc<Channel>, view: View, activity: Arc<Activity>) -> Self {
        Self {
            who,
            channel,
            view,
            activity,
            position: None,
            position_since: Instant::now(),
            live_after: None,
            received: NumberSet::default(),
            received_since_loss: NumberSet::default(),
        }
    }

    /// The position from which it recovers. `None`: from the oldest publication of the history.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    /// Whether it received this publication of the history, or went on behind it after a reported loss.
    pub(crate) fn has(&self, held: &HeldPublication) -> bool {
        let is_unwanted = self.has_filter() && self.channel.is_skipped(held.number);
        is_unwanted || self.received.contains(held.number) || self.live_after.is_some_and(|live_after| held.offset <= live_after.offset)
    }

    /// Whether its position is the newest of the channel. Behind a filter it is the newest that passes, so that only the epoch is checked. Without
    /// publications in a new epoch only the offset is checked.
    pub(crate) fn is_at(&self, top: Position) -> bool {
        self.position.is_some_and(|at| match self.view {
            View::Whole => at == top,
            View::Filtered => at.epoch == top.epoch && at.offset <= top.offset,
            View::FromNow => at.offset == top.offset,
        })
    }

    fn has_filter(&self) -> bool {
        self.view == View::Filtered
    }

    /// Checks the reply to a subscribe command that requested recovery from [`Self::position`].
    pub(crate) fn subscribed(&mut self, answer: Position, recovered: bool, tally: &Tally) {
        match self.position {
            Some(asked) if recovered && answer.offset != asked.offset => {
                let gap = answer.offset.saturating_sub(asked.offset).max(1);
                tally.violation(Count::UnreportedLosses, gap, || {
                    format!("{}: recovery from {asked:?} was answered from {answer:?}", self.name())
                });
            }
            Some(asked) if !recovered => {
                tally.add(Count::ReportedLosses, 1);
                self.activity.loss_reported();
                self.received_since_loss.clear();
                let goes_on = self.channel.unrecoverable == Unrecoverable::Live || self.view == View::FromNow;
                self.live_after = goes_on.then_some(answer);
                if !self.channel.may_be_lost(self.position_since) {
                    let case = || format!("{}: a loss after {asked:?} was reported, but nothing was lost (answer {answer:?})", self.name());
                    tally.violation(Count::Other, 1, case);
                }
            }
            None if self.view == View::FromNow => self.live_after = Some(answer),
            _ => {}
        }
        self.set_position(answer);
    }

    /// Checks a received publication that tells its whole position. A new epoch continues at the subscriber's offset.
    pub(crate) fn publication_at(&mut self, at: Position, number: u32, tally: &Tally) {
        if let Some(position) = &mut self.position {
            position.epoch = at.epoch;
        }
        self.publication(at.offset, number, tally);
    }

    /// Checks a received publication.
    pub(crate) fn publication(&mut self, offset: u64, number: u32, tally: &Tally) {
        tally.add(Count::Deliveries, 1);
        self.activity.delivered();
        let Some(position) = self.position else {
            tally.violation(Count::Other, 1, || format!("{}: {offset} arrived before the reply to the subscribe command", self.name()));
            return;
        };
        let place = Position { offset, ..position };
        let is_new = self.received.insert(number);
        let may_come_again = self.channel.delivered(number, place, is_new, tally);
        let is_new_since_loss = self.received_since_loss.insert(number);
        if self.has_filter() && self.channel.is_skipped(number) {
            tally.violation(Count::Other, 1, || format!("{}: {offset} (number {number}) does not pass the filter", self.name()));
        }
        if offset > position.offset + 1 && !self.has_filter() {
            let gap = offset - position.offset - 1;
            tally.violation(Count::UnreportedLosses, gap, || format!("{}: {offset} (number {number}) followed {position:?}", self.name()));
        } else if !is_new_since_loss && !may_come_again {
            tally.violation(Count::Duplicates, 1, || {
                format!("{}: number {number} was delivered again, at {offset} after {position:?}", self.name())
            });
        } else if offset <= position.offset {
            tally.violation(Count::Disorder, 1, || format!("{}: {offset} (number {number}) followed {position:?}", self.name()));
        } else if !is_new {
            tally.add(Count::Redelivered, 1);
        }
        self.set_position(place);
    }

    fn set_position(&mut self, position: Position) {
        self.position = Some(position);
        self.position_since = Instant::now();
    }

    fn name(&self) -> String {
        format!("{} of {}", self.who, self.channel.name)
    }
}
