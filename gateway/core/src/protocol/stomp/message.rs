//! MESSAGE frames of a publication for many connections.
//!
//! What differs between two subscriptions stands at the front of the frame. All that follows is the same for all connections of a version and a
//! framing: a [`MessageTemplate`] holds it, and each message copies it as one block.

use super::{
    Framing, Version,
    escape::{Part, escape},
    wire::{Tail, inside_quotes, quoted},
};
use crate::{
    model::{CONTENT_TYPE, ENCODING, Publication, QUEUE},
    protocol::websocket::{Opcode, encode},
};
use std::{borrow::Cow, fmt};

/// How the deliveries of one channel are written for one connection. Connections with equal forms get equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageForm {
    /// The version of the connection.
    pub version: Version,
    /// The framing of the connection.
    pub framing: Framing,
    /// Its subscriptions to the channel. Each gets a message of its own.
    pub subscriptions: Box<[MessageSubscription]>,
}

/// A STOMP subscription to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageSubscription {
    /// The id that the client gave it.
    pub id: Box<str>,
    /// The destination, as the client named it.
    pub destination: Box<str>,
    /// Whether it has a client ack mode: then the `ack` header is the message id.
    pub acks: bool,
    /// It takes only the publications with this value in the tag `queue`. `None`: it takes all.
    pub queue: Option<Box<str>>,
    /// It has everything up to this offset. `None`: it takes whatever the connection gets.
    pub after: Option<u64>,
}

/// What all forms of one version and framing share of a publication, encoded once.
pub struct MessageTemplate {
    version: Version,
    framing: Framing,
    opcode: Opcode,
    /// The end of the WebSocket message, from the line of the message id on.
    shared: Vec<u8>,
    /// Length of the message id, in bytes.
    id_length: usize,
}

/// What stands between the values at the front of a message.
struct Front {
    subscription: &'static [u8],
    destination: &'static [u8],
    ack: &'static [u8],
    /// Before the message id; the first bytes of [`MessageTemplate::shared`].
    message_id: &'static [u8],
}

impl Front {
    const fn of(framing: Framing) -> Self {
        match framing {
            Framing::WebSocket => Self {
                subscription: b"MESSAGE\nsubscription:",
                destination: b"\ndestination:",
                ack: b"\nack:",
                message_id: b"\nmessage-id:",
            },
            Framing::SockJs => Self {
                subscription: br#"a["MESSAGE\nsubscription:"#,
                destination: br"\ndestination:",
                ack: br"\nack:",
                message_id: br"\nmessage-id:",
            },
        }
    }
}

/// Whether a tag with this name is no header of a MESSAGE: the gateway writes a header with this name itself, or the tag is not for subscribers.
/// Blanks around it do not count, because some clients remove them.
pub fn is_reserved(tag: &str) -> bool {
    let tag = tag.trim();
    matches!(
        tag,
        "" | "subscription" | "destination" | "ack" | "message-id" | "x-position" | "x-gap" | "content-length" | "receipt" | "transaction"
    ) || [CONTENT_TYPE, ENCODING, QUEUE].contains(&tag)
}

impl MessageTemplate {
    /// Encodes a publication. Its message id is its position, or else `n-` and `number`, which has to be unique on the node.
    ///
    /// The headers are the tags that are not [reserved](is_reserved).
    pub fn new(version: Version, framing: Framing, publication: &Publication, number: u64) -> Self {
        let id = publication.position.map_or_else(|| format!("n-{number}"), |at| format!("{}-{}", at.epoch, at.offset));
        let mut frame = Vec::with_capacity(256 + publication.content.as_bytes().len());
        frame.extend_from_slice(b"\nmessage-id:");
        frame.extend_from_slice(id.as_bytes());
        frame.push(b'\n');
        let position = publication.position.is_some().then_some(("x-position", &*id));
        let tags = publication.tags.iter().map(|(name, value)| (&**name, &**value)).filter(|(name, _)| !is_reserved(name));
        let headers = position.into_iter().chain(tags);
        let content_type = publication.tags.get(CONTENT_TYPE).map(|kind| &**kind);
        let opcode = Tail { headers, content_type, content: Some(&publication.content) }.append(version, framing, &mut frame);
        let shared = match framing {
            Framing::WebSocket => frame,
            Framing::SockJs => {
                let mut text = quoted(&String::from_utf8_lossy(&frame));
                text.remove(0);
                text.push(']');
                text.into_bytes()
            }
        };
        Self { version, framing, opcode, shared, id_length: id.len() }
    }

    /// Whether the messages of a form can be written with the template.
    pub fn fits(&self, form: &MessageForm) -> bool {
        (self.version, self.framing) == (form.version, form.framing)
    }

    /// The message id, which needs no escapes.
    fn id(&self) -> &[u8] {
        let start = Front::of(self.framing).message_id.len();
        self.shared.get(start..start + self.id_length).unwrap_or_default()
    }
}

impl fmt::Debug for MessageTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageTemplate({} {:?}: {})", self.version, self.framing, self.shared.escape_ascii())
    }
}

impl MessageForm {
    /// Appends a complete WebSocket message for each subscription that wants the publication. Returns their number.
    ///
    /// `template` has to [fit](MessageTemplate::fits), and to be of this publication.
    pub fn append(&self, template: &MessageTemplate, publication: &Publication, out: &mut Vec<u8>) -> usize {
        debug_assert!(template.fits(self));
        let queue = publication.tags.get(QUEUE).map(|queue| &**queue);
        let offset = publication.position.map(|at| at.offset);
        let wants = |it: &&MessageSubscription| {
            let is_new = it.after.is_none_or(|after| offset.is_none_or(|offset| offset > after));
            is_new && (it.queue.is_none() || it.queue.as_deref() == queue)
        };
        let mut messages = 0;
        for subscription in self.subscriptions.iter().filter(wants) {
            subscription.append(template, out);
            messages += 1;
        }
        messages
    }
}

impl MessageSubscription {
    fn append(&self, template: &MessageTemplate, out: &mut Vec<u8>) {
        let front = Front::of(template.framing);
        let (id, destination) = (value(template, &self.id), value(template, &self.destination));
        let (ack, ack_id) = if self.acks { (front.ack, template.id()) } else { Default::default() };
        let parts = [front.subscription, id.as_bytes(), front.destination, destination.as_bytes(), ack, ack_id, &template.shared];
        let length = parts.iter().map(|part| part.len()).sum();
        out.reserve(encode::MAX_HEADER + length);
        encode::header(template.opcode, length, out);
        for part in parts {
            out.extend_from_slice(part);
        }
    }
}

/// A header value as it stands in the message.
fn value<'a>(template: &MessageTemplate, text: &'a str) -> Cow<'a, str> {
    let escaped = escape(template.version, Part::Value, text);
    match template.framing {
        Framing::WebSocket => escaped,
        Framing::SockJs => inside_quotes(escaped),
    }
}
