//! Clients that cost the generator little.
//!
//! - [`endpoint`]: where they connect, with TLS or without; [`ticket_store`]: the tickets with which they resume TLS
//! - [`socket`]: the connection; [`receiver`]: what they received
//! - [`web_socket`]: a WebSocket; [`stream`]: a response without an end
//! - [`form`], [`transport`]: subscribers over either

pub(crate) mod endpoint;
pub(crate) mod form;
mod receiver;
pub(crate) mod socket;
pub(crate) mod stream;
pub(crate) mod ticket_store;
pub(crate) mod transport;
mod web_socket;

pub(crate) use receiver::READ_SIZE;
pub(crate) use web_socket::{CLOSE, Client, TEXT, UPGRADE, has_ping, text_frame};
