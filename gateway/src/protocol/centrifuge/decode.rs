//! A frontend's text messages to commands.

use super::wire::Frame;
use crate::protocol::{Command, Request};
use serde_json::error::Category;
use shared_proto::json::Object;

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

/// The commands of one WebSocket text message, in order. Nothing is to be read after an error.
#[derive(Clone, Debug)]
pub struct Commands<'a> {
    lines: std::str::Split<'a, char>,
}

/// Reads the commands of one text message lazily. Lines without anything but white space are skipped.
///
/// JSON of any depth is read without recursion; the size of the text is the transport's to bound.
pub fn decode(text: &str) -> Commands<'_> {
    Commands { lines: text.split('\n') }
}

impl Iterator for Commands<'_> {
    type Item = Result<Command, BadFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        self.lines.find(|line| !line.trim().is_empty()).map(command)
    }
}

fn command(line: &str) -> Result<Command, BadFrame> {
    if is_empty_object(line) {
        return Ok(Command { id: 0, request: Request::Pong });
    }
    let Object(frame) = serde_json::from_str::<Object<Frame<'_>>>(line)?;
    frame.into_command()
}

fn is_empty_object(line: &str) -> bool {
    line.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| inside.trim().is_empty())
}
