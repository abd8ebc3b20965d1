//! Which channels this node needs, and how far Redis has confirmed them. The connections that subscribe are in `listener`.
//!
//! - [`subscription_table`]: the state of each channel, sans-I/O; [`subscriptions`]: the table as tasks share it, and the way from Redis to the mailboxes

pub(crate) mod subscription_table;
pub(crate) mod subscriptions;
