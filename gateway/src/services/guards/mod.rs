//! Guards: services that are asked before a frontend may connect, subscribe or publish. docs/guards.md describes them for developers of services.
//!
//! A question is a call with a reserved method ([`shared_proto::guard`]). It takes no part in the order of frontends' calls, and has its own time
//! and its own limit of questions in flight. Nobody gets in without an answer, unless `when_away` says so.
//!
//! - [`guards`]: what all questions of the node share; [`config`]: its limits; [`counters`]: questions by kind and result
//! - [`room`]: questions that wait for room
//! - [`ask`]: one question; [`remembered`]: the same, if an answer is known; [`decisions`]: the three kinds of questions
//! - [`answer`]: checks answers; [`unanswered`]: why there is none; [`memory`]: answers that are remembered

mod answer;
mod ask;
pub(super) mod config;
pub(super) mod counters;
mod decisions;
#[expect(clippy::module_inception, reason = "the folder is about guards, the file about what they share")]
pub(super) mod guards;
mod memory;
mod remembered;
pub(super) mod room;
mod unanswered;

pub use answer::{ConnectTerms, Decision};
pub use decisions::ConnectFacts;
