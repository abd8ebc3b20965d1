//! What all clients of an address may do in a time.

use super::{
    ClientNetwork, Limit, Meter, Rate,
    table::{PeerMeters, SharedTable},
};
use crate::model::Tick;
use std::time::Duration;

/// What all clients of an address may do in a time. All workers of a node share it, and their clocks have the same start.
#[derive(Debug)]
pub struct AddressRates {
    upgrades: Option<Rate>,
    wrong_tokens: Option<Rate>,
    table: SharedTable<AddressMeters>,
}

#[derive(Clone, Copy, Debug, Default)]
struct AddressMeters {
    upgrades: Meter,
    wrong_tokens: Meter,
}

impl PeerMeters for AddressMeters {
    fn even_at(&self) -> u64 {
        self.upgrades.even_at().max(self.wrong_tokens.even_at())
    }
}

impl AddressRates {
    /// Rates for each address, with room for about so many addresses. None: there is no limit.
    pub fn new(upgrades: Option<Rate>, wrong_tokens: Option<Rate>, addresses: usize) -> Self {
        let is_unlimited = upgrades.is_none() && wrong_tokens.is_none();
        Self { upgrades, wrong_tokens, table: SharedTable::new(if is_unlimited { 0 } else { addresses }) }
    }

    /// Takes an upgrade or a request for a stream. The error names the limit that it exceeds, and when the client may come back.
    pub fn admit(&self, now: Tick, client: ClientNetwork) -> Result<(), (Limit, Duration)> {
        self.table.with(now, self.table.key(client), |meters| {
            if let Some(rate) = self.wrong_tokens {
                meters.wrong_tokens.admit(rate, now, 0).map_err(|pause| (Limit::AddressWrongTokens, pause))?;
            }
            self.upgrades.map_or(Ok(()), |rate| meters.upgrades.admit(rate, now, 1)).map_err(|pause| (Limit::AddressUpgrades, pause))
        })
    }

    /// A client of this address sent a token that is not valid.
    pub fn wrong_token(&self, now: Tick, client: ClientNetwork) {
        if let Some(rate) = self.wrong_tokens {
            self.table.with(now, self.table.key(client), |meters| meters.wrong_tokens.charge(rate, now, 1));
        }
    }

    /// How many addresses lost their place in the table while their meters counted something.
    pub fn forgotten(&self) -> u64 {
        self.table.forgotten()
    }
}
