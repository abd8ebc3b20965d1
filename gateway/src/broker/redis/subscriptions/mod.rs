//! The channels that this node needs, and the subscriptions that Redis has confirmed. The connections that subscribe are in `listener`.
//!
//! - [`subscription_table`]: the state of each channel, sans-I/O
//! - [`subscriptions`]: the table that all tasks share, and the delivery to the mailboxes

pub(crate) mod subscription_table;
pub(crate) mod subscriptions;
