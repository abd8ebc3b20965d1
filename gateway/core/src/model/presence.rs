//! Who is in a channel, in figures.

/// Number of those present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PresenceStats {
    /// Connections.
    pub clients: usize,
    /// Different users.
    pub users: usize,
}
