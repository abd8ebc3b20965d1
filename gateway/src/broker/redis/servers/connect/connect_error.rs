//! Why there is no usable connection.

use super::probe::Denied;
use crate::broker::redis::servers::address::Peer;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why there is no usable connection. The sentence names cause and cure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("Redis at {address} cannot be reached: {cause}. Start it, or correct redis.url")]
    Unreachable { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} does not accept the user or password in redis.url: {cause}")]
    Unauthorized { address: Box<str>, cause: Box<str> },
    #[error(
        "TLS with Redis at {address} fails: {cause}. It has to show a certificate that names it as redis.url does, and that {authority} vouches \
         for; if it asks for one of ours, set redis.cert_file and redis.key_file"
    )]
    Distrusted { address: Box<str>, cause: Box<str>, authority: Box<str> },
    #[error(
        "Redis at {address} denies the user of redis.url what a gateway has to do: {cause}. Give it the rights that docs/redis.md lists: \
         ~P:* &P:* +@read +@write +@scripting +@pubsub +@connection +info +time (in a Redis Cluster +cluster|nodes), where P is redis.prefix"
    )]
    Forbidden { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} is version {found}; {oldest} or newer is needed")]
    TooOld { address: Box<str>, found: Box<str>, oldest: Box<str> },
    #[error("Redis at {address} belongs to a Redis Cluster: name that in redis.url, as redis+cluster://host:port,host:port")]
    Cluster { address: Box<str> },
    #[error("Redis at {address} belongs to no Redis Cluster (cluster-enabled is off): name it in redis.url as redis://host:port")]
    NoCluster { address: Box<str> },
    #[error("Redis at {address} forgets what it is short of memory for (maxmemory-policy {policy}): set it to noeviction")]
    Evicting { address: Box<str>, policy: Box<str> },
    #[error("Redis at {address} is a replica: name its master in redis.url, or the sentinels that know it (redis+sentinel://)")]
    Replica { address: Box<str> },
    #[error(
        "Redis at {address} is {here} here, and {there} to other nodes: give all nodes the same redis.url; to change it, stop all of them first \
         (docs/redis.md)"
    )]
    Disputed { address: Box<str>, here: Box<str>, there: Box<str> },
    #[error("Redis at {address} is not used while other nodes take a server of redis.url for another one than this node does")]
    Suspended { address: Box<str> },
    #[error("no sentinel can be asked where Redis is; the last one, {address}: {cause}. Start them, or correct redis.url")]
    NoSentinel { address: Box<str>, cause: Box<str> },
    #[error("the sentinel at {address} does not accept redis.sentinel_user or redis.sentinel_password: {cause}")]
    SentinelUnauthorized { address: Box<str>, cause: Box<str> },
    #[error("no sentinel watches a service named {service}: correct it in redis.url, or have them monitor it")]
    Unwatched { service: Box<str> },
    #[error("Redis at {address} cannot be used: {cause}")]
    Unusable { address: Box<str>, cause: Box<str> },
}

impl ConnectError {
    /// What an error of the client library means.
    pub(crate) fn of(peer: &Peer, error: &RedisError) -> Self {
        let (address, cause): (Box<str>, Box<str>) = (peer.to_string().into(), error.to_string().into());
        match error.kind() {
            ErrorKind::Io if peer.uses_tls() && speaks_of_tls(&cause) => {
                Self::Distrusted { address, cause, authority: peer.authority().into() }
            }
            ErrorKind::Io => Self::Unreachable { address, cause },
            ErrorKind::AuthenticationFailed => Self::Unauthorized { address, cause },
            _ if matches!(error.code(), Some("WRONGPASS" | "NOAUTH")) => Self::Unauthorized { address, cause },
            _ if error.code() == Some("NOPERM") => Self::Forbidden { address, cause },
            ErrorKind::Server(ServerErrorKind::BusyLoading) => Self::unreachable(peer, "it is still loading its data"),
            _ => Self::Unusable { address, cause },
        }
    }

    /// What an error means that a sentinel is the cause of.
    pub(crate) fn of_sentinel(peer: &Peer, error: &RedisError) -> Self {
        match Self::of(peer, error) {
            Self::Distrusted { address, cause, authority } => Self::Distrusted { address, cause, authority },
            Self::Unauthorized { address, cause } | Self::Forbidden { address, cause } => Self::SentinelUnauthorized { address, cause },
            _ => Self::no_sentinel(peer, &error.to_string()),
        }
    }

    pub(crate) fn no_sentinel(peer: &Peer, cause: &str) -> Self {
        Self::NoSentinel { address: peer.to_string().into(), cause: cause.into() }
    }

    pub(crate) fn forbidden(peer: &Peer, denied: &Denied) -> Self {
        Self::Forbidden { address: peer.to_string().into(), cause: denied.0.as_str().into() }
    }

    pub(crate) fn unreachable(peer: &Peer, cause: &str) -> Self {
        Self::Unreachable { address: peer.to_string().into(), cause: cause.into() }
    }
}

/// Whether an error comes from TLS and not from below it. The library passes its text on only.
fn speaks_of_tls(cause: &str) -> bool {
    ["certificate", "fatal alert", "corrupt message"].iter().any(|sign| cause.contains(sign))
}
