//! Mailboxes: the queues from the broker to the workers. Nothing here knows hubs or connections.
//!
//! - [`mailbox`]: the queue of one worker; [`queue`]: its data under the lock
//! - [`post`]: the entries; [`stats`]: statistics

#[expect(clippy::module_inception, reason = "the folder is about mailboxes, the file about one mailbox")]
mod mailbox;
mod post;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

pub use mailbox::Mailbox;
pub use post::{Check, ConnectionSummary, Delivery, DrainPlan, Post, Survey};
pub use stats::{Dropped, MailboxStats};
