//! Which web pages may connect. Browsers let any page open a WebSocket anywhere, so this is the only guard against other sites'
//! pages (RFC 6455 section 10.2).

use crate::settings::{self, Problems};
use std::{collections::HashSet, net::Ipv6Addr};

/// The origins that may connect.
#[derive(Clone, Debug)]
pub enum Origins {
    /// Pages of the host that the request was sent to.
    Same,
    /// Exactly these.
    Listed(HashSet<Origin>),
}

/// A web origin (RFC 6454): scheme, host and port, each in one spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Box<str>,
    authority: Authority,
}

/// Host in lower case and port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Authority {
    host: Box<str>,
    port: Option<u16>,
}

impl Origins {
    /// Whether a request with these `Origin` and `Host` headers may upgrade. One without `Origin` does not come from a page.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        let Some(origin) = Origin::parse(origin) else { return false };
        match self {
            Self::Listed(listed) => listed.contains(&origin),
            Self::Same => host.and_then(|host| Authority::parse(host, &origin.scheme)).is_some_and(|host| host == origin.authority),
        }
    }
}

impl Origin {
    /// None for `null`, and for all that is not exactly an origin.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let starts_well = scheme.starts_with(|c: char| c.is_ascii_lowercase());
        let all_well = scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
        let authority = Authority::parse(authority, &scheme)?;
        (starts_well && all_well).then(|| Self { scheme: scheme.into(), authority })
    }
}

impl Authority {
    /// Host and port without user information; the scheme's own port counts as written.
    fn parse(text: &str, scheme: &str) -> Option<Self> {
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
            (None, "http") => Some(80),
            (None, "https") => Some(443),
            (None, _) => None,
        };
        Some(Self { host: host.into(), port })
    }
}

fn parse_port(digits: &str) -> Option<u16> {
    digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten().filter(|port| *port != 0)
}

impl TryFrom<&settings::Public> for Origins {
    type Error = Problems;

    fn try_from(public: &settings::Public) -> Result<Self, Problems> {
        let (mut problems, mut listed) = (Problems::default(), HashSet::new());
        for text in &public.allowed_origins {
            match Origin::parse(text) {
                Some(origin) => drop(listed.insert(origin)),
                None => problems.add(
                    "public.allowed_origins",
                    format!("{text:?} is not an origin such as \"https://app.example.com\" or \"http://localhost:3000\", without a path"),
                ),
            }
        }
        problems.none_or(if public.allowed_origins.is_empty() { Self::Same } else { Self::Listed(listed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use proptest::prelude::*;

    fn origins(listed: &[&str]) -> Result<Origins, Problems> {
        Origins::try_from(&Settings::from_toml(&format!("[public]\nallowed_origins = {listed:?}")).expect("valid").public)
    }

    #[test]
    fn listed_origins_come_in_in_every_spelling_of_theirs() {
        let origins = origins(&["https://app.example.com", "http://LOCALHOST:3000", "https://[2001:db8::1]", "capacitor://localhost"])
            .expect("valid");
        for good in [
            "https://app.example.com",
            "https://app.example.com:443",
            "HTTPS://App.Example.COM",
            "http://localhost:3000",
            "https://[2001:DB8:0::1]:443",
            "capacitor://localhost",
        ] {
            assert!(origins.allows(Some(good), None), "{good}");
        }
        assert!(origins.allows(None, None));
    }

    #[test]
    fn hostile_origins_stay_out() {
        let origins = origins(&["https://app.example.com", "http://localhost:3000", "https://[2001:db8::1]"]).expect("valid");
        for bad in [
            "",
            "null",
            "https://",
            "://app.example.com",
            "app.example.com",
            "http://app.example.com",
            "http://app.example.com:443",
            "https://app.example.com:80",
            "https://app.example.com:0443x",
            "https://app.example.com:",
            "https://app.example.com:0",
            "https://app.example.com:65979",
            "https://app.example.com:+443",
            "https://app.example.com.",
            "https://app.example.com.evil.example",
            "https://evil.example/app.example.com",
            "https://evilapp.example.com",
            "https://app.example.com.evil",
            "https://app.example.com@evil.example",
            "https://evil.example@app.example.com",
            "https://user:pw@app.example.com",
            "https://app.example.com/",
            "https://app.example.com/..",
            "https://app.example.com?x",
            "https://app.example.com#x",
            "https://app.example.com\\.evil.example",
            "https://app%2eexample.com",
            "https://app.example.com\0",
            " https://app.example.com",
            "https://app.example.com ",
            "https://app.example.com https://evil.example",
            "https://app.example.com, https://evil.example",
            "https://аpp.example.com",
            "https://localhost:3000",
            "http://localhost",
            "http://localhost:30000",
            "https://[2001:db8::1",
            "https://2001:db8::1",
            "https://[2001:db8::1]evil",
            "https://[2001:db8::2]",
            "https://[::ffff:127.0.0.1%eth0]",
            "https://*",
            "file://",
            "data:text/html,x",
        ] {
            assert!(!origins.allows(Some(bad), Some("app.example.com")), "{bad:?}");
        }
    }

    #[test]
    fn without_a_list_a_page_may_reach_its_own_host_only() {
        let origins = origins(&[]).expect("valid");
        for (origin, host, allowed) in [
            ("http://localhost:8000", Some("localhost:8000"), true),
            ("https://chat.example", Some("chat.example"), true),
            ("https://chat.example", Some("CHAT.example:443"), true),
            ("http://[::1]:8000", Some("[0::1]:8000"), true),
            ("http://localhost:8000", Some("127.0.0.1:8000"), false),
            ("http://localhost:8001", Some("localhost:8000"), false),
            ("https://evil.example", Some("chat.example"), false),
            ("https://chat.example", Some("chat.example:8000"), false),
            ("https://chat.example", Some("chat.example@evil.example"), false),
            ("https://chat.example", None, false),
            ("null", Some("null"), false),
            ("null", None, false),
        ] {
            assert_eq!(origins.allows(Some(origin), host), allowed, "{origin} at {host:?}");
        }
    }

    #[test]
    fn what_is_no_origin_cannot_be_listed() {
        for bad in ["*", "https://*.example.com", "app.example.com", "https://app.example.com/", "null", ""] {
            let told = origins(&["https://a.example", bad]).expect_err(bad);
            assert_eq!(told.iter().map(|problem| problem.key.as_str()).collect::<Vec<_>>(), ["public.allowed_origins"]);
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(origin in "\\PC{0,40}", host in "[\\[\\]:.0-9a-f@]{0,40}") {
            let origins = Origins::Same;
            origins.allows(Some(&origin), Some(&host));
            origins.allows(Some(&format!("http://{host}")), Some(&origin));
        }
    }
}
