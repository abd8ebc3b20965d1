//! Messages of a link in each direction, independent of the transport, and its peer.

use super::ending::CloseFrame;
use crate::{auth::HeldKey, telemetry::Audit};
use bytes::Bytes;
use gateway_core::model::ServiceName;
use std::sync::Arc;
use tokio::sync::watch;

/// A message from the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// One frame of the link protocol, in UTF-8.
    Text(Bytes),
    /// A ping; the answer has the same bytes.
    Ping(Bytes),
    /// The answer to a ping.
    Pong,
    /// The peer closes the link.
    Close,
    /// A message that is too large or violates the rules of the transport.
    Invalid(Invalid),
}

/// Why a message was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Larger than [`LinkLimits::message_size`](crate::services::LinkLimits::message_size).
    TooLarge,
    /// A binary message.
    Binary,
    /// A violation of the transport's rules.
    Protocol,
}

/// A message to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// One frame of the link protocol.
    Text(String),
    /// A ping.
    Ping,
    /// The answer to a ping.
    Pong(Bytes),
    /// Closes the link; the last message.
    Close(CloseFrame),
}

/// The peer of a link.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The service in the link's path.
    pub service: ServiceName,
    /// Its API key. The name is the scope of idempotency keys.
    pub key: HeldKey,
    /// Gets what the key does not allow.
    pub audit: Arc<Audit>,
    /// Name of this node.
    pub node: Arc<str>,
    /// Current addresses of the nodes for services, such as `ws://host:port`.
    pub nodes: watch::Receiver<Arc<[String]>>,
}
