//! Statistics of a mailbox.

/// Statistics of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailboxStats {
    /// Number of waiting deliveries.
    pub entries: usize,
    /// Approximate size of the waiting deliveries, in bytes.
    pub bytes: usize,
    /// Number of waiting control entries.
    pub controls: usize,
    /// Entries dropped since the start.
    pub dropped: Dropped,
}

/// Posts that a mailbox dropped, by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Deliveries that found the whole mailbox full.
    pub full: u64,
    /// Deliveries whose channel already used its quarter of the mailbox.
    pub channel_full: u64,
    /// Deliveries of a channel that was dirty already.
    pub dirty: u64,
    /// Control entries that did not fit, because too many others waited.
    pub control: u64,
}
