//! Asynchronous operations for a session.
//!
//! - [`running`]: an operation in flight; [`requester`]: what each operation does
//! - [`attach`]: subscribes to a channel and catches up; [`guarded`]: operations about which services decide
//! - [`user_limit`]: keeps to the limit of a user's connections

mod attach;
mod guarded;
mod requester;
mod running;
mod user_limit;

pub(super) use requester::Requester;
pub(super) use running::{RunningTask, TaskId, TaskResult};
