//! Settings, raw and checked.

use serde::Deserialize;
use shared_proto::process::settings::{Program, Settings as Checked, in_range};
use shared_proto::process::telemetry::TelemetrySettings;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What is particular to this program.
pub const PROGRAM: Program = Program {
    name: env!("CARGO_PKG_NAME"),
    about: env!("CARGO_PKG_DESCRIPTION"),
    version: env!("CARGO_PKG_VERSION"),
    prefix: "NOTIFIER",
    defaults: include_str!("../config/default.toml"),
};

/// All settings; `config/default.toml` says what each means.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
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
    /// Of the listener.
    pub address: SocketAddr,
    /// At most.
    pub connections: usize,
    /// For a request's head to come, in milliseconds.
    pub request_timeout_ms: u64,
    /// Between requests, in seconds.
    pub keep_alive_s: u64,
    /// With commas between; empty: none is asked for.
    pub api_keys: String,
    /// In bytes.
    pub body_limit: usize,
    /// Per notification.
    pub users_limit: usize,
}

/// `[gateway]`
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Base addresses, with commas between.
    pub urls: String,
    /// Sent as bearer token.
    pub api_key: String,
    /// In milliseconds.
    pub timeout_ms: u64,
    /// In seconds.
    pub idempotency_s: u64,
    /// In seconds.
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
    /// Pending deliveries.
    pub pending_limit: u64,
    /// Requests that wait for the disk.
    pub queue: usize,
    /// Of finished notifications.
    pub keep_hours: u64,
    /// Of finished notifications.
    pub keep_count: u64,
}

/// `[delivery]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivery {
    /// Deliveries under way.
    pub concurrency: usize,
    /// In milliseconds.
    pub backoff_first_ms: u64,
    /// In milliseconds.
    pub backoff_longest_ms: u64,
    /// In a row.
    pub breaker_failures: u32,
    /// In milliseconds.
    pub breaker_pause_ms: u64,
}

/// `[shutdown]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shutdown {
    /// In seconds.
    pub drain_s: u64,
}

impl Checked for Settings {
    fn check(&self) -> Result<(), String> {
        in_range("http.connections", self.http.connections as u64, 1, 100_000)?;
        in_range("http.request_timeout_ms", self.http.request_timeout_ms, 100, 60_000)?;
        in_range("http.keep_alive_s", self.http.keep_alive_s, 1, 600)?;
        in_range("http.body_limit", self.http.body_limit as u64, 1024, 16 * 1024 * 1024)?;
        in_range("http.users_limit", self.http.users_limit as u64, 1, 10_000)?;
        in_range("gateway.timeout_ms", self.gateway.timeout_ms, 100, 60_000)?;
        in_range("gateway.idempotency_s", self.gateway.idempotency_s, 60, 604_800)?;
        in_range("gateway.history_s", self.gateway.history_s, 0, 31_536_000)?;
        in_range("outbox.pending_limit", self.outbox.pending_limit, 1, 100_000_000)?;
        in_range("outbox.queue", self.outbox.queue as u64, 1, 100_000)?;
        in_range("outbox.keep_hours", self.outbox.keep_hours, 1, 87_600)?;
        in_range("outbox.keep_count", self.outbox.keep_count, 0, 100_000_000)?;
        in_range("delivery.concurrency", self.delivery.concurrency as u64, 1, 1000)?;
        in_range("delivery.backoff_first_ms", self.delivery.backoff_first_ms, 1, 60_000)?;
        in_range("delivery.backoff_longest_ms", self.delivery.backoff_longest_ms, 1, 3_600_000)?;
        in_range("delivery.breaker_failures", u64::from(self.delivery.breaker_failures), 1, 1000)?;
        in_range("delivery.breaker_pause_ms", self.delivery.breaker_pause_ms, 1, 600_000)?;
        in_range("shutdown.drain_s", self.shutdown.drain_s, 0, 300)?;
        self.telemetry.check()
    }
}
