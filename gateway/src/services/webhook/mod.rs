//! Services that are reached by HTTP requests (webhooks).
//!
//! - [`webhook`]: one service: its calls and events, and their tries; [`config`]: its checked configuration
//! - [`targets`]: the targets, and the choice of one; [`target_url`]: the URL of a target
//! - [`request`]: body and headers of a request; [`signature`]: its signatures; [`answer`]: what an answer means
//! - [`http_client`]: sends a request and reads the answer; [`http_client::idle_connections`]: connections for the next requests

pub(super) mod answer;
pub(super) mod config;
mod http_client;
pub(super) mod request;
mod signature;
mod target_url;
pub(super) mod targets;
pub(super) mod webhook;
