//! The frames of RFC 6455 as a server reads and writes them. No I/O, no HTTP handshake, no extensions: the reserved bits of a frame have to be zero.
//!
//! | part | what |
//! |---|---|
//! | [`Decoder`] | reads [`Event`]s from the bytes of a client; refuses a bad frame at its header, before it buffers anything |
//! | [`encode`] | writes frames and frame headers into a buffer |
//! | [`Violation`] | what a client did wrong, and the close code for it |

mod close_code;
mod decoder;
pub mod encode;
mod header;
mod mask;
mod opcode;
#[cfg(test)]
mod tests;
mod violation;

pub use close_code::is_close_code;
pub use decoder::{Decoder, Event};
pub use opcode::Opcode;
pub use violation::Violation;
