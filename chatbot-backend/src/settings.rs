//! The settings of the process: the types of `config/default.toml`, and their checks.

use serde::Deserialize;
use shared_proto::client::TlsFiles;
use shared_proto::client::rest::{Config, ConfigError, Gateway as Client};
use shared_proto::process::program::Program;
use shared_proto::process::settings::{Settings as Checked, check_range, list};
use shared_proto::process::telemetry::TelemetrySettings;
use std::net::SocketAddr;
use std::time::Duration;

/// Name, version, prefix and default settings of this program.
pub const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    about: env!("CARGO_PKG_DESCRIPTION"),
    version: env!("CARGO_PKG_VERSION"),
    prefix: "CHATBOT",
    defaults: include_str!("../config/default.toml"),
    secrets: &["gateway.api_key"],
    address: "http.address",
    own_command: None,
};

/// All settings. `config/default.toml` explains each of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `[http]`
    pub http: Http,
    /// `[gateway]`
    pub gateway: Gateway,
    /// `[bot]`
    pub bot: Bot,
    /// `[shutdown]`
    pub shutdown: Shutdown,
    /// `[telemetry]`
    pub telemetry: TelemetrySettings,
}

/// `[http]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// Address of `/livez`, `/readyz` and `/metrics`.
    pub address: SocketAddr,
    /// Limit of connections.
    pub connections: usize,
    /// Time for the head of a request to arrive, in milliseconds.
    pub request_timeout_ms: u64,
    /// Time for the next request to arrive, in seconds.
    pub keep_alive_s: u64,
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
    /// Time limit for a whole REST request, in milliseconds.
    pub timeout_ms: u64,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").field("urls", &self.urls).field("timeout_ms", &self.timeout_ms).finish_non_exhaustive()
    }
}

/// `[bot]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bot {
    /// Name of the service.
    pub service: String,
    /// Author of the bot's messages.
    pub name: String,
    /// Maximum number of calls in flight from each node.
    pub credit: u32,
    /// Maximum number of answers that are written at the same time.
    pub max_streams: usize,
    /// Longest message of a user, in bytes.
    pub text_limit: usize,
    /// Shortest time between two parts, in milliseconds.
    pub part_ms: u64,
    /// Pause between two words, in milliseconds.
    pub word_ms: u64,
}

impl Bot {
    /// Shortest time between two parts.
    pub fn part_pause(&self) -> Duration {
        Duration::from_millis(self.part_ms)
    }

    /// Pause between two words.
    pub fn word_pause(&self) -> Duration {
        Duration::from_millis(self.word_ms)
    }
}

/// `[shutdown]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// Time for calls and streams to finish, in seconds.
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
        let connect_timeout = timeout.min(Duration::from_secs(1));
        Client::new(&Config { urls: list(&self.urls), api_key: self.api_key.clone(), connect_timeout, timeout, tls: self.tls() })
    }
}

impl Checked for Settings {
    fn check(&self) -> Result<(), String> {
        check_range("http.connections", self.http.connections as u64, 1, 100_000)?;
        check_range("http.request_timeout_ms", self.http.request_timeout_ms, 100, 60_000)?;
        check_range("http.keep_alive_s", self.http.keep_alive_s, 1, 600)?;
        check_range("gateway.timeout_ms", self.gateway.timeout_ms, 100, 60_000)?;
        check_range("bot.credit", u64::from(self.bot.credit), 1, 10_000)?;
        check_range("bot.max_streams", self.bot.max_streams as u64, 1, 10_000)?;
        check_range("bot.text_limit", self.bot.text_limit as u64, 1, 65_536)?;
        check_range("bot.part_ms", self.bot.part_ms, 20, 1000)?;
        check_range("bot.word_ms", self.bot.word_ms, 0, 1000)?;
        check_range("shutdown.drain_s", self.shutdown.drain_s, 0, 300)?;
        self.gateway.client().map_err(|error| format!("{}: {error}", error.key()))?;
        for (key, name) in [("bot.service", &self.bot.service), ("bot.name", &self.bot.name)] {
            let is_valid =
                !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
            if !is_valid {
                return Err(format!("{key} = {name:?}: use 1 to 64 letters, digits, - or _"));
            }
        }
        self.telemetry.check()
    }

    fn address(&self) -> SocketAddr {
        self.http.address
    }

    fn telemetry(&self) -> &TelemetrySettings {
        &self.telemetry
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
    fn no_log_shows_a_secret() {
        let flags = [("gateway.api_key", "hush")].map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert!(flags.iter().map(|(key, _)| key.as_str()).eq(PROGRAM.secrets.iter().copied()));
        let layers = Layers { variables: Some([].into()), flags: &flags, ..Layers::default() };
        let loaded = load::<Settings>(&PROGRAM, &layers).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!format!("{:?}", loaded.settings).contains("hush") && !loaded.effective.contains("hush"));
    }
}
