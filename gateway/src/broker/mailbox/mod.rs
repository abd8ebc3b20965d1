//! Mailboxes: the queues from the broker to the workers. Nothing here knows hubs or connections.
//!
//! - [`mailbox`]: the queue of one worker; [`queue`]: its data under the lock
//! - [`entry`]: the entries; [`stats`]: statistics

mod entry;
#[expect(clippy::module_inception, reason = "the folder is about mailboxes, the file about one mailbox")]
mod mailbox;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

pub use entry::{ConnectionSummary, Delivery, DrainPlan, HubQuery, MailboxEntry, PostOutcome, PostedCommands, TopReason};
pub use mailbox::Mailbox;
pub use stats::{Dropped, MailboxStats};
