//! The addresses to which the gateway does not connect. Pure.

use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// Link-local addresses with the metadata services of clouds, and addresses that are not of one host.
const SPECIAL: &[&str] = &[
    "0.0.0.0/8",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "192.0.0.192/32",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "::/128",
    "64:ff9b:1::/48",
    "fd00:42::42/128",
    "fd00:ec2::23/128",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

/// Addresses that only this machine or its own network reaches.
const PRIVATE: &[&str] = &[
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "::1/128",
    "fc00::/7",
];

/// Networks to which the gateway does not connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeniedAddresses(Box<[IpNet]>);

impl DeniedAddresses {
    /// No address is denied.
    pub(crate) fn none() -> Self {
        Self(Box::default())
    }

    /// Reads the entries of `webhook.deny`: networks, addresses, and the words `special` and `private`. The error names the first wrong entry.
    pub(crate) fn parse(entries: &[String]) -> Result<Self, String> {
        let mut all = Vec::new();
        for entry in entries {
            match entry.as_str() {
                "special" => all.extend(networks(SPECIAL)),
                "private" => all.extend(networks(SPECIAL).chain(networks(PRIVATE))),
                text => {
                    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
                    let wrong =
                        |_| format!("expected networks such as \"10.0.0.0/8\", addresses, \"special\" or \"private\"; found {text:?}");
                    all.push(network.map_err(wrong)?);
                }
            }
        }
        Ok(Self(all.into()))
    }

    /// Whether a network contains the address, or the IPv4 address that it stands for.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        let within = |address: IpAddr| self.0.iter().any(|network| network.contains(&address));
        within(address) || embedded(address).is_some_and(|v4| within(v4.into()))
    }
}

fn networks(texts: &'static [&'static str]) -> impl Iterator<Item = IpNet> {
    texts.iter().map(|text| text.parse().expect("a test parses every entry"))
}

/// The IPv4 address to which packets for this IPv6 address go: mapped, translated (NAT64, RFC 2765) or 6to4.
fn embedded(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x2002, high, low, ..] => Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(entries: &[&str]) -> DeniedAddresses {
        DeniedAddresses::parse(&entries.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("valid")
    }

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    const ALWAYS: &[&str] = &[
        "168.63.129.16",
        "192.0.0.192",
        "fd20:ce::254",
        "fd00:ec2::23",
        "64:ff9b:1:a00::1",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "224.0.0.1",
        "239.255.255.255",
        "255.255.255.255",
        "::",
        "fe80::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
    ];
    const PRIVATE_EXAMPLES: &[&str] = &[
        "100.64.0.1",
        "198.19.255.255",
        "10.0.0.1",
        "127.0.0.1",
        "127.9.9.9",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "::1",
        "fc00::1",
        "::ffff:10.1.1.1",
        "64:ff9b::127.0.0.1",
    ];
    const PUBLIC: [&str; 6] = ["1.1.1.1", "172.32.0.1", "100.128.0.1", "168.254.0.1", "2606:4700::1111", "::ffff:1.1.1.1"];

    #[test]
    fn special_addresses_are_denied_in_every_form_and_private_ones_on_request() {
        let (special, private) = (denied(&["special"]), denied(&["private"]));
        for text in ALWAYS {
            assert!(special.contain(address(text)) && private.contain(address(text)), "{text}");
        }
        for text in PRIVATE_EXAMPLES {
            assert!(!special.contain(address(text)) && private.contain(address(text)), "{text}");
        }
        for text in PUBLIC {
            assert!(!special.contain(address(text)) && !private.contain(address(text)), "{text}");
        }
    }

    #[test]
    fn a_list_of_networks_replaces_the_words() {
        let own = denied(&["1.0.0.0/8", "2606:4700::/32", "9.9.9.9"]);
        for (text, expected) in [
            ("1.1.1.1", true),
            ("::ffff:1.1.1.1", true),
            ("2606:4700::1", true),
            ("9.9.9.9", true),
            ("9.9.9.8", false),
            ("169.254.169.254", false),
        ] {
            assert_eq!(own.contain(address(text)), expected, "{text}");
        }
        assert!(!denied(&[]).contain(address("169.254.169.254")));
    }

    #[test]
    fn a_wrong_entry_is_named() {
        for entry in ["10.0.0.0/33", "localhost", "", "10.0.0.0-10.0.0.9", "Private"] {
            let error = DeniedAddresses::parse(&[entry.into()]).expect_err(entry);
            assert!(error.contains(&format!("{entry:?}")) && error.contains("\"special\""), "{error}");
        }
    }
}
