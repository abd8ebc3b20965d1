//! What every service process needs beside its own work.
//!
//! - [`settings`]: command line, file and environment to a checked type
//! - [`telemetry`]: logs, traces, metrics
//! - [`health`]: `/livez`, `/readyz`, `/metrics`
//! - [`listener`]: where its HTTP interface is served
//! - [`signal`]: when to leave

pub mod health;
pub mod listener;
pub mod settings;
pub mod signal;
pub mod telemetry;

/// Exit code of a start that was stopped by its settings (`EX_USAGE` of sysexits).
pub const BAD_SETTINGS: u8 = 64;
/// Exit code of a process that could not do its work (`EX_UNAVAILABLE` of sysexits).
pub const UNAVAILABLE: u8 = 69;
