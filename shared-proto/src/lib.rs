//! Wire formats between Switchboard, its frontends and its services, and clients for services.
//!
//! - [`content`]: the content of a publication: JSON, text or bytes
//! - [`errors`]: the table of all error, unsubscribe and disconnect codes
//! - [`frontend`]: frames of the frontend protocol (JSON form of the Centrifuge client protocol)
//! - [`guard`]: questions to services that decide what frontends may do
//! - [`json`]: deserialisation that accepts only JSON objects, and the form of bytes
//! - [`link`]: frames of the service link
//! - [`name`]: rules for the names of channels, users and services
//! - [`producer`]: the number that a producer gives to a publish
//! - [`rest`]: bodies of the gateway's REST interface
//! - [`secret`]: texts that no log shows
//! - [`webhook`]: bodies of the requests to services that are reached by HTTP
//! - `client` (feature `client`): the typed REST and link clients for services
//! - `http` (feature `http`): the parts that all HTTP listeners share
//! - `process` (feature `process`): settings, telemetry, health and signals of a service process

pub mod content;
pub mod errors;
pub mod frontend;
pub mod guard;
pub mod json;
pub mod link;
pub mod name;
pub mod producer;
pub mod rest;
pub mod secret;
pub mod webhook;

#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "process")]
pub mod process;
