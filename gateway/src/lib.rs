//! Switchboard's gateway: holds the frontends' WebSockets so that no other service has to.
//!
//! Top uses bottom; nobody calls upward, not even by callback.
//!
//! | module | what |
//! |---|---|
//! | `server` | public and internal listeners, wiring, drain: the story of a process's life |
//! | `api` | REST handlers of the internal listener, OpenAPI, problem documents |
//! | `transport` | sockets to frames: the WebSocket upgrade |
//! | `connection` | drives one session over one transport; carries out the session's actions |
//! | `node` | what api and connections share: one gateway process |
//! | `services` | calls, events and links of services |
//! | `publish` | the one way into channels |
//! | `hub` | a worker's connections, subscriptions and outboxes; fan-out; the timer wheel |
//! | `broker` | publications, history, presence; the workers' mailboxes |
//! | `cluster` | nodes, and messages between them |
//! | `auth` | tokens, origins, API keys |
//! | `telemetry` | traces, metrics, propagation |
//! | `settings` | raw typed configuration |
//!
//! Below all of them is the crate `gateway_core`: sessions, protocol, channels and the words of the domain, without I/O.

pub mod api;
pub mod auth;
pub mod broker;
pub mod cluster;
pub mod connection;
pub mod hub;
pub mod node;
pub mod publish;
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

pub use run::{check, run};
pub use server::RunError;
