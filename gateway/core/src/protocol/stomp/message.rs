//! MESSAGE frames for many connections.

use super::{Framing, Version, escape};
use crate::model::Publication;

/// How the deliveries of one channel are written for one connection. Connections with equal forms share bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageForm {
    /// The version of the connection.
    pub version: Version,
    /// The framing of the connection.
    pub framing: Framing,
    /// Its subscriptions to the channel.
    pub subscriptions: Box<[MessageSubscription]>,
}

/// A subscription of a STOMP connection to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageSubscription {
    /// The id that the client gave it.
    pub id: Box<str>,
    /// The destination as the client named it.
    pub destination: Box<str>,
    /// Whether it has a client ack mode: then the `ack` header is the message id.
    pub acks: bool,
    /// It takes only the publications with this value in the tag `queue`. `None`: it takes all.
    pub queue: Option<Box<str>>,
}

/// What all forms of one version and framing share of a publication, encoded once.
#[derive(Debug)]
pub struct MessageTemplate {
    version: Version,
    framing: Framing,
}

/// Whether a tag with this name is no header of a MESSAGE, because the gateway writes the header itself or hides it.
pub fn is_reserved(_name: &str) -> bool {
    false
}

impl MessageTemplate {
    /// Encodes a publication. `number` is for the message id of a publication without a position: unique on the node.
    pub fn new(version: Version, framing: Framing, publication: &Publication, number: u64) -> Self {
        let _ = (publication, number);
        Self { version, framing }
    }
}

impl MessageForm {
    /// Appends a complete WebSocket message for each subscription that wants the publication. Returns their number.
    pub fn append(&self, template: &MessageTemplate, publication: &Publication, out: &mut Vec<u8>) -> usize {
        let _ = (publication, out, template.version, template.framing);
        self.subscriptions.iter().map(|it| escape::value(self.version, &it.id).len()).count()
    }
}
