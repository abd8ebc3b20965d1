//! Frames of the server that go to one connection (STOMP 1.2, "Server Frames").

use super::{
    Framing, HeartBeat, Version,
    wire::{Tail, append_message, header},
};
use crate::{
    model::{CONTENT_TYPE, Content},
    protocol::websocket::{Opcode, encode},
};

/// A frame to one connection.
#[derive(Clone, Copy, Debug)]
pub enum ServerFrame<'a> {
    /// CONNECTED. It has no escapes, whatever the version.
    Connected {
        /// The name and version of the gateway, as in `name/1.0`.
        server: &'a str,
        /// The id of the connection.
        session: &'a str,
        /// What the gateway answers to the client's `heart-beat`. Written in any case.
        heart_beat: HeartBeat,
        /// The user, unless anonymous.
        user_name: Option<&'a str>,
    },
    /// RECEIPT.
    Receipt {
        /// The `receipt` header of the frame that was processed.
        receipt_id: &'a str,
        /// Where a subscription begins, for the RECEIPT of its SUBSCRIBE: the header `x-position`.
        position: Option<&'a str>,
    },
    /// ERROR. Before CONNECTED it has to be written as 1.0: clients read no escapes then.
    Error {
        /// One sentence, for the `message` header.
        message: &'a str,
        /// The `receipt` header of the frame that was refused, if it had one.
        receipt_id: Option<&'a str>,
        /// More headers, in their order.
        headers: &'a [(&'a str, &'a str)],
        /// Details for people, as text.
        body: &'a str,
    },
    /// MESSAGE, for what is no live delivery of a channel.
    Message {
        /// The id of the subscription.
        subscription: &'a str,
        /// The destination, as the client named it.
        destination: &'a str,
        /// Whether the subscription has a client ack mode: then the `ack` header is the message id.
        acks: bool,
        /// The message id.
        message_id: &'a str,
        /// More headers, in their order. A `content-type` stands instead of the type of the content.
        headers: &'a [(&'a str, &'a str)],
        /// The body. `None`: it is empty and has no type.
        content: Option<&'a Content>,
    },
}

/// Appends a frame as a complete WebSocket message.
pub fn append_server_frame(framing: Framing, version: Version, frame: &ServerFrame<'_>, out: &mut Vec<u8>) {
    let mut bytes = Vec::new();
    let opcode = frame.append(framing, version, &mut bytes);
    append_message(framing, opcode, &bytes, out);
}

/// Appends a heart-beat as a complete WebSocket message: a line feed alone.
pub fn append_heart_beat(framing: Framing, out: &mut Vec<u8>) {
    let message = match framing {
        Framing::WebSocket => "\n",
        Framing::SockJs => r#"a["\n"]"#,
    };
    encode::text(message, out);
}

impl ServerFrame<'_> {
    fn append(&self, framing: Framing, version: Version, out: &mut Vec<u8>) -> Opcode {
        match *self {
            Self::Connected { server, session, heart_beat, user_name } => {
                let heart_beat = heart_beat.to_string();
                let headers = [("version", version.as_str()), ("heart-beat", &heart_beat), ("server", server), ("session", session)];
                let headers = headers.into_iter().chain(user_name.map(|name| ("user-name", name)));
                append_without_body("CONNECTED", Version::V1_0, headers, out)
            }
            Self::Receipt { receipt_id, position } => {
                let headers = [("receipt-id", receipt_id)].into_iter().chain(position.map(|position| ("x-position", position)));
                append_without_body("RECEIPT", version, headers, out)
            }
            Self::Error { message, receipt_id, headers, body } => {
                out.extend_from_slice(b"ERROR\n");
                header(version, "message", message, out);
                let headers = receipt_id.map(|id| ("receipt-id", id)).into_iter().chain(headers.iter().copied());
                let content = Content::Text(body.into());
                Tail { headers, content_type: None, content: Some(&content) }.append(version, framing, out)
            }
            Self::Message { subscription, destination, acks, message_id, headers, content } => {
                out.extend_from_slice(b"MESSAGE\n");
                header(version, "subscription", subscription, out);
                header(version, "destination", destination, out);
                if acks {
                    header(version, "ack", message_id, out);
                }
                header(version, "message-id", message_id, out);
                let content_type = headers.iter().find(|(name, _)| *name == CONTENT_TYPE).map(|(_, value)| *value);
                Tail { headers: headers.iter().copied(), content_type, content }.append(version, framing, out)
            }
        }
    }
}

fn append_without_body<'a>(
    command: &str,
    version: Version,
    headers: impl Iterator<Item = (&'a str, &'a str)>,
    out: &mut Vec<u8>,
) -> Opcode {
    out.extend_from_slice(command.as_bytes());
    out.push(b'\n');
    headers.for_each(|(name, value)| header(version, name, value, out));
    out.extend_from_slice(b"\n\0");
    Opcode::Text
}
