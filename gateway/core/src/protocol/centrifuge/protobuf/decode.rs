//! Reads commands from the binary messages of a frontend.

use super::messages::Frame;
use crate::protocol::{Command, Request, centrifuge::bad_frame::BadFrame};
use prost::{Message as _, encoding::decode_varint};

/// Iterates over the commands of one WebSocket binary message. After an error, the rest of the message has no meaning.
#[derive(Clone, Debug)]
pub(crate) struct Commands<'a> {
    rest: &'a [u8],
}

/// Reads the commands of one binary message, each when the iterator is asked for it.
///
/// prost limits the depth of nested messages. The transport limits the size of the message.
pub(crate) fn decode(message: &[u8]) -> Commands<'_> {
    Commands { rest: message }
}

impl Iterator for Commands<'_> {
    type Item = Result<Command, BadFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let command = split_message(&mut self.rest).and_then(command);
        if command.is_err() {
            self.rest = &[];
        }
        Some(command)
    }
}

/// Removes the next message and its length from the rest of a payload.
pub(crate) fn split_message<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], BadFrame> {
    let length = decode_varint(rest).map_err(|_| BadFrame::Length)?;
    let length = usize::try_from(length).map_err(|_| BadFrame::Length)?;
    let (message, after) = rest.split_at_checked(length).ok_or(BadFrame::Length)?;
    *rest = after;
    Ok(message)
}

fn command(message: &[u8]) -> Result<Command, BadFrame> {
    if message.is_empty() {
        return Ok(Command { id: 0, request: Request::Pong });
    }
    Frame::decode(message).map_err(|error| BadFrame::Protobuf(error.to_string().into()))?.into_command()
}
