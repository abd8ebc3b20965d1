//! Whether a server can be relied on, by its answer to `INFO`.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::pubsub::PubSub, servers::address::Peer};

/// What a server has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Alone,
    OfCluster,
}

impl Mode {
    /// The oldest server whose commands are enough: a cluster's has to announce within slots.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Alone => (6, 2),
            Self::OfCluster => (7, 0),
        }
    }

    pub(super) fn pubsub(self) -> PubSub {
        match self {
            Self::Alone => PubSub::Whole,
            Self::OfCluster => PubSub::Sharded,
        }
    }
}

// NL-7.12
/// Whether a server of which `INFO` says this can be relied on.
pub(super) fn judge(info: &str, mode: Mode, peer: &Peer) -> Result<(), ConnectError> {
    let (version, policy, address) = (field(info, "redis_version"), field(info, "maxmemory_policy"), peer.to_string().into());
    match (mode, field(info, "cluster_enabled")) {
        (Mode::Alone, "1") => return Err(ConnectError::Cluster { address }),
        (Mode::OfCluster, "0") => return Err(ConnectError::NoCluster { address }),
        _ => {}
    }
    let oldest = mode.oldest();
    if !is_new_enough(version, oldest) {
        return Err(ConnectError::TooOld { address, found: version.into(), oldest: format!("{}.{}", oldest.0, oldest.1).into() });
    }
    if !matches!(policy, "" | "noeviction") {
        return Err(ConnectError::Evicting { address, policy: policy.into() });
    }
    // In a cluster the map says who is a master, and a replica leads to it.
    if mode == Mode::Alone && field(info, "role") == "slave" {
        return Err(ConnectError::Replica { address });
    }
    Ok(())
}

/// A field of an answer to `INFO`.
pub(super) fn field<'a>(info: &'a str, name: &str) -> &'a str {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or_default().trim()
}

fn is_new_enough(version: &str, oldest: (u32, u32)) -> bool {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= oldest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::redis::servers::address::{Address, Site, tests::address};

    #[test]
    fn versions_are_compared_as_numbers() {
        for (version, enough) in
            [("6.2.0", true), ("7.0.15", true), ("10.1", true), ("6.0.16", false), ("5.9", false), ("", false), ("x", false)]
        {
            assert_eq!(is_new_enough(version, (6, 2)), enough, "{version}");
        }
    }

    // NL-7.12
    #[test]
    fn a_server_that_cannot_be_relied_on_is_refused_with_cause_and_cure() {
        let Address::One(Site::Server(peer)) = address("redis://h:1").expect("a good address") else { panic!("one server") };
        for (mode, info, told) in [
            (Mode::Alone, "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n", None),
            (Mode::Alone, "redis_version:7.2.4\r\n", None),
            (Mode::Alone, "redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", Some("6.2 or newer is needed")),
            (Mode::Alone, "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\n", Some("set it to noeviction")),
            (Mode::Alone, "redis_version:7.0.15\r\nrole:master\r\n", None),
            (Mode::Alone, "redis_version:7.0.15\r\nrole:slave\r\n", Some("name its master in redis.url")),
            (Mode::Alone, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", None),
            (Mode::Alone, "redis_version:7.0.15\r\ncluster_enabled:1\r\n", Some("as redis+cluster://")),
            (Mode::OfCluster, "redis_version:7.0.15\r\nrole:slave\r\ncluster_enabled:1\r\n", None),
            (Mode::OfCluster, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", Some("belongs to no Redis Cluster")),
            (Mode::OfCluster, "redis_version:6.2.14\r\ncluster_enabled:1\r\n", Some("7.0 or newer is needed")),
        ] {
            let found = judge(info, mode, &peer).err().map(|trouble| trouble.to_string());
            assert_eq!(found.is_some(), told.is_some(), "{info}: {found:?}");
            assert!(found.unwrap_or_default().contains(told.unwrap_or_default()), "{info}");
        }
    }
}
