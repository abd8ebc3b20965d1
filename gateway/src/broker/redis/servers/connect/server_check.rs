//! Checks by the server's answer to `INFO` whether the gateway can use the server.

use super::connect_error::ConnectError;
use crate::broker::redis::{schema::pubsub::PubSub, servers::address::Peer};

/// The kind of server that `redis.url` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Standalone,
    Cluster,
}

impl Mode {
    /// The oldest version that has all necessary commands. A Redis Cluster needs sharded pub/sub.
    fn oldest(self) -> (u32, u32) {
        match self {
            Self::Standalone => (6, 2),
            Self::Cluster => (7, 0),
        }
    }

    pub(super) fn pubsub(self) -> PubSub {
        match self {
            Self::Standalone => PubSub::Unsharded,
            Self::Cluster => PubSub::Sharded,
        }
    }
}

// NL-7.12
/// Checks a server by its answer to `INFO`.
pub(super) fn check(info: &str, mode: Mode, peer: &Peer) -> Result<(), ConnectError> {
    let (version, policy, address) = (field(info, "redis_version"), field(info, "maxmemory_policy"), peer.to_string().into());
    match (mode, field(info, "cluster_enabled")) {
        (Mode::Standalone, "1") => return Err(ConnectError::Cluster { address }),
        (Mode::Cluster, "0") => return Err(ConnectError::NoCluster { address }),
        _ => {}
    }
    let oldest = mode.oldest();
    if !is_new_enough(version, oldest) {
        return Err(ConnectError::TooOld { address, found: version.into(), oldest: format!("{}.{}", oldest.0, oldest.1).into() });
    }
    if !matches!(policy, "" | "noeviction") {
        return Err(ConnectError::Evicting { address, policy: policy.into() });
    }
    // In a Redis Cluster the slot map shows which servers are masters, and a replica may answer the query for the map.
    if mode == Mode::Standalone && field(info, "role") == "slave" {
        return Err(ConnectError::Replica { address });
    }
    Ok(())
}

/// A field of an answer to `INFO`. Empty if it is missing.
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
    use crate::broker::redis::servers::address::{Address, ServerAddress, tests::address};

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
    fn an_unsuitable_server_is_refused_with_cause_and_cure() {
        let Address::One(ServerAddress::Server(peer)) = address("redis://h:1").expect("a good address") else { panic!("one server") };
        for (mode, info, cure) in [
            (Mode::Standalone, "redis_version:7.0.15\r\nmaxmemory_policy:noeviction\r\n", None),
            (Mode::Standalone, "redis_version:7.2.4\r\n", None),
            (Mode::Standalone, "redis_version:6.0.16\r\nmaxmemory_policy:noeviction\r\n", Some("6.2 or newer is needed")),
            (Mode::Standalone, "redis_version:7.0.15\r\nmaxmemory_policy:allkeys-lru\r\n", Some("set it to noeviction")),
            (Mode::Standalone, "redis_version:7.0.15\r\nrole:master\r\n", None),
            (Mode::Standalone, "redis_version:7.0.15\r\nrole:slave\r\n", Some("name its master in redis.url")),
            (Mode::Standalone, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", None),
            (Mode::Standalone, "redis_version:7.0.15\r\ncluster_enabled:1\r\n", Some("as redis+cluster://")),
            (Mode::Cluster, "redis_version:7.0.15\r\nrole:slave\r\ncluster_enabled:1\r\n", None),
            (Mode::Cluster, "redis_version:7.0.15\r\ncluster_enabled:0\r\n", Some("belongs to no Redis Cluster")),
            (Mode::Cluster, "redis_version:6.2.14\r\ncluster_enabled:1\r\n", Some("7.0 or newer is needed")),
        ] {
            let error = check(info, mode, &peer).err().map(|error| error.to_string());
            assert_eq!(error.is_some(), cure.is_some(), "{info}: {error:?}");
            assert!(error.unwrap_or_default().contains(cure.unwrap_or_default()), "{info}");
        }
    }
}
