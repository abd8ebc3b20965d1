//! A client of the frontend protocol.
//!
//! - [`connection`]: one connection; [`ended`]: why it ended
//! - [`form`]: what it negotiates; [`stream`]: its transport without a WebSocket

mod connection;
mod ended;
mod form;
mod stream;

pub(crate) use connection::{Client, Transport};
pub(crate) use ended::Ended;
pub(crate) use form::Form;
pub(crate) use stream::Framing;
