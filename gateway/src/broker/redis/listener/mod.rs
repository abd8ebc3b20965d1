//! The subscriber connections, one to each master, and their tasks. They carry only subscriptions and deliveries.
//!
//! - [`listener`]: runs the tasks; [`subscriber_connection`]: one task; [`context`]: what all tasks share
//! - [`push_receiver`]: handles pushes; [`canary`]: proves that the connection delivers

mod canary;
pub(crate) mod context;
pub(crate) mod listener;
mod push_receiver;
mod subscriber_connection;
