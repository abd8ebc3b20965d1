//! What travels between Switchboard, its frontends and its services.
//!
//! - [`errors`]: the one table of error, unsubscribe and disconnect codes
//! - [`frontend`]: frames of the frontend protocol (JSON form of the Centrifuge client protocol)
//! - [`json`]: what is read from objects only
//! - [`link`]: frames of the service link
//! - [`name`]: what channels, users and services may be called
//! - [`rest`]: bodies of the gateway's REST interface
//! - [`client`] (feature `client`): the typed REST and link clients for services
//! - [`http`] (feature `http`): what all HTTP listeners have in common
//! - [`process`] (feature `process`): what every service process needs: settings, logs, telemetry, health, signals

pub mod errors;
pub mod json;
pub mod link;
pub mod name;
pub mod rest;

#[cfg(feature = "client")]
pub mod client;
pub mod frontend;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "process")]
pub mod process;
