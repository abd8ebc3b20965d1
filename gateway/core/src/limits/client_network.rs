//! The part of an address that belongs to one client.

use std::{net::IpAddr, num::NonZeroU64};

/// What counts as one client: an address of IPv4, or the first 64 bits of one of IPv6, because a client chooses the other bits itself (RFC 4291,
/// section 2.5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(NonZeroU64);

/// Above all addresses of IPv4. No client has an address of IPv6 that begins with 0 (RFC 4291, section 2.4).
const IPV4: u64 = 1 << 32;

impl ClientNetwork {
    /// A number that no other network has.
    pub fn number(self) -> u64 {
        self.0.get()
    }
}

impl From<IpAddr> for ClientNetwork {
    fn from(address: IpAddr) -> Self {
        let bits = match address.to_canonical() {
            IpAddr::V4(address) => IPV4 | u64::from(u32::from(address)),
            IpAddr::V6(address) => (u128::from(address) >> 64) as u64,
        };
        // The loopback address and the unspecified one begin with 64 zeros.
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str) -> ClientNetwork {
        address.parse::<IpAddr>().expect("an address").into()
    }

    #[test]
    fn a_client_of_ipv6_cannot_leave_its_network() {
        assert_eq!(network("2001:db8:0:1::1"), network("2001:db8:0:1:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
    }

    #[test]
    fn each_address_of_ipv4_is_a_client() {
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("192.0.2.1"), network("::ffff:192.0.2.1"));
        assert_ne!(network("0.0.0.0"), network("::"));
        assert_ne!(network("0.0.0.1"), network("::1"));
    }

    #[test]
    fn nothing_is_added_to_an_optional_one() {
        assert_eq!(size_of::<Option<ClientNetwork>>(), 8);
    }
}
