//! What an owner counts.

/// Something that the owner of a partition counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnerCount {
    /// Deliveries that were written, each try.
    Delivered,
    /// Those of them that are not the first try of their entry.
    Redelivered,
    /// Entries that were acknowledged.
    Acknowledged,
    /// Deliveries that the consumer refused.
    Failed,
    /// Deliveries that were not acknowledged in time.
    TimedOut,
    /// Deliveries that were lost with their link.
    Lost,
    /// Deliveries that were not written.
    NotSent,
    /// Requests that the store did not carry out.
    StoreErrors,
    /// Ownerships that ended because another node owns the partition, or an operator ended them.
    Ousted,
}

impl OwnerCount {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Delivered,
        Self::Redelivered,
        Self::Acknowledged,
        Self::Failed,
        Self::TimedOut,
        Self::Lost,
        Self::NotSent,
        Self::StoreErrors,
        Self::Ousted,
    ];
}
