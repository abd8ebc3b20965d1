//! Decides what the bot answers: a message and what was looked up for it in, an answer out. Channels, links and clocks do not belong here.

mod addressee;
mod intent;
mod rules;
mod story;
#[cfg(test)]
mod tests;
mod types;

pub use rules::RuleResponder;
pub use types::{Attention, ChatMessage, Lookup, LookupResult, Responder, Response, Step};
