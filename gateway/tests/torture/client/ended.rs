//! The end of a connection.

/// Why a connection ended or failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    /// The server closed it with a close code.
    #[error("the server closed with {0}: {1}")]
    Closed(u16, String),
    /// The network failed, or no server answered.
    #[error("the connection broke")]
    Broken,
    /// The server violated the protocol.
    #[error("the server sent an invalid frame: {0}")]
    Malformed(String),
}

impl Ended {
    /// Whether the official SDKs would not reconnect.
    pub(crate) fn is_for_good(&self) -> bool {
        matches!(self, Self::Closed(3500..=3999 | 4500..=4999, _) | Self::Malformed(_))
    }
}
