//! What one peer may ask for in a time.

use super::{GIB, KIB, MIB, size};
use crate::settings::{reader::section, types::choices::OnExcess, types::value::ByteSize};

section! {
    /// `[limits.connection]`: what one connection may send.
    OfConnection {
        /// Commands per second. 0: no limit.
        commands_per_second: u32 = 0..=1_000_000,
        /// Commands at once, besides those of a client that comes back with all its subscriptions.
        commands_burst: u32 = 1..=10_000_000,
        /// Bytes of messages per second. 0: no limit.
        bytes_per_second: ByteSize = size(0)..=size(GIB),
        /// Bytes of messages at once, besides those of a client that comes back with all its subscriptions.
        bytes_burst: ByteSize = size(KIB)..=size(GIB),
        /// Largest message before the connection is connected.
        connect_size: ByteSize = size(KIB)..=size(16 * MIB),
    }

    /// `[limits.user]`: what all connections of a user on this node may send together.
    OfUser {
        /// Commands per second. 0: no limit.
        commands_per_second: u32 = 0..=1_000_000,
        /// Commands at once, besides those of a client that comes back with all its subscriptions.
        commands_burst: u32 = 1..=10_000_000,
        /// Bytes of messages per second. 0: no limit.
        bytes_per_second: ByteSize = size(0)..=size(GIB),
        /// Bytes of messages at once, besides those of a client that comes back with all its subscriptions.
        bytes_burst: ByteSize = size(KIB)..=size(GIB),
        /// Open connections on all nodes together. 0: no limit.
        connections: usize = 0..=1_000_000,
        /// What happens to a further one.
        on_excess: OnExcess,
        /// Number of users that are counted at a time.
        table: usize = 1024..=10_000_000,
    }

    /// `[limits.address]`: what the clients of one address may do.
    OfAddress {
        /// Connections that are not upgraded yet.
        http_connections: usize = 1..=1_000_000,
        /// Open connections.
        connections: usize = 1..=10_000_000,
        /// Upgrades and requests for streams per second. 0: no limit.
        upgrades_per_second: u32 = 0..=1_000_000,
        /// Upgrades and requests for streams at once.
        upgrades_burst: u32 = 1..=10_000_000,
        /// Tokens that are not valid per minute. 0: no limit.
        wrong_tokens_per_minute: u32 = 0..=1_000_000,
        /// Tokens that are not valid at once.
        wrong_tokens_burst: u32 = 1..=10_000_000,
        /// Number of addresses whose rates are counted at a time.
        table: usize = 1024..=10_000_000,
    }

    /// `[limits.accepts]`: new connections of the listener for frontends.
    Accepts {
        /// Connections per second. 0: no limit.
        per_second: u32 = 0..=1_000_000,
        /// Connections at once.
        burst: u32 = 1..=10_000_000,
    }

    /// `[limits.worker]`: what a worker has for all its connections together.
    OfWorker {
        /// Memory for incomplete messages and for commands in operation.
        work_bytes: ByteSize = size(MIB)..=size(1024 * GIB),
    }

    /// `[limits.key]`: requests with API keys of one name.
    OfKey {
        /// Requests per second. 0: no limit.
        requests_per_second: u32 = 0..=1_000_000,
        /// Requests at once.
        requests_burst: u32 = 1..=10_000_000,
    }

    /// `[limits]`: what one peer may ask for in a time.
    Limits {
    } + tables {
        /// What one connection may send.
        connection: OfConnection,
        /// What all connections of a user on this node may send together.
        user: OfUser,
        /// What the clients of one address may do.
        address: OfAddress,
        /// New connections of the listener for frontends.
        accepts: Accepts,
        /// What a worker has for all its connections together.
        worker: OfWorker,
        /// Requests with API keys of one name.
        key: OfKey,
    }
}

/// What a peer may send in a time.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Commands per second. 0: no limit.
    pub commands_per_second: u32,
    /// Commands at once.
    pub commands_burst: u32,
    /// Bytes per second. 0: no limit.
    pub bytes_per_second: usize,
    /// Bytes at once.
    pub bytes_burst: usize,
}

macro_rules! traffic {
    ($($table:ident),*) => {$(
        impl $table {
            /// What a peer may send in a time.
            pub fn traffic(&self) -> Traffic {
                Traffic {
                    commands_per_second: self.commands_per_second,
                    commands_burst: self.commands_burst,
                    bytes_per_second: self.bytes_per_second.bytes(),
                    bytes_burst: self.bytes_burst.bytes(),
                }
            }
        }
    )*};
}

traffic!(OfConnection, OfUser);
