//! The calls that frontends make: `say`, `stop` and `typing`.

mod chatbot;
mod failures;
mod input;
mod say;
mod stop;

pub use chatbot::{Chatbot, Shared};
