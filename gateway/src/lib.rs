//! Switchboard's gateway: holds the frontends' WebSockets so that no other service has to.
//!
//! ARCHITECTURE.md lists the layers, and what each module knows. A test compares that page with the code.
//! Below all modules is the crate `gateway_core`: sessions, protocol, channels and the words of the domain, without I/O.

pub mod api;
pub mod auth;
pub mod broker;
pub mod cluster;
pub mod connection;
pub mod hub;
pub mod ingest;
pub mod jwks;
pub mod limits;
pub mod node;
mod outbound;
pub mod publish;
pub mod queues;
mod run;
pub mod server;
pub mod services;
pub mod settings;
#[cfg(feature = "testing")]
pub mod simulation;
pub mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
pub mod transport;

pub use run::{check, run, warnings};
pub use server::{RunError, probe_tls};
