//! The trait of responders, with its inputs and outputs.

use shared_proto::client::link::CallFailure;
use std::time::Duration;

/// A message of a user or of the bot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// The author; empty for anonymous users.
    pub from: String,
    /// The text.
    pub text: String,
}

/// When the bot reacts to a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attention {
    /// Always: the message names the bot, or is one of its commands.
    Always,
    /// If nobody else is in the conversation.
    IfAlone,
    /// Never: the message is for somebody else.
    Never,
}

/// What the bot must look up before it can answer a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// Nothing.
    Nothing,
    /// The users in the conversation.
    Presence,
    /// The earlier messages.
    History,
}

/// The result of a [`Lookup`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookupResult {
    /// Nothing was looked up.
    Nothing,
    /// Users in the conversation, one for each connection; empty names are anonymous.
    Presence(Vec<String>),
    /// The messages before this one, oldest first.
    History(Vec<ChatMessage>),
    /// The lookup failed.
    Unavailable,
}

/// The bot's reaction to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// Stop the answers to the author that are being written in this conversation.
    Stop,
    /// Write this answer.
    Answer(Vec<Step>),
}

/// A step of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write this text word by word.
    Text(String),
    /// Wait.
    Pause(Duration),
    /// Fail.
    Fail,
}

/// Decides how the bot reacts to a message. The methods are called in this order.
pub trait Responder: Send + Sync + 'static {
    /// The error of the call if the message must not become part of the conversation; normally `None`.
    fn refusal(&self, message: &ChatMessage) -> Option<CallFailure>;
    /// When the bot reacts. If it does not, the next methods are not called.
    fn attention(&self, message: &ChatMessage) -> Attention;
    /// What must be looked up for [`Responder::respond`].
    fn lookup(&self, message: &ChatMessage) -> Lookup;
    /// The reaction to the message. With [`LookupResult::Nothing`] it has the right variant, but perhaps not the right text.
    fn respond(&self, message: &ChatMessage, found: &LookupResult) -> Response;
}
