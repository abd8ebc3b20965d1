//! Errors of attempts to connect.

use super::rights::probe::Denied;
use crate::broker::redis::servers::address::Peer;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why there is no usable connection. The message names the cause and the cure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error("Redis at {address} cannot be reached: {cause}. Start it, or correct redis.url")]
    Unreachable { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} does not accept the user or password in redis.url: {cause}")]
    Unauthorized { address: Box<str>, cause: Box<str> },
    #[error(
        "TLS with Redis at {address} fails: {cause}. Redis must show a certificate that contains the host of redis.url and that {authority} trusts. If Redis \
         asks clients for a certificate, set redis.cert_file and redis.key_file"
    )]
    Distrusted { address: Box<str>, cause: Box<str>, authority: Box<str> },
    #[error(
        "Redis at {address} denies the user of redis.url a right that the gateway needs: {cause}. Give the user the rights that \
         \"gateway redis-acl\" prints, or allow it all commands on the keys and channels of redis.prefix"
    )]
    Forbidden { address: Box<str>, cause: Box<str> },
    #[error("Redis at {address} is version {found}; {oldest} or newer is needed")]
    TooOld { address: Box<str>, found: Box<str>, oldest: Box<str> },
    #[error("Redis at {address} belongs to a Redis Cluster: name the cluster in redis.url, as redis+cluster://host:port,host:port")]
    Cluster { address: Box<str> },
    #[error("Redis at {address} belongs to no Redis Cluster (cluster-enabled is off): name it in redis.url as redis://host:port")]
    NoCluster { address: Box<str> },
    #[error("Redis at {address} deletes data when memory is short (maxmemory-policy {policy}): set it to noeviction")]
    Evicting { address: Box<str>, policy: Box<str> },
    #[error("Redis at {address} is a replica: name its master in redis.url, or the sentinels of its service (redis+sentinel://)")]
    Replica { address: Box<str> },
    #[error(
        "this node takes Redis at {address} for {here}, other nodes take it for {there}: give all nodes the same redis.url; before you change it, stop all \
         nodes (docs/redis.md)"
    )]
    Disputed { address: Box<str>, here: Box<str>, there: Box<str> },
    #[error("this node does not use Redis at {address} while other nodes disagree about a server of redis.url")]
    Suspended { address: Box<str> },
    #[error(
        "Redis at {address} does not let this node renew the server assignment, without which it may not use that server: {cause}. Let Redis accept writes \
         (docs/redis.md)"
    )]
    Unassigned { address: Box<str>, cause: Box<str> },
    #[error("no sentinel answered the query for the master; the last one, {address}: {cause}. Start the sentinels, or correct redis.url")]
    NoSentinel { address: Box<str>, cause: Box<str> },
    #[error("the sentinel at {address} does not accept redis.sentinel_user or redis.sentinel_password: {cause}")]
    SentinelUnauthorized { address: Box<str>, cause: Box<str> },
    #[error("no sentinel watches a service named {service}: correct the name in redis.url, or make the sentinels monitor it")]
    Unwatched { service: Box<str> },
    #[error("Redis at {address} cannot be used: {cause}")]
    Unusable { address: Box<str>, cause: Box<str> },
}

impl ConnectError {
    /// Classifies an error of the client library.
    pub(crate) fn of(peer: &Peer, error: &RedisError) -> Self {
        let (address, cause): (Box<str>, Box<str>) = (peer.to_string().into(), error.to_string().into());
        match error.kind() {
            ErrorKind::Io if peer.uses_tls() && is_tls_error(&cause) => {
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

    /// Classifies an error of the server assignment in this key.
    pub(crate) fn of_assignment(peer: &Peer, key: &str, error: &RedisError) -> Self {
        match Self::of(peer, error) {
            Self::Unusable { address, cause } => Self::Unassigned { address, cause },
            Self::Forbidden { address, cause } => Self::Forbidden { address, cause: format!("the script assign on {key}: {cause}").into() },
            other => other,
        }
    }

    /// Classifies an error of a sentinel connection.
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

/// Whether TLS caused an error, rather than the network. The client library reports the cause only as text.
fn is_tls_error(cause: &str) -> bool {
    ["certificate", "fatal alert", "corrupt message"].iter().any(|text| cause.contains(text))
}
