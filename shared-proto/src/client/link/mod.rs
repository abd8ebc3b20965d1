//! The link client of a service instance: one WebSocket to every node of the cluster, reconnected until the process ends.
//!
//! A [`Link`] connects to the configured addresses and to all addresses that nodes name in `welcome.peers`. It passes calls and events to
//! a [`Service`], concurrently up to the credit, and publishes through a [`Publisher`].
//!
//! The public types belong here. What keeps links connected belongs in `nodes`, what publishes in `publishing`, and the frames on the wire
//! in [`crate::link`].

mod config;
mod context;
mod counts;
mod handle;
mod monitor;
mod nodes;
mod publishing;
mod service;
#[cfg(test)]
mod tests;

pub use config::Config;
pub use counts::Counts;
pub use handle::Link;
pub use monitor::Monitor;
pub use publishing::{Publication, Publisher};
pub use service::{Answer, CallFailure, CallResult, EventOutcome, Service};
