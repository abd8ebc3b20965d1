//! Kinds of frames.

/// The kind of a frame (RFC 6455, section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of a message.
    Continuation = 0x0,
    /// The first or only fragment of a text message.
    Text = 0x1,
    /// The first or only fragment of a binary message.
    Binary = 0x2,
    /// The last frame that its sender sends.
    Close = 0x8,
    /// The receiver has to reply with a pong with the same payload.
    Ping = 0x9,
    /// The reply to a ping, or a sign of life that nobody asked for.
    Pong = 0xA,
}

impl Opcode {
    /// Bytes that the payload of a control frame may have (RFC 6455, section 5.5).
    pub const MAX_CONTROL_PAYLOAD: usize = 125;

    /// The opcode with this number. `None` for reserved numbers.
    pub(super) fn from_bits(bits: u8) -> Option<Self> {
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

    /// Whether it is close, ping or pong. These are never fragmented, and may come between the fragments of a message.
    pub fn is_control(self) -> bool {
        self as u8 >= Self::Close as u8
    }
}
