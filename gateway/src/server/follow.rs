//! Follows files that change: looks at them twice a second and at each SIGHUP.

use std::{io, time::Duration};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};

/// Time between two looks.
const INTERVAL: Duration = Duration::from_millis(500);

/// Why files are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occasion {
    /// The time between two looks has passed.
    Tick,
    /// The operator sent SIGHUP.
    Hangup,
}

/// What is made of files, and made again when they change.
pub(super) trait Followed: Send {
    /// Looks at the files, and uses them if that is due. Blocks.
    fn look(&mut self, occasion: Occasion);
}

/// What is used of files, and what the last look saw.
#[derive(Debug)]
pub(super) struct Seen<T> {
    used: T,
    last: T,
}

impl<T: PartialEq + Clone> Seen<T> {
    /// Begins with what the start used.
    pub(super) fn new(used: T) -> Self {
        Self { last: used.clone(), used }
    }

    /// Whether to use what is seen now: with SIGHUP always, otherwise if it is new and the look before saw the same. So a file counts only when it is
    /// written completely.
    pub(super) fn is_due(&mut self, now: T, occasion: Occasion) -> bool {
        let is_due = match occasion {
            Occasion::Hangup => true,
            Occasion::Tick => now == self.last && now != self.used,
        };
        if is_due {
            self.used = now.clone();
        }
        self.last = now;
        is_due
    }
}

/// Looks at all files that are followed.
pub(super) struct Follower {
    all: Vec<Box<dyn Followed>>,
    hangup: Signal,
}

impl Follower {
    /// From now on SIGHUP does not end the process. `None`: there is nothing to follow.
    pub(super) fn new(all: Vec<Box<dyn Followed>>) -> io::Result<Option<Self>> {
        if all.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self { all, hangup: signal(SignalKind::hangup())? }))
    }

    /// Runs until a look panics.
    pub(super) async fn run(self) -> io::Result<()> {
        let (Self { mut all, mut hangup }, mut ticks) = (self, interval(INTERVAL));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let occasion = tokio::select! {
                _ = hangup.recv() => Occasion::Hangup,
                _ = ticks.tick() => Occasion::Tick,
            };
            let looked = spawn_blocking(move || {
                for followed in &mut all {
                    followed.look(occasion);
                }
                all
            });
            all = looked.await?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_looks_in_a_row_see_is_used_once() {
        let mut seen = Seen::new(1);
        let mut at_tick = |now| seen.is_due(now, Occasion::Tick);
        assert_eq!([1, 2, 2, 2].map(&mut at_tick), [false, false, true, false]);
        assert_eq!([3, 4, 3, 4, 2, 2].map(&mut at_tick), [false; 6], "it never stands still, and returns to what is used");
    }

    #[test]
    fn a_hangup_uses_what_is_there() {
        let mut seen = Seen::new(1);
        assert!(seen.is_due(1, Occasion::Hangup) && seen.is_due(2, Occasion::Hangup));
        assert_eq!([2, 1, 1].map(|now| seen.is_due(now, Occasion::Tick)), [false, false, true]);
    }
}
