//! Where a URL leads.

use hyper::header::HeaderValue;
use std::net::IpAddr;
use url::{Host, Position, Url};

/// The server of a URL.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    /// The name or the address, without brackets.
    pub(crate) host: Box<str>,
    /// The address, if the host is not a name.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) is_https: bool,
    /// The header `host`.
    pub(crate) header: HeaderValue,
}

impl Endpoint {
    /// Why a text that contains no URL is refused.
    pub(crate) const NO_URL: &str = "is not a URL such as \"https://host/path\"";
    /// Why a URL with characters that no request can carry is refused.
    pub(crate) const INVALID: &str = "has a form that HTTP does not allow";

    /// The server of a URL with the scheme `http` or `https`, and without a user. The error completes a sentence that begins with the URL.
    pub(crate) fn of(url: &Url) -> Result<Self, &'static str> {
        let is_https = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err("does not begin with http:// or https://"),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err("contains a user, which logs would show");
        }
        if url.fragment().is_some() {
            return Err("has a fragment, which is never sent");
        }
        let address = match url.host() {
            Some(Host::Domain("")) | None => return Err("has no host"),
            Some(Host::Domain(_)) => None,
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
        };
        let port = url.port().unwrap_or(if is_https { 443 } else { 80 });
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).into();
        let header = url[Position::BeforeHost..Position::AfterPort].try_into().map_err(|_| Self::INVALID)?;
        Ok(Self { host, address, port, is_https, header })
    }

    /// Whether only this machine can be at the other end: a loopback address, or the name `localhost` (RFC 6761 section 6.3).
    pub(crate) fn is_loopback(&self) -> bool {
        self.address.map_or(&*self.host == "localhost", |address| address.to_canonical().is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_and_localhost_are_on_this_machine() {
        for (url, expected) in [
            ("http://127.0.0.1/", true),
            ("http://127.9.9.9:8080/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://localhost:8080/", true),
            ("http://LOCALHOST/", true),
            ("http://0x7f.1/", true),
            ("http://localhost.example.com/", false),
            ("http://localhost.evil/", false),
            ("http://10.0.0.1/", false),
            ("http://0.0.0.0/", false),
            ("http://login.example.com/", false),
        ] {
            assert_eq!(Endpoint::of(&Url::parse(url).expect(url)).expect(url).is_loopback(), expected, "{url}");
        }
    }
}
