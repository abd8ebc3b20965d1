//! Violations of the protocol.

/// A violation of RFC 6455 or of a limit. The connection has to be closed with [`code`](Self::code), and with the text of this error as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set, although no extension gives it a meaning (section 5.2).
    #[error("a reserved bit is set, and no extension was negotiated")]
    ReservedBits,
    /// The opcode is 3 to 7 or 11 to 15 (section 5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// Clients have to mask every frame (section 5.1).
    #[error("the frame is not masked")]
    Unmasked,
    /// Control frames must not be fragmented (section 5.4).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// The payload of a control frame has at most 125 bytes (section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    /// A continuation frame has to follow a fragment of a message (section 5.4).
    #[error("a continuation frame without a message to continue")]
    NothingToContinue,
    /// A message has to end before the next one begins (section 5.4).
    #[error("a new message begins before the last fragment of the message before it")]
    Interleaved,
    /// The most significant bit of a 64-bit length has to be 0 (section 5.2).
    #[error("the top bit of a 64-bit length is set")]
    LengthOverflow,
    /// A length has to be written in as few bytes as possible (section 5.2).
    #[error("a length is not in its shortest form")]
    LongLength,
    /// The payload of a close frame is empty, or begins with a code of two bytes (section 5.5.1).
    #[error("a close frame contains a single byte")]
    ShortClose,
    /// A peer may not send this close code (section 7.4).
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    /// A text message or a close reason is not UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    NotUtf8,
    /// The message is larger than the configured limit. The header of a frame already shows it.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that a message may have.
        limit: u32,
    },
}

impl Violation {
    /// The close code: 1002, 1007 or 1009.
    pub fn code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLarge { .. } => 1009,
            _ => 1002,
        }
    }
}
