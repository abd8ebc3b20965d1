//! What all connections of a user on a node may send together.

use super::{PeerKey, TrafficMeters, TrafficRates, Verdict, table::SharedTable};
use crate::model::{Tick, UserId};

/// What all connections of a user may send together. All workers of a node share it, and their clocks have the same start.
#[derive(Debug)]
pub struct UserRates {
    rates: TrafficRates,
    table: SharedTable<TrafficMeters>,
}

impl UserRates {
    /// Rates for each user, with room for about so many users. None: there is no limit.
    pub fn new(rates: TrafficRates, users: usize) -> Option<Self> {
        (!rates.is_unlimited()).then(|| Self { rates, table: SharedTable::new(users) })
    }

    /// The key of a user.
    pub fn key(&self, user: &UserId) -> PeerKey {
        self.table.key(user)
    }

    /// Messages of this size and this many commands of the user arrived.
    pub fn charge(&self, now: Tick, user: PeerKey, bytes: u64, commands: u64) -> Verdict {
        self.table.with(now, user, |meters| meters.charge(&self.rates, now, bytes, commands))
    }

    /// An answer to the user cost as much as this many commands.
    pub fn settle(&self, now: Tick, user: PeerKey, commands: u64) {
        self.table.with(now, user, |meters| meters.settle(&self.rates, now, commands));
    }

    /// How many users lost their place in the table while their meters counted something.
    pub fn forgotten(&self) -> u64 {
        self.table.forgotten()
    }
}
