//! The commands and bytes of one peer: a connection, or all connections of a user.

use super::{Level, Meter, Rate, table::PeerMeters};
use crate::model::Tick;

/// As many entries of history, presence and recovery cost as much as one command.
const ENTRIES_PER_COMMAND: u64 = 100;

/// What a peer may send. None: without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficRates {
    /// Commands.
    pub commands: Option<Rate>,
    /// Bytes of messages.
    pub bytes: Option<Rate>,
}

/// What a peer has sent. It is in every session, so it is small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficMeters {
    commands: Meter,
    bytes: Meter,
}

/// What a peer uses up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Commands.
    Commands,
    /// Bytes of messages.
    Bytes,
}

/// Whether a peer keeps to its rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Where it stands.
    pub level: Level,
    /// What it has used most of.
    pub of: Resource,
}

impl TrafficRates {
    /// Commands that `subscriptions` subscribes cost that recover a page of `entries` each.
    pub fn cost_of_return(subscriptions: usize, entries: usize) -> u64 {
        (subscriptions as u64).saturating_mul(1 + (entries as u64).div_ceil(ENTRIES_PER_COMMAND))
    }

    /// Commands that an answer with so many entries costs besides its own.
    pub fn cost_of_answer(entries: usize) -> u64 {
        entries as u64 / ENTRIES_PER_COMMAND
    }

    /// Whether there is no limit.
    pub fn is_unlimited(&self) -> bool {
        self.commands.is_none() && self.bytes.is_none()
    }
}

impl TrafficMeters {
    /// Messages of this size and this many commands arrived.
    pub fn charge(&mut self, rates: &TrafficRates, now: Tick, bytes: u64, commands: u64) -> Verdict {
        let by_bytes = charge(&mut self.bytes, rates.bytes, now, bytes);
        let by_commands = charge(&mut self.commands, rates.commands, now, commands);
        let of = if by_bytes > by_commands { Resource::Bytes } else { Resource::Commands };
        Verdict { level: by_commands.max(by_bytes), of }
    }

    /// An answer cost as much as this many commands.
    pub fn settle(&mut self, rates: &TrafficRates, now: Tick, commands: u64) {
        if let Some(rate) = rates.commands {
            self.commands.settle(rate, now, commands);
        }
    }
}

impl PeerMeters for TrafficMeters {
    fn even_at(&self) -> u64 {
        self.commands.even_at().max(self.bytes.even_at())
    }
}

/// Without a cost, only looks.
fn charge(meter: &mut Meter, rate: Option<Rate>, now: Tick, cost: u64) -> Level {
    match rate {
        None => Level::Within,
        Some(rate) if cost == 0 => meter.level(rate, now),
        Some(rate) => meter.charge(rate, now, cost),
    }
}
