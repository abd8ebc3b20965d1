//! The settings of a link client.

use crate::client::transport::TlsFiles;
use std::fmt;
use std::time::Duration;

/// How a service instance connects to the gateway.
#[derive(Clone)]
pub struct Config {
    /// The first addresses: link addresses or base addresses (`ws://host:port`, `wss://host:port`), at least one. The client adds the nodes that these name.
    pub urls: Vec<String>,
    /// Sent as bearer token.
    pub api_key: String,
    /// Name of the service.
    pub service: String,
    /// Name of this instance, unique within the service.
    pub instance: String,
    /// Maximum number of calls and events in flight from each node.
    pub credit: u32,
    /// Names of the lifecycle events that the gateway should send.
    pub events: Vec<String>,
    /// Largest frame in bytes that the client accepts.
    pub message_size: usize,
    /// Maximum number of publications in the queue. If it is full, [`Publisher::publish`](super::Publisher::publish) waits.
    pub publish_queue: usize,
    /// Time limit for connecting, including the WebSocket handshake. The welcome frame has the same limit again.
    pub connect_timeout: Duration,
    /// The pause after the first failed attempt. It doubles with each further failure.
    pub reconnect_first: Duration,
    /// The longest pause between two attempts. The number of attempts has no limit.
    pub reconnect_longest: Duration,
    /// TLS to nodes with `wss`.
    pub tls: TlsFiles,
}

impl Config {
    /// The default limits for `service` at `urls`, with a random instance name.
    pub fn new(service: impl Into<String>, urls: Vec<String>, api_key: impl Into<String>) -> Self {
        let service = service.into();
        Self {
            instance: format!("{service}-{:08x}", rand::random::<u32>()),
            service,
            urls,
            api_key: api_key.into(),
            credit: 64,
            events: Vec::new(),
            message_size: 1024 * 1024,
            publish_queue: 4096,
            connect_timeout: Duration::from_secs(5),
            reconnect_first: Duration::from_millis(100),
            reconnect_longest: Duration::from_secs(5),
            tls: TlsFiles::default(),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config").field("urls", &self.urls).field("instance", &self.instance).finish_non_exhaustive()
    }
}
