//! To which names the public listener answers: `public.hosts`.
//!
//! Who owns a name can let it lead to the gateway's address after a browser has loaded a page of that name (DNS rebinding). For the browser the
//! page and the gateway then have the same origin. Only the name in the request tells them apart.

use super::authority::Authority;
use crate::settings::{self, Problems};
use std::{collections::BTreeSet, fmt};

/// Largest number of entries of `public.hosts`.
const HOSTS: usize = 256;

/// The names to which the listener answers. Ports do not count: a page at another port of the same name is no stranger.
#[derive(Clone, Debug)]
pub enum Hosts {
    /// All.
    Any,
    /// Those that match an entry of the list.
    Listed(BTreeSet<Listed>),
}

/// An entry of the list, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listed {
    /// This name or address.
    One(Box<str>),
    /// All names with one more label at the front: `*.example.com`.
    Wildcard(Box<str>),
}

impl Hosts {
    /// Whether the listener answers to every name.
    pub fn is_any(&self) -> bool {
        matches!(self, Self::Any)
    }

    /// Whether the listener answers to a request with this host, which may have a port.
    pub fn contains(&self, host: &str) -> bool {
        let Self::Listed(listed) = self else { return true };
        let Some(authority) = Authority::parse(host, "") else { return false };
        let parent = authority.parent().map(|parent| Listed::Wildcard(parent.into()));
        parent.is_some_and(|parent| listed.contains(&parent)) || listed.contains(&Listed::One(authority.host))
    }
}

impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("every name"),
            Self::Listed(listed) => f.write_str(&listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(host) => f.write_str(host),
            Self::Wildcard(parent) => write!(f, "*.{parent} (one label for *)"),
        }
    }
}

impl Listed {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (rest, is_wildcard) = text.strip_prefix("*.").map_or((text, false), |rest| (rest, true));
        if rest.contains('*') {
            return Err("has a '*' that is not the whole first label, as in \"*.example.com\"; an empty list allows every host");
        }
        if !rest.is_ascii() {
            return Err("has characters that browsers do not send; write the name as they do, such as \"xn--bcher-kva.example\"");
        }
        match Authority::parse(rest, "") {
            None => Err("is no host such as \"chat.example.com\", \"192.0.2.1\" or \"[2001:db8::1]\", without scheme and path"),
            Some(Authority { port: Some(_), .. }) => Err("has a port; leave it out, the host counts at every port"),
            Some(authority) if is_wildcard && authority.is_address() => Err("has a '*' before an address, which has no labels"),
            Some(Authority { host, .. }) if is_wildcard => Ok(Self::Wildcard(host)),
            Some(Authority { host, .. }) => Ok(Self::One(host)),
        }
    }
}

impl TryFrom<&settings::Public> for Hosts {
    type Error = Problems;

    fn try_from(public: &settings::Public) -> Result<Self, Problems> {
        let (mut problems, mut listed) = (Problems::default(), BTreeSet::new());
        if public.hosts.len() > HOSTS {
            problems.add("public.hosts", format!("expected up to {HOSTS} entries; found {}", public.hosts.len()));
        }
        for text in &public.hosts {
            match Listed::parse(text) {
                Ok(each) => drop(listed.insert(each)),
                Err(why) => problems.add("public.hosts", format!("{text:?} {why}")),
            }
        }
        problems.into_result(if listed.is_empty() { Self::Any } else { Self::Listed(listed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;
    use proptest::prelude::*;

    fn hosts(listed: &[&str]) -> Result<Hosts, Problems> {
        Hosts::try_from(&Settings::from_toml(&format!("[public]\nhosts = {listed:?}")).expect("valid").public)
    }

    #[test]
    fn listed_hosts_are_answered_to_in_every_spelling_and_at_every_port() {
        let hosts = hosts(&["Chat.example.com", "*.example.org", "localhost", "192.0.2.1", "[2001:db8::1]", "xn--bcher-kva.example"]);
        let hosts = hosts.expect("valid");
        for good in [
            "chat.example.com",
            "CHAT.EXAMPLE.COM:8000",
            "a.example.org",
            "A-b_1.example.org:443",
            "localhost:1",
            "192.0.2.1",
            "[2001:DB8:0::1]:8000",
            "XN--bcher-KVA.example",
        ] {
            assert!(hosts.contains(good), "{good}");
        }
    }

    #[test]
    fn look_alikes_are_other_hosts() {
        let hosts = hosts(&["chat.example.com", "*.example.org", "192.0.2.1", "[2001:db8::1]"]).expect("valid");
        for bad in [
            "",
            ".",
            ":8000",
            "chat.example.com.",
            "chat.example.com.:8000",
            ".chat.example.com",
            "chat..example.com",
            "chat.example.com.evil.example",
            "a.chat.example.com",
            "evilchat.example.com",
            "example.com",
            "chat.example.com:",
            "chat.example.com:0",
            "chat.example.com:65536",
            "chat.example.com:80:80",
            "chat.example.com:80@evil.example",
            "chat.example.com@evil.example",
            "evil.example@chat.example.com",
            "user:pw@chat.example.com",
            "http://chat.example.com",
            "chat.example.com/",
            "chat.example.com, evil.example",
            "evil.example,chat.example.com",
            "chat%2eexample.com",
            "chat.example.com\0",
            " chat.example.com",
            "chat.example.com\t",
            "chat。example.com",
            "chаt.example.com",
            "xn--cht-2ed.example.com",
            "example.org",
            ".example.org",
            "a.b.example.org",
            "a..example.org",
            "*.example.org",
            "192.0.2.01",
            "192.0.513",
            "0xc0.0.2.1",
            "3221225985",
            "[::ffff:192.0.2.1]",
            "2001:db8::1",
            "[2001:db8::1",
            "[2001:db8::1]evil",
            "[2001:db8::1%eth0]",
            "[2001:db8::2]",
            "null",
        ] {
            assert!(!hosts.contains(bad), "{bad:?}");
        }
    }

    #[test]
    fn without_a_list_every_host_is_answered_to() {
        let any = hosts(&[]).expect("valid");
        assert!(any.is_any() && any.contains("evil.example") && any.contains("") && !hosts(&["a"]).expect("valid").is_any());
    }

    #[test]
    fn the_list_is_written_out() {
        assert_eq!(hosts(&[]).expect("valid").to_string(), "every name");
        assert_eq!(hosts(&["*.B.example", "a.example"]).expect("valid").to_string(), "a.example, *.b.example (one label for *)");
    }

    #[test]
    fn invalid_entries_are_refused() {
        for (bad, says) in [
            ("", "is no host"),
            ("https://chat.example.com", "is no host"),
            ("chat.example.com/", "is no host"),
            ("user@chat.example.com", "is no host"),
            ("a,b", "is no host"),
            ("2001:db8::1", "is no host"),
            ("chat.example.com:443", "has a port"),
            ("*.example.com:443", "has a port"),
            ("*", "not the whole first label"),
            ("**.example.com", "not the whole first label"),
            ("*.*.example.com", "not the whole first label"),
            ("a.*.example.com", "not the whole first label"),
            ("chat*.example.com", "not the whole first label"),
            ("*.", "is no host"),
            ("*.192.0.2.1", "before an address"),
            ("*.[::1]", "before an address"),
            ("bücher.example", "xn--"),
        ] {
            let problems = hosts(&["a.example", bad]).expect_err(bad);
            let problems: Vec<_> = problems.iter().map(|problem| (problem.key.as_str(), problem.to_string())).collect();
            let [(key, text)] = &problems[..] else { panic!("{problems:?}") };
            assert!(*key == "public.hosts" && text.contains(says), "{bad}: {text}");
        }
        let many: Vec<String> = (0..=HOSTS).map(|at| format!("h{at}")).collect();
        let problems = hosts(&many.iter().map(String::as_str).collect::<Vec<_>>()).expect_err("too many");
        assert!(problems.to_string().contains("up to 256 entries; found 257"), "{problems}");
    }

    proptest! {
        #[test]
        fn only_a_listed_host_with_or_without_a_port_is_answered_to(host in "\\PC{0,30}", port in 1..=u16::MAX) {
            let hosts = hosts(&["chat.example.com"]).expect("valid");
            let name = host.split_once(':').map_or(&*host, |(name, _)| name);
            prop_assert!(!hosts.contains(&host) || name.eq_ignore_ascii_case("chat.example.com"));
            let listed = format!("Chat.Example.com:{port}");
            prop_assert!(hosts.contains(&listed));
        }
    }
}
