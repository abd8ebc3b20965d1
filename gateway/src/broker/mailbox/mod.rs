//! What the broker has for a worker, and the worker has still to take. Nothing here knows hubs or connections.
//!
//! - [`mailbox`]: the queue of one worker; [`queue`]: what is under its lock
//! - [`post`]: an entry; [`stats`]: figures

#[expect(clippy::module_inception, reason = "the folder is about mailboxes, the file about one")]
mod mailbox;
mod post;
mod queue;
mod stats;
#[cfg(test)]
mod tests;

pub use mailbox::Mailbox;
pub use post::{Check, ConnectionSummary, Delivery, DrainPlan, Post, Survey};
pub use stats::{Dropped, MailboxStats};
