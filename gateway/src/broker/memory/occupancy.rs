//! Occupancy with a single node. Sans-I/O: callers pass the time.

use crate::broker::{Hold, Release};
use gateway_core::model::ChannelName;
use std::collections::HashMap;

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
    hold: Option<Hold>,
}

impl Occupancy {
    pub(super) fn hold(&mut self, channel: &ChannelName, unix_ms: u64) -> Hold {
        if let Some(occupation) = self.occupied.get_mut(channel) {
            return *occupation.hold.get_or_insert(Hold { generation: occupation.generation, began: false });
        }
        let generation = unix_ms.max(self.last + 1);
        let hold = Hold { generation, began: true };
        self.occupied.insert(channel.clone(), Occupation { generation, hold: Some(hold) });
        hold
    }

    pub(super) fn release(&mut self, channel: &ChannelName) -> Release {
        match self.occupied.get_mut(channel) {
            None => Release::Unoccupied,
            Some(occupation) => {
                occupation.hold = None;
                Release::Vacant(occupation.generation)
            }
        }
    }

    pub(super) fn vacate(&mut self, channel: &ChannelName, generation: u64) -> bool {
        match self.occupied.get(channel) {
            Some(occupation) if occupation.generation == generation && occupation.hold.is_some() => false,
            Some(occupation) if occupation.generation == generation => {
                self.last = self.last.max(generation);
                self.occupied.remove(channel);
                true
            }
            _ => true,
        }
    }
}
