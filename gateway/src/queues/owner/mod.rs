//! The owner of a partition.
//!
//! - [`own`](mod@own): the task; [`task_parts`]: what its ownerships have in common; [`handles`]: what it has in common with those who deliver; [`config`]: its settings; [`stats`]: its counters
//! - [`work`]: what it does during one ownership; [`requests`]: what it asks the store for; [`pause`]: pauses after errors of the store
//! - [`held_lease`]: an ownership, from its beginning to its end; ingest uses it, too

mod config;
mod handles;
mod held_lease;
mod own;
mod pause;
mod requests;
mod stats;
mod task_parts;
#[cfg(test)]
mod tests;
mod work;

pub use config::OwnerConfig;
pub use handles::{Delivery, DeliveryGuard, PartitionHandles};
pub use held_lease::HeldLease;
pub use own::own;
pub use stats::OwnerStats;
