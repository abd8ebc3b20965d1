//! What a translator takes and returns.

use super::rejection::Rejection;
use crate::{
    model::{RecoverFrom, Secret},
    protocol::{
        Command,
        event_stream::{ChannelList, LastPositions},
    },
};
use std::time::Duration;

/// With what an event stream starts.
#[derive(Debug)]
pub struct EventSourceStart {
    /// The channels of the request.
    pub channels: ChannelList,
    /// The connection token; empty for an anonymous connection.
    pub token: Secret,
    /// Where the stream begins.
    pub begin: Begin,
    /// Whether the data of a single channel is in an envelope. That of several always is.
    pub has_envelope: bool,
    /// Whether the client comes back by itself. Where it may not, it gets 204.
    pub is_return: bool,
    /// After which time the client connects again.
    pub retry: Duration,
}

/// Where a stream begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begin {
    /// With the next publications.
    Now,
    /// After this position of the only channel. Of several channels, it is that of the first.
    Since(RecoverFrom),
    /// Where the last event left the client.
    After(LastPositions),
}

/// One thing to do. Steps are carried out in their order. What a step causes comes after all steps before it, so new ones go to the end.
#[derive(Debug)]
pub enum Step {
    /// A command for the session. The ids begin with 1 and are unique.
    Command(Command),
    /// Bytes to send.
    Send(Vec<u8>),
    /// Whether there is a stream. Comes once. Until then nothing of the channels may be written, not even what the hub has.
    Decided(Decision),
    /// A message for the connection was dropped: event streams have no place for it.
    Undelivered,
    /// End the stream. It is the last step. The code and the reason are for metrics and services.
    Close(u16, Box<str>),
}

/// Whether a request gets a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It does. The step before has sent how it begins.
    Accepted,
    /// It does not.
    Rejected(Rejection),
}
