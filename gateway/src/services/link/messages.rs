//! What goes over a link in each direction, for any transport, and who is at its other end.

use super::ending::CloseFrame;
use bytes::Bytes;
use gateway_core::model::ServiceName;
use std::sync::Arc;
use tokio::sync::watch;

/// A message from the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// One frame of the link's protocol, as UTF-8.
    Text(Bytes),
    /// To be answered with the same bytes.
    Ping(Bytes),
    /// Alive.
    Pong,
    /// The peer closes.
    Close,
    /// Larger than allowed, or not what the transport's rules allow.
    Invalid(Invalid),
}

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// Larger than [`LinkLimits::message_size`].
    TooLarge,
    /// Binary.
    Binary,
    /// Against the transport's rules.
    Protocol,
}

/// A message to the instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// One frame of the link's protocol.
    Text(String),
    /// To be answered.
    Ping,
    /// The answer to a ping.
    Pong(Bytes),
    /// Last of all.
    Close(CloseFrame),
}

/// Whom a link serves.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The service, as the link's path named it.
    pub service: ServiceName,
    /// Name of the API key, the scope of idempotency keys.
    pub scope: Box<str>,
    /// Name of this node.
    pub node: Arc<str>,
    /// Where services reach the nodes, as `ws://host:port`; changes with them.
    pub nodes: watch::Receiver<Arc<[String]>>,
}
