//! A mailbox in figures.

/// A mailbox in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxStats {
    /// Deliveries that wait.
    pub entries: usize,
    /// Their bytes, about.
    pub bytes: usize,
    /// Control posts that wait.
    pub controls: usize,
    /// What was left out since the start.
    pub dropped: Dropped,
}

/// Posts that a mailbox left out, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Deliveries for which the whole mailbox had no room.
    pub full: u64,
    /// Deliveries whose channel had taken its quarter.
    pub share: u64,
    /// Deliveries of a channel that was dirty already.
    pub dirty: u64,
    /// Control posts that were refused.
    pub control: u64,
}
