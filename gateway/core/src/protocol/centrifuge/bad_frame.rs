//! Frames that are not valid.

use shared_proto::json::JsonError;

/// Why a frame is not valid. The connection is closed with 3501, and with this text, cut to 123 bytes, as the reason.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// It is not JSON.
    #[error("a frame is not valid JSON at byte {0}")]
    Syntax(usize),
    /// It is JSON, but a member has a wrong type or is repeated. The text names the member.
    #[error("{0}")]
    Shape(Box<str>),
    /// It is not Protobuf of this protocol. The text says why.
    #[error("a message is not valid Protobuf: {0}")]
    Protobuf(Box<str>),
    /// The length of a Protobuf message exceeds the frame, or is no varint.
    #[error("the length of a message does not fit into its frame")]
    Length,
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

impl From<JsonError> for BadFrame {
    fn from(error: JsonError) -> Self {
        if error.is_json() { Self::Shape(error.message().into()) } else { Self::Syntax(error.column()) }
    }
}
