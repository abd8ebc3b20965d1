//! Occupancy with a single node. Sans-I/O: callers pass the time.

use crate::broker::{Hold, Release, Vacate};
use gateway_core::model::{ChannelName, Tick};
use std::{collections::HashMap, time::Duration};

/// The occupations of all channels.
#[derive(Debug, Default)]
pub(super) struct Occupancy {
    occupied: HashMap<ChannelName, Occupation, foldhash::quality::RandomState>,
    /// The largest generation of a channel that is vacant now.
    last: u64,
}

#[derive(Debug)]
struct Occupation {
    generation: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Held(Hold),
    VacantSince(Tick),
}

impl Occupancy {
    pub(super) fn hold(&mut self, channel: &ChannelName, unix_ms: u64) -> Hold {
        if let Some(Occupation { generation, state }) = self.occupied.get_mut(channel) {
            return match *state {
                State::Held(hold) => hold,
                State::VacantSince(_) => {
                    let hold = Hold { generation: *generation, began: false };
                    *state = State::Held(hold);
                    hold
                }
            };
        }
        let generation = unix_ms.max(self.last + 1);
        let hold = Hold { generation, began: true };
        self.occupied.insert(channel.clone(), Occupation { generation, state: State::Held(hold) });
        hold
    }

    pub(super) fn release(&mut self, channel: &ChannelName, now: Tick) -> Release {
        let Some(Occupation { generation, state }) = self.occupied.get_mut(channel) else { return Release::Unoccupied };
        if matches!(state, State::Held(_)) {
            *state = State::VacantSince(now);
        }
        Release::Vacant(*generation)
    }

    pub(super) fn vacate(&mut self, channel: &ChannelName, generation: u64, linger: Duration, now: Tick) -> Vacate {
        let Some(occupation) = self.occupied.get(channel).filter(|occupation| occupation.generation == generation) else {
            return Vacate::Over;
        };
        match occupation.state {
            State::Held(_) => Vacate::Occupied,
            State::VacantSince(since) => match linger.saturating_sub(now.since(since)) {
                Duration::ZERO => {
                    self.last = self.last.max(generation);
                    self.occupied.remove(channel);
                    Vacate::Over
                }
                left => Vacate::Lingers(left),
            },
        }
    }
}
