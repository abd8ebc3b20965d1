//! Reads commands from the text messages of a frontend.

use super::wire::Frame;
use crate::protocol::{Command, Request, centrifuge::bad_frame::BadFrame};
use shared_proto::json;

/// Iterates over the commands of one WebSocket text message. After an error, the rest of the message has no meaning.
#[derive(Clone, Debug)]
pub(crate) struct Commands<'a> {
    lines: std::str::Split<'a, char>,
}

/// Reads the commands of one text message, each when the iterator is asked for it. Empty lines are skipped.
///
/// Nested JSON is read without recursion, whatever its depth. The transport limits the size of the text.
pub(crate) fn decode(text: &str) -> Commands<'_> {
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
    json::read::<Frame<'_>>(line)?.into_command()
}

fn is_empty_object(line: &str) -> bool {
    line.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| inside.trim().is_empty())
}
