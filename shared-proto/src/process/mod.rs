//! The parts that all service processes share.
//!
//! - [`settings`]: reads and checks the settings from defaults, file, environment and command line
//! - [`telemetry`]: logs, traces and metrics
//! - [`health`]: `/livez`, `/readyz` and `/metrics`
//! - [`listener`]: the HTTP listener
//! - [`signal`]: signals that end the process

pub mod health;
pub mod listener;
pub mod settings;
pub mod signal;
pub mod telemetry;

/// Exit code of a process that did not start because its settings are invalid (`EX_USAGE` of sysexits).
pub const EXIT_USAGE: u8 = 64;
/// Exit code of a process that ended because it could not do its work (`EX_UNAVAILABLE` of sysexits).
pub const EXIT_UNAVAILABLE: u8 = 69;
