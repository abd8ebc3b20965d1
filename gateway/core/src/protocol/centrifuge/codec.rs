//! The encodings of the protocol, and what each connection uses of them.

use super::{
    bad_frame::BadFrame,
    encode::{self, DataForm, PushChannel},
    json, protobuf,
};
use crate::{
    model::{ClientInfo, Publication},
    protocol::{Command, Push, Reply, websocket::Opcode},
};

/// An encoding of the protocol, and the frames that carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Protobuf,
}

/// A message of a frontend, as its frame carries it.
#[derive(Clone, Copy, Debug)]
pub enum Payload<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

impl Payload<'_> {
    /// Its length in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether it has no bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The commands of one message, each read when the iterator is asked for it. After an error, the rest of the message has no meaning.
#[derive(Debug)]
pub struct Commands<'a>(Reader<'a>);

#[derive(Debug)]
enum Reader<'a> {
    Json(json::Commands<'a>),
    Protobuf(protobuf::Commands<'a>),
}

impl Iterator for Commands<'_> {
    type Item = Result<Command, BadFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Reader::Json(commands) => commands.next(),
            Reader::Protobuf(commands) => commands.next(),
        }
    }
}

/// Appends a message to `$payload`, with the writer of `$codec`.
macro_rules! append {
    ($codec:expr, $payload:expr, $write:expr) => {
        match $codec {
            Codec::Json => json::append_message($payload, $write),
            Codec::Protobuf => protobuf::append_message($payload, $write),
        }
    };
}

impl Codec {
    /// Reads the commands of a message. `None`: the message has the form of the other encoding.
    pub fn decode(self, message: Payload<'_>) -> Option<Commands<'_>> {
        match (self, message) {
            (Self::Json, Payload::Text(text)) => Some(Commands(Reader::Json(json::decode(text)))),
            (Self::Protobuf, Payload::Binary(bytes)) => Some(Commands(Reader::Protobuf(protobuf::decode(bytes)))),
            (Self::Json, Payload::Binary(_)) | (Self::Protobuf, Payload::Text(_)) => None,
        }
    }

    /// The frames that carry messages of this encoding.
    pub fn opcode(self) -> Opcode {
        match self {
            Self::Json => Opcode::Text,
            Self::Protobuf => Opcode::Binary,
        }
    }

    /// What stands between two messages in the payload of a frame.
    pub fn separator(self) -> &'static [u8] {
        match self {
            Self::Json => b"\n",
            Self::Protobuf => b"",
        }
    }

    /// Appends the reply to the command with this id to the payload of a frame.
    pub fn append_reply(self, id: u32, reply: &Reply, payload: &mut Vec<u8>) {
        append!(self, payload, |it| encode::write_reply(it, id, reply));
    }

    /// Appends a push to the payload of a frame.
    pub fn append_push(self, push: &Push, payload: &mut Vec<u8>) {
        append!(self, payload, |it| encode::write_push(it, push));
    }

    /// Appends a publication as a push to the payload of a frame.
    pub fn append_publication(self, channel: PushChannel<'_>, publication: &Publication, form: DataForm<'_>, payload: &mut Vec<u8>) {
        append!(self, payload, |it| encode::write_channel_publication(it, channel, publication, form));
    }

    /// Appends a join as a push to the payload of a frame.
    pub fn append_join(self, channel: PushChannel<'_>, who: &ClientInfo, payload: &mut Vec<u8>) {
        append!(self, payload, |it| encode::write_join(it, channel, who));
    }

    /// Appends a leave as a push to the payload of a frame.
    pub fn append_leave(self, channel: PushChannel<'_>, who: &ClientInfo, payload: &mut Vec<u8>) {
        append!(self, payload, |it| encode::write_leave(it, channel, who));
    }
}
