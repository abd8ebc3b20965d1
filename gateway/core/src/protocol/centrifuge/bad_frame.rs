//! What a frontend can do wrong.

use serde_json::error::Category;

/// What makes a frame no frame of the protocol: the connection is closed with 3501, and this as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// Not JSON.
    #[error("a frame is not valid JSON at its byte {0}")]
    Syntax(usize),
    /// JSON, but a field has another type than the protocol says, or stands there twice.
    #[error("a frame has a wrong or repeated field before its byte {0}")]
    Shape(usize),
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

impl From<serde_json::Error> for BadFrame {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            Category::Data => Self::Shape(error.column()),
            Category::Syntax | Category::Eof | Category::Io => Self::Syntax(error.column()),
        }
    }
}
