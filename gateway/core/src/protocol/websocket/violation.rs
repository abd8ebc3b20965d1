//! What a peer can do wrong.

/// A breach of RFC 6455 or of a limit. The connection has to be closed with [`code`](Self::code); the text is the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit without an extension that gives it a meaning (section 5.2).
    #[error("a reserved bit is set, and no extension was negotiated")]
    ReservedBits,
    /// Opcodes 3 to 7 and 11 to 15 (section 5.2).
    #[error("opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// Clients mask every frame (section 5.1).
    #[error("the frame is not masked")]
    Unmasked,
    /// Control frames come in one piece (section 5.4).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// Control frames hold 125 bytes at most (section 5.5).
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    /// A continuation frame outside any message (section 5.4).
    #[error("a continuation frame continues nothing")]
    NothingToContinue,
    /// A data frame before the message under way was finished (section 5.4).
    #[error("a new message begins before the last fragment of the one under way")]
    Interleaved,
    /// The most significant bit of a 64-bit length (section 5.2).
    #[error("the top bit of a 64-bit length is set")]
    LengthOverflow,
    /// A length in more bytes than it needs (section 5.2).
    #[error("a length is not in its shortest form")]
    LongLength,
    /// Half a close code (section 5.5.1).
    #[error("a close frame holds a single byte")]
    ShortClose,
    /// A code that may not be sent (section 7.4).
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    /// Text or a close reason that is not UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    NotUtf8,
    /// More than the configured limit; told from the header.
    #[error("the message is larger than {limit} bytes")]
    TooLarge {
        /// Bytes that a message may have.
        limit: u32,
    },
}

impl Violation {
    /// The close code that answers it: 1002, 1007 or 1009.
    pub fn code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLarge { .. } => 1009,
            _ => 1002,
        }
    }
}
