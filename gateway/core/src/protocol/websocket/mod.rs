//! RFC 6455 framing of the server's side, without I/O.
//!
//! | part | what |
//! |---|---|
//! | [`Decoder`] | bytes as they come from the socket to [`Event`]s; refuses at the header, before anything is buffered |
//! | [`encode`] | frame headers and frames, appended to a buffer |
//! | [`Violation`] | what a peer did wrong, with the close code that answers it |
//!
//! No extension is negotiated, so the reserved bits of a frame are always zero.

mod decoder;
pub mod encode;
mod header;
mod mask;
#[cfg(test)]
mod tests;
mod violation;

pub use decoder::{Decoder, Event};
pub use violation::Violation;

/// What a frame is (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of the message that is under way.
    Continuation = 0x0,
    /// The first or only fragment of a text message.
    Text = 0x1,
    /// The first or only fragment of a binary message.
    Binary = 0x2,
    /// The last frame of its side.
    Close = 0x8,
    /// To be answered by a pong with the same payload.
    Ping = 0x9,
    /// The answer to a ping, or an unasked sign of life.
    Pong = 0xA,
}

impl Opcode {
    /// Bytes that a control frame's payload may have (RFC 6455, section 5.5).
    pub const MAX_CONTROL_PAYLOAD: usize = 125;

    /// The opcode with this number; none for the reserved ones.
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    /// Close, ping and pong: never fragmented, allowed between the fragments of a message.
    pub fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}

/// Whether a peer may send this close code (RFC 6455, section 7.4, and the codes registered since). 1004 has no meaning;
/// 1005, 1006 and 1015 are only for the local side's use; from 3000 on applications and frameworks are free.
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
