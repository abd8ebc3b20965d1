//! Calls with a key: a repeat gets the answer of the first call, on any node.
//!
//! - [`repeats`]: carries a call out once, and keeps its answer; [`call_key`]: what identifies a call; [`kept_answer`]: an answer as the broker keeps it

pub(super) mod call_key;
mod kept_answer;
#[expect(clippy::module_inception, reason = "the interface of the folder")]
pub(super) mod repeats;
