//! The size of a channel's presence list.

/// How many connections and users are in a channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Different users.
    pub users: usize,
}
