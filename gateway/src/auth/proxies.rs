//! Who the client is behind proxies: `public.trusted_proxies`, and the headers in which proxies write what they know.
//!
//! A proxy adds what it sees at the right of a list: the address of whoever sent it the request. So a list is read from the right, as long as
//! the sender is a trusted proxy. What is further left, a client can write.

mod forwarded;
#[cfg(test)]
mod tests;

use crate::settings::{self, Problems};
use forwarded::{Hop, Sender};
use ipnet::IpNet;
use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

/// Largest number of entries of `public.trusted_proxies`.
const NETWORKS: usize = 256;

const FORWARDED: &str = "forwarded";
const X_FORWARDED_FOR: &str = "x-forwarded-for";
const X_FORWARDED_HOST: &str = "x-forwarded-host";

/// What became of the headers of a request in which proxies write about the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeaders {
    /// They were used.
    Used,
    /// They were ignored, because the peer is no trusted proxy.
    UntrustedPeer,
    /// They are malformed. What is right of the fault was used.
    Malformed,
    /// A proxy does not say who sent it the request (RFC 7239, section 6). The address of that proxy was used.
    Hidden,
    /// `Forwarded` and `X-Forwarded-For` name different clients. They were ignored: the proxy writes one of them, and the client may have written the
    /// other.
    Conflict,
}

impl ProxyHeaders {
    /// All values.
    pub const ALL: [Self; 5] = [Self::Used, Self::UntrustedPeer, Self::Malformed, Self::Hidden, Self::Conflict];

    /// The text of the label in metrics.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::UntrustedPeer => "untrusted_peer",
            Self::Malformed => "malformed",
            Self::Hidden => "hidden",
            Self::Conflict => "conflict",
        }
    }
}

/// The sender of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The nearest address that is sure: the client's, unless proxies do not tell it. `None`: the socket has no address.
    pub address: Option<IpAddr>,
    /// The host that the client addressed, if a trusted proxy tells it. It takes the place of the `Host` header.
    pub host: Option<Box<str>>,
    /// The scheme that the client used, if that is sure: `https` if it uses TLS here, or what a trusted proxy tells in `Forwarded`.
    pub scheme: Option<&'static str>,
    /// What became of the headers. `None`: there are none.
    pub headers: Option<ProxyHeaders>,
}

/// The proxies whose headers are believed.
#[derive(Debug, Default)]
pub struct TrustedProxies {
    networks: Box<[IpNet]>,
    /// Whether the public listener has TLS.
    has_tls: bool,
    counters: [AtomicU64; ProxyHeaders::ALL.len()],
}

impl TrustedProxies {
    /// Whether this is the address of a trusted proxy.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Whether there is no trusted proxy.
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }

    /// The sender of a request. `values` returns all values of a header.
    pub fn client<'v, V: Iterator<Item = &'v [u8]>>(&self, peer: Option<IpAddr>, values: impl Fn(&str) -> V) -> Client {
        let peer = peer.map(|peer| peer.to_canonical());
        // Behind a proxy it is not known whether the client itself uses TLS.
        let scheme = (self.has_tls && !peer.is_some_and(|peer| self.contains(peer))).then_some("https");
        let unknown = |headers| Client { address: peer, headers, scheme, ..Client::default() };
        if [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST].iter().all(|name| values(name).next().is_none()) {
            return unknown(None);
        }
        let Some(proxy) = peer.filter(|peer| self.contains(*peer)) else { return unknown(Some(ProxyHeaders::UntrustedPeer)) };
        let lines = |name: &str| values(name).collect::<Vec<_>>();
        let by_rfc = lines(FORWARDED);
        let by_rfc = (!by_rfc.is_empty()).then(|| self.follow(proxy, forwarded::hops(&by_rfc)));
        let listed = lines(X_FORWARDED_FOR);
        let listed = (!listed.is_empty()).then(|| self.follow(proxy, forwarded::listed(&listed)));
        let found = match (by_rfc, listed) {
            (Some(one), Some(other)) if one.address != other.address => return unknown(Some(ProxyHeaders::Conflict)),
            (Some(found), _) | (None, Some(found)) => found,
            (None, None) => unknown(Some(ProxyHeaders::Used)),
        };
        Self::with_host(found, &lines(X_FORWARDED_HOST))
    }

    /// Follows the hops, from the nearest one, as long as their senders are trusted proxies.
    fn follow(&self, proxy: IpAddr, hops: impl Iterator<Item = Option<Hop>>) -> Client {
        let mut client = Client { address: Some(proxy), headers: Some(ProxyHeaders::Used), ..Client::default() };
        for hop in hops {
            let Some(hop) = hop else { return Client { headers: Some(ProxyHeaders::Malformed), ..client } };
            (client.host, client.scheme) = (hop.host, hop.scheme);
            match hop.sender {
                Sender::Hidden => return Client { headers: Some(ProxyHeaders::Hidden), ..client },
                Sender::At(address) => client.address = Some(address),
            }
            if client.address.is_some_and(|address| !self.contains(address)) {
                break;
            }
        }
        client
    }

    /// Adds the host of `X-Forwarded-Host`. It is no list, so several values are a fault.
    fn with_host(client: Client, lines: &[&[u8]]) -> Client {
        let host = match *lines {
            [] => return client,
            [line] if !line.contains(&b',') => std::str::from_utf8(line).ok().map(str::trim).filter(|host| !host.is_empty()),
            _ => None,
        };
        let Some(host) = host else { return Client { headers: Some(ProxyHeaders::Malformed), ..client } };
        match &client.host {
            Some(other) if !other.eq_ignore_ascii_case(host) => Client { host: None, headers: Some(ProxyHeaders::Conflict), ..client },
            _ => Client { host: Some(host.into()), ..client },
        }
    }

    /// Counts what became of the headers of a request.
    pub fn count(&self, client: &Client) {
        if let Some(counter) = client.headers.and_then(|headers| self.counters.get(headers as usize)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    /// The number of requests whose headers had each result.
    pub fn counts(&self) -> impl Iterator<Item = (ProxyHeaders, u64)> {
        ProxyHeaders::ALL.into_iter().zip(self.counters.iter().map(|counter| counter.load(Relaxed)))
    }
}

impl TryFrom<&settings::Public> for TrustedProxies {
    type Error = Problems;

    fn try_from(settings: &settings::Public) -> Result<Self, Problems> {
        let (mut problems, mut networks) = (Problems::default(), Vec::new());
        let mut bad = |why: String| problems.add("public.trusted_proxies", why);
        if settings.trusted_proxies.len() > NETWORKS {
            bad(format!("expected up to {NETWORKS} entries; found {}", settings.trusted_proxies.len()));
        }
        for entry in &settings.trusted_proxies {
            match entry.parse().or_else(|_| entry.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()))) {
                Ok(network) if network.prefix_len() > 0 => networks.push(network),
                Ok(_) => bad(format!("{entry:?} trusts everybody, so a client could choose its address; name the networks of the proxies")),
                Err(_) => bad(format!("expected networks such as \"10.0.0.0/8\" or addresses such as \"192.0.2.1\"; found {entry:?}")),
            }
        }
        let has_tls = !settings.tls.pairs.is_empty();
        problems.into_result(Self { networks: networks.into(), has_tls, counters: Default::default() })
    }
}
