//! How to reach the gateway.

use crate::name::InvalidName;
use std::{fmt, time::Duration};

/// How to reach the gateway.
#[derive(Clone)]
pub struct Config {
    /// Base addresses of the nodes' internal listeners, as `http://host:port`; at least one.
    pub urls: Vec<String>,
    /// Sent as bearer token.
    pub api_key: String,
    /// For the TCP connection to one node.
    pub connect_timeout: Duration,
    /// For a whole request to one node.
    pub timeout: Duration,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("urls", &self.urls).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// Settings from which no client can be made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No address was given.
    #[error("no gateway address was given")]
    NoUrl,
    /// An address cannot be used; the text names it.
    #[error("`{0}` is not an address of the expected scheme")]
    BadUrl(String),
    /// A service cannot have this name.
    #[error("the service's name `{0}` {1}")]
    BadService(String, InvalidName),
    /// The API key holds characters that no header can carry.
    #[error("the API key holds characters that no HTTP header can carry")]
    BadKey,
    /// The HTTP client could not be made.
    #[error("no HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}
