//! Which pages may connect.

use super::{Denial, UpgradeRequest};
use crate::model::{ErrorCode, Refusal};

/// The origins whose pages may connect (RFC 6454). Browsers do not apply CORS to WebSockets: this check stands in for it.
///
/// A client without an `Origin` header is not a browser and may connect. Without a list only pages of the same origin may: those
/// whose origin has the authority that the request was sent to. The scheme is not compared then, since TLS may end at a proxy.
/// An entry stands for itself: there are no wildcards.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    allowed: Vec<String>,
}

impl Origins {
    /// The origins of a list, `https://example.org` or `http://localhost:3000`; empty: same origin only.
    pub fn new(allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { allowed: allowed.into_iter().map(|origin| origin.into().trim_end_matches('/').to_ascii_lowercase()).collect() }
    }

    /// Whether a page of this origin may connect to this host.
    pub fn allow(&self, origin: &str, host: &str) -> bool {
        if self.allowed.is_empty() {
            return origin.split_once("://").is_some_and(|(scheme, authority)| same_authority(scheme, authority, host));
        }
        self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    }

    /// Refuses a request whose origin may not connect.
    pub fn check(&self, request: &UpgradeRequest<'_>) -> Result<(), Denial> {
        let mut origins = request.headers().get_all("origin");
        match (origins.next().map(|origin| origin.to_str()), origins.next()) {
            (None, _) => Ok(()),
            (Some(Ok(origin)), None) if self.allow(origin, request.host()) => Ok(()),
            (Some(Ok(origin)), None) => Err(denied(&origin.chars().take(200).collect::<String>())),
            _ => Err(denied("several values, or bytes that are no text")),
        }
    }
}

fn denied(origin: &str) -> Denial {
    let advice = ErrorCode::OriginNotAllowed.row().doc;
    Refusal::new(ErrorCode::OriginNotAllowed, format!("{advice} The origin is: {origin}")).into()
}

/// Whether origin and host name the same host and port. A port left out is the scheme's own.
fn same_authority(scheme: &str, authority: &str, host: &str) -> bool {
    let port = match scheme {
        "https" => "443",
        "http" => "80",
        _ => return false,
    };
    let (name, given) = split(authority);
    let (host_name, host_given) = split(host);
    !name.is_empty() && name.eq_ignore_ascii_case(host_name) && given.unwrap_or(port) == host_given.unwrap_or(port)
}

/// Host and port; the colons of an IPv6 address in its brackets do not count.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (authority, None),
    }
}
