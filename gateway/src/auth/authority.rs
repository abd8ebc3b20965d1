//! Host and port, as in the `Host` header (RFC 9110, section 7.2) and in origins (RFC 6454).

use std::net::Ipv6Addr;

/// Host in lower case and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Authority {
    /// A name, an IPv4 address, or an IPv6 address in brackets and in its shortest form.
    pub(super) host: Box<str>,
    /// The port; none: the scheme has no default port, and none is given.
    pub(super) port: Option<u16>,
}

impl Authority {
    /// Host and port, without user information; a missing port is that of the scheme.
    pub(super) fn parse(text: &str, scheme: &str) -> Option<Self> {
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (address, port) = rest.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
        } else {
            let (host, port) = text.split_at(text.find(':').unwrap_or(text.len()));
            (host.to_ascii_lowercase(), port)
        };
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
        if host.is_empty() || !(host.starts_with('[') || host.bytes().all(plain)) {
            return None;
        }
        let port = match (port.strip_prefix(':'), scheme) {
            (Some(digits), _) => Some(parse_port(digits)?),
            (None, _) if !port.is_empty() => return None,
            (None, scheme) => default_port(scheme),
        };
        Some(Self { host: host.into(), port })
    }

    /// The host without its first label. `None` if there is only one label, or an empty one.
    pub(super) fn parent(&self) -> Option<&str> {
        self.host.split_once('.').filter(|(first, _)| !first.is_empty()).map(|(_, rest)| rest)
    }

    /// Whether the host is an address and not a name (https://url.spec.whatwg.org/#ends-in-a-number-checker).
    pub(super) fn is_address(&self) -> bool {
        let last = self.host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
        self.host.starts_with('[') || last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit())
    }
}

/// The default port of a scheme.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten().filter(|port| *port != 0)
}
