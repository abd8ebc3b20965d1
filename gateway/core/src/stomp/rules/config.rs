//! The settings that all STOMP connections share.

use super::table::DestinationTable;
use crate::protocol::stomp::ParserLimits;
use std::time::Duration;

/// The settings of all STOMP connections of a node.
#[derive(Clone, Debug)]
pub struct StompConfig {
    /// What destinations stand for.
    pub destinations: DestinationTable,
    /// What happens to a SEND or SUBSCRIBE whose destination no row of the table has.
    pub unknown_destination: UnknownDestination,
    /// The name and version of the gateway in CONNECTED, as in `name/1.0`.
    pub server: Box<str>,
    /// Bounds of a client's frames.
    pub limits: ParserLimits,
    /// Largest number of subscriptions of a connection, by their ids.
    pub max_subscriptions: usize,
    /// Largest number of subscriptions of a connection that get the same messages: to one channel, or one queue of the user. Each gets a copy.
    pub subscriptions_per_channel: usize,
    /// Largest number of commands in flight, at least 1. At this number the connection is not read.
    pub max_in_flight: usize,
    /// Bounds of the transactions of a connection.
    pub transactions: TransactionLimits,
    /// A client that has been silent for twice its heart-beat interval of at least 5 s has to answer a ping within this time.
    pub pong_timeout: Duration,
}

impl Default for StompConfig {
    /// The defaults of the settings.
    fn default() -> Self {
        Self {
            destinations: DestinationTable::default(),
            unknown_destination: UnknownDestination::default(),
            server: concat!("switchboard/", env!("CARGO_PKG_VERSION")).into(),
            limits: ParserLimits { headers: 100, header_bytes: 16 << 10, body_bytes: 64 << 10 },
            max_subscriptions: 256,
            subscriptions_per_channel: 16,
            max_in_flight: 32,
            transactions: TransactionLimits::default(),
            pong_timeout: Duration::from_secs(8),
        }
    }
}

/// Bounds of the transactions of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionLimits {
    /// Largest number of open transactions.
    pub open: usize,
    /// Largest number of frames in one transaction.
    pub frames: usize,
    /// Largest memory of the frames of all open transactions together, in bytes.
    pub bytes: usize,
}

impl Default for TransactionLimits {
    /// As RabbitMQ: 16 transactions with 1024 frames each. And 1 MiB for all.
    fn default() -> Self {
        Self { open: 16, frames: 1024, bytes: 1 << 20 }
    }
}

/// What happens to a frame whose destination is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownDestination {
    /// It is refused with ERROR, and the connection is closed.
    #[default]
    Error,
    /// It has no effect, as with a Spring simple broker.
    Ignore,
}
