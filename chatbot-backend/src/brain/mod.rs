//! What the bot thinks. Knows nothing of channels, links or time passing: a line and some facts in, a script out.

mod rules;
mod story;
#[cfg(test)]
mod tests;

use shared_proto::client::link::CallFailure;
use std::time::Duration;

pub use rules::Rules;

/// One line of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who said it; empty for anonymous people.
    pub from: String,
    /// What was said.
    pub text: String,
}

/// What a brain has to know before it can answer a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing beyond the line.
    Nothing,
    /// Who is in the conversation now.
    Presence,
    /// What was said before.
    Conversation,
}

/// The facts that were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// None were asked for.
    Nothing,
    /// Names of the people in the conversation; empty ones are anonymous.
    Present(Vec<String>),
    /// The lines before this one, oldest first.
    Before(Vec<Line>),
    /// They could not be had.
    Unavailable,
}

/// What the bot does with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thought {
    /// The line is not for the bot.
    Silence,
    /// It stops what it is saying in this conversation.
    Stop,
    /// It speaks.
    Speak(Vec<Step>),
}

/// A step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Says this, word by word.
    Say(String),
    /// Waits.
    Pause(Duration),
    /// Breaks down.
    Fail,
}

/// A brain. It is asked three times, in this order.
pub trait Brain: Send + Sync + 'static {
    /// Why a line is refused before it is part of the conversation; none in all but odd cases.
    fn objection(&self, line: &Line) -> Option<CallFailure>;
    /// What it has to know.
    fn needs(&self, line: &Line) -> Needs;
    /// What it does.
    fn answer(&self, line: &Line, facts: &Facts) -> Thought;
}
