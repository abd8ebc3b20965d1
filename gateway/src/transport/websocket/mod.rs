//! The WebSocket upgrade.
//!
//! An upgrade request never reaches the ordinary application. actix-http hands the request and the raw stream to [`upgrade`], which
//! is a router of its own: it asks a [`Gate`], answers, and gives the bare socket away.

mod gate;
mod handshake;
mod refuse;
mod service;
mod subprotocol;
#[cfg(test)]
mod tests;
mod upgrade;

pub use gate::{Admission, Denial, Gate, UpgradeRequest, Upgraded};
pub use service::{PublicHttp, http_service};
pub use subprotocol::{Form, Subprotocols, centrifuge};
pub use upgrade::upgrade;
