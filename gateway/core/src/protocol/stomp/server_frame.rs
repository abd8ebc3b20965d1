//! Frames of the server that go to one connection.

use super::{HeartBeat, Version};
use crate::model::Content;

/// How a STOMP frame becomes a WebSocket message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Framing {
    /// A frame is a message: text or binary.
    WebSocket,
    /// A frame is a JSON string in a SockJS message, which is always text.
    SockJs,
}

/// A frame to one connection (STOMP 1.2, "Server Frames").
#[derive(Clone, Copy, Debug)]
pub enum ServerFrame<'a> {
    /// CONNECTED. Its headers are never escaped.
    Connected {
        /// The name and version of the gateway, as in `name/1.0`.
        server: &'a str,
        /// The id of the connection.
        session: &'a str,
        /// What the gateway answers to the client's `heart-beat`; written in any case.
        heart_beat: HeartBeat,
        /// The user, unless anonymous.
        user_name: Option<&'a str>,
    },
    /// RECEIPT.
    Receipt {
        /// The `receipt` header of the frame that was processed.
        receipt_id: &'a str,
    },
    /// ERROR.
    Error {
        /// One sentence, for the `message` header.
        message: &'a str,
        /// The `receipt` header of the frame that was refused, if it had one.
        receipt_id: Option<&'a str>,
        /// More headers, in their order.
        headers: &'a [(&'a str, &'a str)],
        /// Details, as text.
        body: &'a str,
    },
    /// MESSAGE, for what is no publication of a live channel.
    Message {
        /// The id of the subscription.
        subscription: &'a str,
        /// The destination, as the client named it.
        destination: &'a str,
        /// Whether the subscription has a client ack mode: then the `ack` header is the message id.
        acks: bool,
        /// The message id.
        message_id: &'a str,
        /// More headers, in their order. `content-type` replaces that of the content.
        headers: &'a [(&'a str, &'a str)],
        /// The body. `None`: it is empty, and has no type.
        content: Option<&'a Content>,
    },
}

/// Appends a frame as a complete WebSocket message.
pub fn append_server_frame(framing: Framing, version: Version, frame: &ServerFrame<'_>, out: &mut Vec<u8>) {
    let _ = (framing, version, frame, out);
}

/// Appends a heart-beat as a complete WebSocket message.
pub fn append_heart_beat(framing: Framing, out: &mut Vec<u8>) {
    let text = match framing {
        Framing::WebSocket => "\n",
        Framing::SockJs => "a[\"\\n\"]",
    };
    crate::protocol::websocket::encode::text(text, out);
}
