//! Frames that are not valid.

use serde_json::error::Category;

/// Why a frame is not valid. The connection is closed with 3501, and with this text as the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It is not JSON.
    #[error("a frame is not valid JSON at byte {0}")]
    Syntax(usize),
    /// It is JSON, but a field has a wrong type or is repeated.
    #[error("a frame has a wrong or repeated field before byte {0}")]
    Shape(usize),
    /// It contains no command, or none that this gateway supports.
    #[error("a frame contains no known command")]
    NoCommand,
    /// It contains more than one command.
    #[error("a frame contains several commands")]
    SeveralCommands,
    /// It contains a command that needs a reply, but its id is missing or 0.
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
