//! What the clients of one address may do.

use gateway_core::{
    limits::{AddressRates, ClientNetwork, Limit, Rate},
    model::Tick,
};
use shared_proto::http::{ClientPlaces, Places};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// Bounds of what the clients of one address may do. All of IPv6 that begins with the same 64 bits is one address.
#[derive(Clone, Copy, Debug)]
pub struct AddressLimits {
    /// Connections that are not upgraded yet.
    pub http_connections: usize,
    /// Open connections.
    pub connections: usize,
    /// Upgrades and requests for streams.
    pub upgrades: Option<Rate>,
    /// Tokens that are not valid.
    pub wrong_tokens: Option<Rate>,
    /// Number of addresses whose rates are counted at a time.
    pub table: usize,
}

/// Whether an address is that of a proxy, behind which there are many clients.
pub type IsProxy = Arc<dyn Fn(IpAddr) -> bool + Send + Sync>;

/// What the clients of each address do.
///
/// Nothing limits a trusted proxy, and nothing this machine: whatever comes from there is no client, or a proxy that nobody has named.
pub struct Addresses {
    limits: AddressLimits,
    rates: AddressRates,
    http_places: Arc<Places>,
    places: Places,
    is_proxy: IsProxy,
}

/// A place among the open connections of an address.
#[derive(Debug)]
pub struct AddressPlace {
    /// The address.
    pub client: ClientNetwork,
    /// How many connections it has, with this one.
    pub count: usize,
}

impl Addresses {
    /// Addresses without clients.
    pub fn new(limits: AddressLimits, is_proxy: IsProxy) -> Self {
        let rates = AddressRates::new(limits.upgrades, limits.wrong_tokens, limits.table);
        Self { limits, rates, http_places: Arc::default(), places: Places::default(), is_proxy }
    }

    /// Without limits, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn unlimited() -> Self {
        let (http_connections, connections) = (usize::MAX, usize::MAX);
        Self::new(AddressLimits { http_connections, connections, upgrades: None, wrong_tokens: None, table: 0 }, Arc::new(|_| false))
    }

    /// Takes an upgrade or a request for a stream. The error names the limit that it exceeds, and when the client may come back.
    pub fn admit(&self, now: Tick, address: IpAddr) -> Result<(), (Limit, Duration)> {
        if self.is_exempt(address) { Ok(()) } else { self.rates.admit(now, address.into()) }
    }

    /// A client of this address sent a token that is not valid.
    pub fn wrong_token(&self, now: Tick, address: IpAddr) {
        if !self.is_exempt(address) {
            self.rates.wrong_token(now, address.into());
        }
    }

    /// Takes a place for an open connection. `Ok(None)`: the address is that of a trusted proxy.
    pub fn enter(&self, address: IpAddr) -> Result<Option<AddressPlace>, Limit> {
        if (self.is_proxy)(address) {
            return Ok(None);
        }
        let (client, limit) = (ClientNetwork::from(address), if self.is_exempt(address) { usize::MAX } else { self.limits.connections });
        let count = self.places.take(client.number(), limit).ok_or(Limit::AddressConnections)?;
        Ok(Some(AddressPlace { client, count }))
    }

    /// Returns the place of a connection that has ended.
    pub fn leave(&self, client: ClientNetwork) {
        self.places.free(client.number());
    }

    /// The limit of connections that are not upgraded yet.
    pub fn http_places(&self) -> ClientPlaces {
        let is_proxy = self.is_proxy.clone();
        let client = Arc::new(move |address: IpAddr| (!is_exempt(&is_proxy, address)).then(|| ClientNetwork::from(address).number()));
        ClientPlaces { places: self.http_places.clone(), limit: self.limits.http_connections, client }
    }

    /// How many addresses lost their place in the table of rates while it counted something.
    pub fn forgotten(&self) -> u64 {
        self.rates.forgotten()
    }

    fn is_exempt(&self, address: IpAddr) -> bool {
        is_exempt(&self.is_proxy, address)
    }
}

fn is_exempt(is_proxy: &IsProxy, address: IpAddr) -> bool {
    address.to_canonical().is_loopback() || is_proxy(address)
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").field("limits", &self.limits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn addresses() -> Addresses {
        let limits = AddressLimits {
            http_connections: 1,
            connections: 2,
            upgrades: Rate::new(1, 1),
            wrong_tokens: Rate::per_minute(1, 1),
            table: 64,
        };
        Addresses::new(limits, Arc::new(|it| it == address("10.0.0.1")))
    }

    #[test]
    fn each_address_has_its_own_limits() {
        let addresses = addresses();
        let (one, same, other) = (address("2001:db8::1"), address("2001:db8::ffff"), address("2001:db8:0:1::1"));
        assert_eq!([one, same, other].map(|it| addresses.admit(Tick(0), it).is_ok()), [true, false, true]);
        let entered = [one, same, same, other].map(|it| addresses.enter(it).map(|place| place.map(|place| place.count)));
        assert_eq!(entered, [Ok(Some(1)), Ok(Some(2)), Err(Limit::AddressConnections), Ok(Some(1))]);
        addresses.leave(one.into());
        assert!(addresses.enter(same).is_ok());
        for _ in 0..2 {
            addresses.wrong_token(Tick(60_000), other);
        }
        assert_eq!(addresses.admit(Tick(60_000), other).map_err(|(limit, _)| limit), Err(Limit::AddressWrongTokens));
        assert_eq!(addresses.admit(Tick(60_000), one), Ok(()));
    }

    #[test]
    fn proxies_and_this_machine_are_exempt() {
        let addresses = addresses();
        for exempt in ["10.0.0.1", "127.0.0.1", "::1", "::ffff:127.0.0.1"].map(address) {
            for _ in 0..5 {
                addresses.wrong_token(Tick(0), exempt);
                assert_eq!(addresses.admit(Tick(0), exempt), Ok(()), "{exempt}");
                assert!(addresses.enter(exempt).is_ok(), "{exempt}");
            }
            assert_eq!((addresses.http_places().client)(exempt), None);
        }
        assert!(addresses.enter(address("10.0.0.1")).is_ok_and(|place| place.is_none()), "a proxy is not counted");
        assert!((addresses.http_places().client)(address("10.0.0.2")).is_some());
    }
}
