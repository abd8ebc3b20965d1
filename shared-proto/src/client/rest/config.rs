//! The settings of the REST client.

use crate::client::transport::{TlsError, TlsFiles};
use crate::name::InvalidName;
use std::{fmt, time::Duration};

/// How to reach the gateway.
#[derive(Clone)]
pub struct Config {
    /// Base addresses of the nodes' internal listeners, as `http://host:port` or `https://host:port`; at least one.
    pub urls: Vec<String>,
    /// The API key, which is sent as bearer token.
    pub api_key: String,
    /// Time limit for opening a connection to one node.
    pub connect_timeout: Duration,
    /// Time limit for a whole request to one node.
    pub timeout: Duration,
    /// TLS to nodes with `https`.
    pub tls: TlsFiles,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("urls", &self.urls).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Invalid settings of a client.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No address was given.
    #[error("no gateway address was given")]
    NoUrl,
    /// An address is invalid. The text contains it.
    #[error(
        "`{0}` is not a valid address: REST clients need `http://host:port` or `https://host:port`, links also `ws://host:port` or `wss://host:port`"
    )]
    BadUrl(String),
    /// The name of the service is invalid.
    #[error("the service's name `{0}` {1}")]
    BadService(String, InvalidName),
    /// The API key contains characters that are not allowed in an HTTP header.
    #[error("the API key contains characters that are not allowed in an HTTP header")]
    BadKey,
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ConfigError {
    /// The setting that is wrong, in the table of a service's settings for its gateway.
    pub fn key(&self) -> String {
        match self {
            Self::BadKey => "gateway.api_key".into(),
            Self::Tls(TlsError { field, .. }) => format!("gateway.{field}"),
            Self::NoUrl | Self::BadUrl(_) | Self::BadService(..) => "gateway.urls".into(),
        }
    }
}
