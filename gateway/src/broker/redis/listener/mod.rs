//! The connections that subscribe, one to each master, and the tasks that own them. They carry subscriptions and deliveries, and nothing else.
//!
//! - [`listener`]: a task for each master that serves slots; [`subscriber_connection`]: that task; [`context`]: what all of them use
//! - [`push_receiver`]: what comes over the connection; [`canary`]: whether anything still comes

mod canary;
pub(crate) mod context;
pub(crate) mod listener;
mod push_receiver;
mod subscriber_connection;
