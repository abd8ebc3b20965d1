//! Order of calls: those of one key come one after the other.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};
use tokio::sync::oneshot;

/// A turn: whether the last call of the key went to an instance that this one should go to as well.
pub(super) type Turn = Option<Arc<str>>;

/// The answer to [`Lanes::enter`].
pub(super) enum Entry {
    /// Nothing else of this key is under way.
    Now,
    /// The turn comes through here.
    Wait(oneshot::Receiver<Turn>),
    /// Too many wait.
    Full,
}

/// One lane per key that has a call under way.
pub(super) struct Lanes {
    waiting_max: usize,
    lanes: HashMap<Arc<str>, VecDeque<oneshot::Sender<Turn>>>,
}

impl Lanes {
    /// Lanes in which at most `waiting_max` calls wait, each.
    pub(super) fn new(waiting_max: usize) -> Self {
        Self { waiting_max, lanes: HashMap::new() }
    }

    pub(super) fn enter(&mut self, key: &Arc<str>) -> Entry {
        let Some(waiting) = self.lanes.get_mut(key) else {
            self.lanes.insert(Arc::clone(key), VecDeque::new());
            return Entry::Now;
        };
        if waiting.len() >= self.waiting_max {
            waiting.retain(|turn| !turn.is_closed());
        }
        if waiting.len() >= self.waiting_max {
            return Entry::Full;
        }
        let (give, take) = oneshot::channel();
        waiting.push_back(give);
        Entry::Wait(take)
    }

    /// The call that has the turn ended: the next one that still waits gets it.
    pub(super) fn leave(&mut self, key: &str, instance: Option<&Arc<str>>) {
        let Some(waiting) = self.lanes.get_mut(key) else { return };
        while let Some(next) = waiting.pop_front() {
            if next.send(instance.cloned()).is_ok() {
                return;
            }
        }
        self.lanes.remove(key);
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> usize {
        self.lanes.values().map(|lane| lane.iter().filter(|turn| !turn.is_closed()).count()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(lanes: &mut Lanes, key: &Arc<str>) -> oneshot::Receiver<Turn> {
        match lanes.enter(key) {
            Entry::Wait(turn) => turn,
            Entry::Now | Entry::Full => panic!("has to wait"),
        }
    }

    #[test]
    fn a_key_waits_for_its_turn_and_others_do_not() {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut lanes = Lanes::new(8);
        assert!(matches!(lanes.enter(&a), Entry::Now));
        let (mut second, mut third) = (wait(&mut lanes, &a), wait(&mut lanes, &a));
        assert!(matches!(lanes.enter(&b), Entry::Now));
        assert!(second.try_recv().is_err());
        lanes.leave("a", Some(&"i1".into()));
        assert_eq!(second.try_recv(), Ok(Some("i1".into())));
        assert!(third.try_recv().is_err());
        lanes.leave("a", None);
        assert_eq!(third.try_recv(), Ok(None));
        lanes.leave("a", None);
        lanes.leave("b", None);
        assert!(lanes.lanes.is_empty(), "an idle key costs nothing");
    }

    #[test]
    fn a_full_lane_refuses_and_forgets_those_that_went_away() {
        let a: Arc<str> = "a".into();
        let mut lanes = Lanes::new(2);
        assert!(matches!(lanes.enter(&a), Entry::Now));
        let gone = wait(&mut lanes, &a);
        let mut stays = wait(&mut lanes, &a);
        assert!(matches!(lanes.enter(&a), Entry::Full));
        drop(gone);
        let _late = wait(&mut lanes, &a);
        assert_eq!(lanes.waiting(), 2);
        lanes.leave("a", None);
        assert_eq!(stays.try_recv(), Ok(None), "the turn skips who went away");
    }
}
