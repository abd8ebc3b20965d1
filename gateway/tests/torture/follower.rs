//! What one subscriber has of one channel, and whether that is as promised.

use crate::{
    ledger::Channel,
    numbers::Numbers,
    tally::{Count, Tally},
};
use gateway_core::model::Position;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Instant,
};

/// All followers, by their channels' names.
#[derive(Default)]
pub(crate) struct Followers(Mutex<HashMap<String, Vec<Arc<Mutex<Follower>>>>>);

impl Followers {
    /// A new one.
    pub(crate) fn add(&self, who: String, channel: &Arc<Channel>) -> Arc<Mutex<Follower>> {
        let follower = Arc::new(Mutex::new(Follower::new(who, channel.clone())));
        self.0.lock().expect("no panic").entry(channel.name.clone()).or_default().push(follower.clone());
        follower
    }

    /// Those of a channel.
    pub(crate) fn of(&self, channel: &Channel) -> Vec<Arc<Mutex<Follower>>> {
        self.0.lock().expect("no panic").get(&channel.name).cloned().unwrap_or_default()
    }
}

/// See the module. Its position is what the official SDKs would hold.
pub(crate) struct Follower {
    pub(crate) who: String,
    channel: Arc<Channel>,
    position: Option<Position>,
    /// When it came there.
    moved: Instant,
    /// Everything that it ever got.
    ever: Numbers,
    /// What it got since it learned of a loss.
    since_loss: Numbers,
}

impl Follower {
    fn new(who: String, channel: Arc<Channel>) -> Self {
        Self { who, channel, position: None, moved: Instant::now(), ever: Numbers::default(), since_loss: Numbers::default() }
    }

    /// What it asks to go on from; none: from the first that is held.
    pub(crate) fn position(&self) -> Option<Position> {
        self.position
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.ever.contains(number)
    }

    /// The answer to a subscribe that asked to go on from [`Self::position`].
    pub(crate) fn subscribed(&mut self, answer: Position, recovered: bool, tally: &Tally) {
        match self.position {
            Some(asked) if recovered && answer.offset != asked.offset => {
                let gap = answer.offset.saturating_sub(asked.offset).max(1);
                tally.wrong(Count::Untold, gap, || format!("{}: recovery from {asked:?} was answered from {answer:?}", self.name()));
            }
            Some(asked) if !recovered => {
                tally.add(Count::ReportedLosses, 1);
                self.since_loss.clear();
                if !self.channel.may_be_lost(self.moved) {
                    let case = || format!("{}: a loss after {asked:?} was reported, and nothing was lost (answer {answer:?})", self.name());
                    tally.wrong(Count::Other, 1, case);
                }
            }
            _ => {}
        }
        self.go_to(answer);
    }

    /// A publication came.
    pub(crate) fn publication(&mut self, offset: u64, number: u32, tally: &Tally) {
        tally.add(Count::Deliveries, 1);
        let Some(position) = self.position else {
            tally.wrong(Count::Other, 1, || format!("{}: {offset} came ahead of the answer to the subscribe", self.name()));
            return;
        };
        let place = Position { offset, ..position };
        let is_new = self.ever.insert(number);
        let may_come_again = self.channel.delivered(number, place, is_new, tally);
        let is_new_since_loss = self.since_loss.insert(number);
        if offset > position.offset + 1 {
            let gap = offset - position.offset - 1;
            tally.wrong(Count::Untold, gap, || format!("{}: {offset} (number {number}) followed {position:?}", self.name()));
        } else if !is_new_since_loss && !may_come_again {
            tally.wrong(Count::Duplicates, 1, || format!("{}: number {number} came again, at {offset} after {position:?}", self.name()));
        } else if offset <= position.offset {
            tally.wrong(Count::Disorder, 1, || format!("{}: {offset} (number {number}) followed {position:?}", self.name()));
        } else if !is_new {
            tally.add(Count::Again, 1);
        }
        self.go_to(place);
    }

    fn go_to(&mut self, position: Position) {
        self.position = Some(position);
        self.moved = Instant::now();
    }

    fn name(&self) -> String {
        format!("{} of {}", self.who, self.channel.name)
    }
}
