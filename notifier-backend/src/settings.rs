//! The settings of the process: the types of `config/default.toml`, and their checks.

use serde::Deserialize;
use shared_proto::client::TlsFiles;
use shared_proto::client::rest::{Config, ConfigError, Gateway as Client};
use shared_proto::process::program::{OwnCommand, Program};
use shared_proto::process::settings::{Settings as Checked, check_range, list};
use shared_proto::process::telemetry::TelemetrySettings;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Name, version, prefix and default settings of this program.
pub const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    about: env!("CARGO_PKG_DESCRIPTION"),
    version: env!("CARGO_PKG_VERSION"),
    prefix: "NOTIFIER",
    defaults: include_str!("../config/default.toml"),
    secrets: &["gateway.api_key", "http.api_keys"],
    address: "http.address",
    own_command: Some(OwnCommand { name: "backup", about: "Copy the outbox into a new file, also while the notifier runs" }),
};

/// The name of a listener without keys in `allow_insecure`.
const NO_KEYS: &str = "no-keys";

/// All settings. `config/default.toml` explains each of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is accepted although it is insecure: nothing, or [`NO_KEYS`].
    pub allow_insecure: String,
    /// `[http]`
    pub http: Http,
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[outbox]`
    pub outbox: Outbox,
    /// `[delivery]`
    pub delivery: Delivery,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
}

/// `[http]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address of the listener.
    pub address: SocketAddr,
    /// Limit of connections.
    pub connections: usize,
    /// Time for the head of a request to arrive, in milliseconds.
    pub request_timeout_ms: u64,
    /// Time for the next request to arrive, in seconds.
    pub keep_alive_s: u64,
    /// Accepted API keys, separated by commas. Empty: callers need no key.
    pub api_keys: String,
    /// Longest request body, in bytes.
    pub body_limit: usize,
    /// Maximum number of users of one notification.
    pub users_limit: usize,
}

/// `[gateway]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Base addresses, separated by commas.
    pub urls: String,
    /// Sent as bearer token.
    pub api_key: String,
    /// PEM file with the authorities of the nodes' certificates.
    pub ca_file: String,
    /// PEM file with the certificate of this program.
    pub cert_file: String,
    /// PEM file with the key of this certificate.
    pub key_file: String,
    /// The name in the certificates of the nodes.
    pub server_name: String,
    /// Time limit for a whole request, in milliseconds.
    pub timeout_ms: u64,
    /// How long the gateway remembers idempotency keys, in seconds.
    pub idempotency_s: u64,
    /// How long the gateway keeps the history of personal channels, in seconds.
    pub history_s: u64,
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("address", &self.address).finish_non_exhaustive()
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// `[outbox]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbox {
    /// The SQLite file.
    pub path: PathBuf,
    /// Maximum number of pending deliveries.
    pub pending_limit: u64,
    /// Maximum number of requests that wait for the disk.
    pub queue: usize,
    /// How long finished notifications are kept, in hours.
    pub keep_hours: u64,
    /// Maximum number of finished notifications that are kept.
    pub keep_count: u64,
}

/// `[delivery]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Maximum number of deliveries at the same time.
    pub concurrency: usize,
    /// Pause after the first failed attempt, in milliseconds.
    pub backoff_first_ms: u64,
    /// Longest pause between two attempts, in milliseconds.
    pub backoff_longest_ms: u64,
    /// Consecutive failures after which deliveries stop.
    pub breaker_failures: u32,
    /// How long deliveries stop, in milliseconds.
    pub breaker_pause_ms: u64,
}

/// `[shutdown]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Time for running deliveries to finish, in seconds.
    pub drain_s: u64,
}

impl Gateway {
    /// TLS to the nodes.
    pub fn tls(&self) -> TlsFiles {
        TlsFiles {
            ca_file: self.ca_file.clone(),
            cert_file: self.cert_file.clone(),
            key_file: self.key_file.clone(),
            server_name: self.server_name.clone(),
        }
    }

    /// The client for the REST interface. Opens no connection.
    pub fn client(&self) -> Result<Client, ConfigError> {
        let timeout = Duration::from_millis(self.timeout_ms);
        let connect_timeout = timeout.min(Duration::from_secs(2));
        Client::new(&Config { urls: list(&self.urls), api_key: self.api_key.clone(), connect_timeout, timeout, tls: self.tls() })
    }
}

impl Checked for Settings {
    fn check(&self) -> Result<(), String> {
        self.check_exposure()?;
        check_range("http.connections", self.http.connections as u64, 1, 100_000)?;
        check_range("http.request_timeout_ms", self.http.request_timeout_ms, 100, 60_000)?;
        check_range("http.keep_alive_s", self.http.keep_alive_s, 1, 600)?;
        check_range("http.body_limit", self.http.body_limit as u64, 1024, 16 * 1024 * 1024)?;
        check_range("http.users_limit", self.http.users_limit as u64, 1, 10_000)?;
        check_range("gateway.timeout_ms", self.gateway.timeout_ms, 100, 60_000)?;
        check_range("gateway.idempotency_s", self.gateway.idempotency_s, 60, 604_800)?;
        check_range("gateway.history_s", self.gateway.history_s, 0, 31_536_000)?;
        check_range("outbox.pending_limit", self.outbox.pending_limit, 1, 100_000_000)?;
        check_range("outbox.queue", self.outbox.queue as u64, 1, 100_000)?;
        check_range("outbox.keep_hours", self.outbox.keep_hours, 1, 87_600)?;
        check_range("outbox.keep_count", self.outbox.keep_count, 0, 100_000_000)?;
        check_range("delivery.concurrency", self.delivery.concurrency as u64, 1, 1000)?;
        check_range("delivery.backoff_first_ms", self.delivery.backoff_first_ms, 1, 60_000)?;
        check_range("delivery.backoff_longest_ms", self.delivery.backoff_longest_ms, 1, 3_600_000)?;
        check_range("delivery.breaker_failures", u64::from(self.delivery.breaker_failures), 1, 1000)?;
        check_range("delivery.breaker_pause_ms", self.delivery.breaker_pause_ms, 1, 600_000)?;
        check_range("shutdown.drain_s", self.shutdown.drain_s, 0, 300)?;
        self.gateway.client().map_err(|error| format!("{}: {error}", error.key()))?;
        self.telemetry.check()
    }

    fn address(&self) -> SocketAddr {
        self.http.address
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
    }

    fn warnings(&self) -> Vec<String> {
        let warning = match (list(&self.allow_insecure).is_empty(), self.exposure()) {
            (true, _) => return Vec::new(),
            (false, Some(fault)) => format!("http.api_keys: insecure: {fault}. allow_insecure names {NO_KEYS:?}"),
            (false, None) => format!("allow_insecure: names {NO_KEYS:?}, which allows nothing here: remove it"),
        };
        vec![warning]
    }
}

impl Settings {
    /// Refuses a listener that is open to others without a key.
    fn check_exposure(&self) -> Result<(), String> {
        if let Some(unknown) = list(&self.allow_insecure).into_iter().find(|name| name != NO_KEYS) {
            return Err(format!("allow_insecure: expected {NO_KEYS:?}, or nothing; found {unknown:?}"));
        }
        match self.exposure() {
            Some(fault) if list(&self.allow_insecure).is_empty() => {
                Err(format!("http.api_keys: {fault}; to accept this, set allow_insecure = {NO_KEYS:?}"))
            }
            _ => Ok(()),
        }
    }

    /// What is wrong if callers need no key, although others than this machine reach the listener.
    fn exposure(&self) -> Option<String> {
        let address = self.http.address;
        let is_open = !address.ip().to_canonical().is_loopback();
        (is_open && list(&self.http.api_keys).is_empty())
            .then(|| format!("no key is set, and others than this machine reach http.address {address}: set keys, or listen at 127.0.0.1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared_proto::process::settings::{Layers, load::load};

    #[test]
    fn an_unusable_address_or_key_is_a_wrong_setting() {
        for (key, value) in [
            ("gateway.urls", ""),
            ("gateway.urls", "gw1:8001,http://x"),
            ("gateway.api_key", "two\nlines"),
            ("gateway.ca_file", "/none"),
            ("gateway.server_name", "a b"),
        ] {
            let flags = [(key.to_owned(), value.to_owned())];
            let layers = Layers { variables: Some([].into()), flags: &flags, ..Layers::default() };
            let problems = load::<Settings>(&PROGRAM, &layers).err().expect("refused").to_string();
            assert!(problems.contains(&format!("{key}: ")), "{problems}");
        }
    }

    #[test]
    fn a_listener_that_is_open_to_others_needs_keys() {
        let load = |flags: &[(&str, &str)]| {
            let flags: Vec<_> = flags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let loaded = load::<Settings>(&PROGRAM, &Layers { variables: Some([].into()), flags: &flags, ..Layers::default() });
            loaded.map(|loaded| loaded.settings.warnings()).map_err(|problems| problems.to_string())
        };
        let (open, keys, allowed) = (("http.address", "0.0.0.0:8200"), ("http.api_keys", "k"), ("allow_insecure", "no-keys"));
        let refused = load(&[open]).expect_err("no keys");
        assert!(refused.contains("http.api_keys: no key is set") && refused.contains("set allow_insecure = \"no-keys\""), "{refused}");
        assert!(load(&[open, ("http.api_keys", " , ")]).is_err() && load(&[("http.address", "[2001:db8::1]:8200")]).is_err());
        assert_eq!((load(&[]), load(&[open, keys]), load(&[("http.address", "[::1]:8200")])), (Ok(vec![]), Ok(vec![]), Ok(vec![])));
        let reported = load(&[open, allowed]).expect("allowed");
        assert!(reported.len() == 1 && reported[0].starts_with("http.api_keys: insecure: no key is set"), "{reported:?}");
        let unneeded = load(&[allowed]).expect("valid");
        assert!(unneeded.len() == 1 && unneeded[0].starts_with("allow_insecure: names \"no-keys\", which allows nothing"), "{unneeded:?}");
        let unknown = load(&[("allow_insecure", "demo")]).expect_err("unknown");
        assert!(unknown.contains("allow_insecure: expected \"no-keys\", or nothing; found \"demo\""), "{unknown}");
    }

    #[test]
    fn no_log_shows_a_secret() {
        let flags = [("gateway.api_key", "hush"), ("http.api_keys", "hush")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert!(flags.iter().map(|(key, _)| key.as_str()).eq(PROGRAM.secrets.iter().copied()));
        let layers = Layers { variables: Some([].into()), flags: &flags, ..Layers::default() };
        let loaded = load::<Settings>(&PROGRAM, &layers).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!format!("{:?}", loaded.settings).contains("hush") && !loaded.effective.contains("hush"));
    }
}
