//! One link from its handshake to its end: frames, calls, heartbeats and the close handshake.
//!
//! Connecting and reconnecting do not belong here; see `reconnect`.

mod calls;
mod driver;
mod end;
mod handshake;
mod registration;
mod wire;

pub(in crate::client::link) use end::CLOSE_TIMEOUT;
pub(super) use end::SessionEnd;
pub(super) use handshake::run;
