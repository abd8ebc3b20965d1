//! Asynchronous operations for a session.
//!
//! - [`running`]: an operation in flight; [`requester`]: what each operation does
//! - [`attach`]: subscribes to a channel and catches up; [`guarded`]: operations about which services decide

mod attach;
mod guarded;
mod requester;
mod running;

pub(super) use requester::Requester;
pub(super) use running::{RunningTask, TaskId, TaskResult};
