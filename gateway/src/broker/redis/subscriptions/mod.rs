//! The channels that this node needs, and the subscriptions that Redis has confirmed. The connections that subscribe are in `listener`.
//!
//! - [`subscribed_channel`]: the state of one channel; [`subscription_table`]: that of all channels, sans-I/O
//! - [`subscriptions`]: the table that all tasks share, and the delivery to the mailboxes

pub(crate) mod subscribed_channel;
pub(crate) mod subscription_table;
pub(crate) mod subscriptions;
