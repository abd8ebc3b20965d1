//! What a frontend can do wrong.

use shared_proto::json::Unreadable;

/// What makes a frame no frame of the protocol: the connection is closed with 3501, and this as the reason, as far as that has room.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Not JSON.
    #[error("a frame is not valid JSON at its byte {0}")]
    Syntax(usize),
    /// JSON, but a member has another type than the protocol says, or stands there twice. Says which.
    #[error("{0}")]
    Shape(Box<str>),
    /// No request that this gateway knows.
    #[error("a frame holds no known command")]
    NoCommand,
    /// More than one request.
    #[error("a frame holds several commands")]
    SeveralCommands,
    /// A request that has a reply has to have an id above 0.
    #[error("a command has no id")]
    NoId,
}

impl From<Unreadable> for BadFrame {
    fn from(error: Unreadable) -> Self {
        if error.is_json() { Self::Shape(error.message().into()) } else { Self::Syntax(error.column()) }
    }
}
