//! The WebSocket upgrade. Frames and messages are in `gateway_core::protocol`.
//!
//! An upgrade request does not reach the HTTP application. actix-http passes the request and the raw stream to [`upgrade`]. That asks a
//! [`Gate`] for its decision, writes the response, and hands the socket to the gate.

mod gate;
mod handshake;
mod refuse;
mod service;
mod subprotocol;
#[cfg(test)]
mod tests;
mod upgrade;

pub use gate::{Admission, Denial, Gate, UpgradeRequest, Upgraded};
pub use refuse::answer as append_refusal;
pub use service::{PublicHttp, http_service};
pub use subprotocol::{Subprotocols, centrifuge, ping_form};
pub use upgrade::upgrade;
