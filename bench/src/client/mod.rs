//! Clients that cost the generator little.
//!
//! - [`receiver`]: what all of them share
//! - [`web_socket`]: a WebSocket; [`stream`]: a response without an end
//! - [`form`], [`transport`]: subscribers over either

pub(crate) mod form;
mod receiver;
pub(crate) mod stream;
pub(crate) mod transport;
mod web_socket;

pub(crate) use receiver::{CONNECTIONS_PER_ADDRESS, READ_SIZE, source};
pub(crate) use web_socket::{CLOSE, Client, TEXT, UPGRADE, has_ping, text_frame};
