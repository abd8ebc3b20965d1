//! The durable outbox in SQLite. One thread writes, in groups that share a commit; another thread reads. A notification is accepted when
//! its commit has returned.
//!
//! Sending notifications does not belong here; see [`crate::delivery`].

mod backup;
mod handle;
mod reader;
mod store;
#[cfg(test)]
mod tests;
mod types;
mod view;
mod writer;

pub use backup::back_up;
pub use handle::Outbox;
pub use types::{Accepted, Conflict, Delivery, Outcome, Refused, StoreError};
pub use view::{DeliveryState, DeliveryView, Filter, NotificationView, Page};
