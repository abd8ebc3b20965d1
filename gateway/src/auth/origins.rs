//! Which web pages may connect: `public.allowed_origins`. `server/public` checks every upgrade and refuses with `origin_not_allowed`.
//! Browsers let any page open a WebSocket to any host, so only this check keeps pages of other sites out (RFC 6455 section 10.2).

use super::authority::{Authority, default_port};
use crate::settings::{self, Problems};
use std::{collections::BTreeSet, fmt};

/// The origins that may connect.
#[derive(Clone, Debug)]
pub enum Origins {
    /// Pages of the host in the request's `Host` header.
    Same,
    /// All origins, `null` included.
    Every,
    /// The origins that match an entry of the list.
    Listed(BTreeSet<Listed>),
}

/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// This origin.
    One(Origin),
    /// All origins with one more label at the front of the host: `https://*.example.com`.
    Wildcard(Origin),
}

/// A web origin (RFC 6454): scheme, host and port, in normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    scheme: Box<str>,
    authority: Authority,
}

impl Origins {
    /// Whether a request with this `Origin` header, to this host, may upgrade. A request without `Origin` does not come from a page. `scheme` is the
    /// scheme of the request, if a proxy tells it; otherwise it is taken to be that of the page.
    pub fn allows(&self, origin: Option<&str>, host: Option<&str>, scheme: Option<&str>) -> bool {
        let Some(origin) = origin else { return true };
        if matches!(self, Self::Every) {
            return true;
        }
        let Some(origin) = Origin::parse(origin) else { return false };
        match self {
            Self::Every => true,
            Self::Same => {
                let scheme = scheme.unwrap_or(&origin.scheme);
                *scheme == *origin.scheme
                    && host.and_then(|host| Authority::parse(host, scheme)).is_some_and(|host| host == origin.authority)
            }
            Self::Listed(listed) => {
                let is_below = origin.parent().is_some_and(|parent| listed.contains(&Listed::Wildcard(parent)));
                is_below || listed.contains(&Listed::One(origin))
            }
        }
    }
}

impl fmt::Display for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("the host in the request"),
            Self::Every => f.write_str("every origin, \"null\" included"),
            Self::Listed(listed) => {
                let all: Vec<_> = listed.iter().map(ToString::to_string).collect();
                f.write_str(&all.join(", "))
            }
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::One(origin) | Self::Wildcard(origin)) = self;
        let Origin { scheme, authority: Authority { host, port } } = origin;
        let (star, words) = if matches!(self, Self::One(_)) { ("", "") } else { ("*.", " (one label for *)") };
        write!(f, "{scheme}://{star}{host}")?;
        if let Some(port) = port.filter(|_| *port != default_port(scheme)) {
            write!(f, ":{port}")?;
        }
        f.write_str(words)
    }
}

impl Listed {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let origin = |text: &str| {
            Origin::parse(text).ok_or("is no origin such as \"https://app.example.com\" or \"http://localhost:3000\", without a path")
        };
        if !text.contains('*') {
            return origin(text).map(Self::One);
        }
        let parent = text.split_once("://*.").map(|(scheme, rest)| format!("{scheme}://{rest}"));
        let parent = parent
            .and_then(|parent| Origin::parse(&parent))
            .ok_or("has a '*' that is not the whole first label, as in \"https://*.example.com\"")?;
        if parent.authority.is_address() {
            return Err("has a '*' before an address, which has no labels: list each origin");
        }
        Ok(Self::Wildcard(parent))
    }
}

impl Origin {
    /// None for `null` and for everything that is no origin.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let scheme = scheme.to_ascii_lowercase();
        let starts_well = scheme.starts_with(|c: char| c.is_ascii_lowercase());
        let all_well = scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b));
        let authority = Authority::parse(authority, &scheme)?;
        (starts_well && all_well).then(|| Self { scheme: scheme.into(), authority })
    }

    /// The origin without the first label of the host. `None` if there is only one label, or an empty one.
    fn parent(&self) -> Option<Self> {
        let host = self.authority.parent()?.into();
        Some(Self { scheme: self.scheme.clone(), authority: Authority { host, port: self.authority.port } })
    }
}

impl TryFrom<&settings::Public> for Origins {
    type Error = Problems;

    fn try_from(public: &settings::Public) -> Result<Self, Problems> {
        let (mut problems, mut listed) = (Problems::default(), BTreeSet::new());
        if public.allowed_origins.iter().any(|text| text == "*") {
            if public.allowed_origins.len() > 1 {
                problems.add("public.allowed_origins", "\"*\" allows every origin: remove it, or the other entries");
            }
            return problems.into_result(Self::Every);
        }
        for text in &public.allowed_origins {
            match Listed::parse(text) {
                Ok(each) => drop(listed.insert(each)),
                Err(why) => problems.add("public.allowed_origins", format!("{text:?} {why}")),
            }
        }
        problems.into_result(if listed.is_empty() { Self::Same } else { Self::Listed(listed) })
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
    fn listed_origins_are_accepted_in_every_spelling() {
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
            assert!(origins.allows(Some(good), None, None), "{good}");
        }
        assert!(origins.allows(None, None, None));
    }

    #[test]
    fn other_origins_are_refused() {
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
            assert!(!origins.allows(Some(bad), Some("app.example.com"), None), "{bad:?}");
        }
    }

    #[test]
    fn a_wildcard_matches_one_label() {
        let origins = origins(&["https://*.example.com", "http://*.localhost:3000", "https://exact.org"]).expect("valid");
        for good in [
            "https://app.example.com",
            "https://APP.Example.com:443",
            "https://a-b_1.example.com",
            "http://x.localhost:3000",
            "https://exact.org",
        ] {
            assert!(origins.allows(Some(good), None, None), "{good}");
        }
        for bad in [
            "null",
            "https://example.com",
            "https://.example.com",
            "https://..example.com",
            "https://a.b.example.com",
            "https://a..example.com",
            "https://app.example.com.",
            "https://appexample.com",
            "https://app.example.com.evil.org",
            "https://app.example.com:8443",
            "http://app.example.com",
            "https://*.example.com",
            "https://x.localhost:3000",
            "http://x.localhost",
            "http://localhost:3000",
            "https://sub.exact.org",
            "https://com",
            "https://evil.com",
        ] {
            assert!(!origins.allows(Some(bad), Some("app.example.com"), None), "{bad}");
        }
    }

    #[test]
    fn a_star_matches_every_origin() {
        let origins = origins(&["*"]).expect("valid");
        for any in ["https://app.example.com", "null", "file://", "", "nonsense"] {
            assert!(origins.allows(Some(any), None, None), "{any}");
        }
        assert!(origins.allows(None, None, None));
    }

    #[test]
    fn what_may_connect_is_written_out() {
        for (listed, written) in [
            (&[][..], "the host in the request"),
            (&["*"][..], "every origin, \"null\" included"),
            (&["https://*.Example.com", "http://localhost:3000"][..], "http://localhost:3000, https://*.example.com (one label for *)"),
        ] {
            assert_eq!(origins(listed).expect("valid").to_string(), written);
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
            assert_eq!(origins.allows(Some(origin), host, None), allowed, "{origin} at {host:?}");
        }
    }

    #[test]
    fn the_scheme_that_a_proxy_tells_must_be_that_of_the_page() {
        let origins = origins(&[]).expect("valid");
        for (origin, host, scheme, allowed) in [
            ("https://chat.example", "chat.example", "https", true),
            ("https://chat.example", "chat.example:443", "https", true),
            ("http://chat.example:8080", "chat.example:8080", "http", true),
            ("http://chat.example", "chat.example", "https", false),
            ("https://chat.example", "chat.example", "http", false),
        ] {
            assert_eq!(origins.allows(Some(origin), Some(host), Some(scheme)), allowed, "{origin} at {scheme}://{host}");
        }
    }

    #[test]
    fn invalid_entries_are_refused() {
        for (bad, says) in [
            ("app.example.com", "is no origin"),
            ("https://app.example.com/", "is no origin"),
            ("null", "is no origin"),
            ("", "is no origin"),
            ("*.example.com", "not the whole first label"),
            ("*://example.com", "not the whole first label"),
            ("https://*", "not the whole first label"),
            ("https://*.", "not the whole first label"),
            ("https://*:443", "not the whole first label"),
            ("https://**.example.com", "not the whole first label"),
            ("https://*.*.example.com", "not the whole first label"),
            ("https://a.*.example.com", "not the whole first label"),
            ("https://app*.example.com", "not the whole first label"),
            ("https://*.example.com:*", "not the whole first label"),
            ("https://*.example.com/", "not the whole first label"),
            ("https://*.0.0.1", "before an address"),
            ("https://*.[::1]", "before an address"),
            ("https://*.0x7f", "before an address"),
            ("*", "remove it, or the other entries"),
        ] {
            let problems = origins(&["https://a.example", bad]).expect_err(bad);
            let problems: Vec<_> = problems.iter().map(|problem| (problem.key.as_str(), problem.to_string())).collect();
            let [(key, text)] = &problems[..] else { panic!("{problems:?}") };
            assert!(*key == "public.allowed_origins" && text.contains(says), "{bad}: {text}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_the_parser_panic(origin in "\\PC{0,40}", host in "[\\[\\]:.0-9a-f@]{0,40}") {
            for origins in [Origins::Same, origins(&["https://*.example.com"]).expect("valid")] {
                origins.allows(Some(&origin), Some(&host), None);
                origins.allows(Some(&format!("http://{host}")), Some(&origin), Some(&host));
            }
        }
    }
}
