//! The parts that processes share.
//!
//! - [`program`]: what distinguishes one program from another
//! - [`settings`]: reads and checks the settings from defaults, file, environment and command line
//! - [`start`]: the process of a service, from its [`command`] line to its exit code
//! - [`manual`]: the manual page, and completions for shells
//! - [`telemetry`]: logs, traces and metrics
//! - [`health`]: `/livez`, `/readyz` and `/metrics`; [`probe`] asks them
//! - [`supervisor`]: reports the state of the process to systemd
//! - [`listener`]: the HTTP listener
//! - [`core_dumps`]: no copy of the memory is left behind
//! - [`signal`]: signals that end the process

pub mod command;
pub mod core_dumps;
pub mod health;
pub mod listener;
pub mod manual;
pub mod probe;
pub mod program;
pub mod settings;
pub mod signal;
pub mod start;
pub mod supervisor;
pub mod telemetry;
