//! What a translator takes and returns.

use crate::{
    model::{ChannelName, Secret, Tick},
    protocol::{
        Command,
        stomp::{Framing, MessageForm},
    },
};
use std::sync::Arc;

/// With what a STOMP connection starts, besides the settings.
#[derive(Clone, Debug)]
pub struct StompStart {
    /// How frames become WebSocket messages.
    pub framing: Framing,
    /// The connection token of the handshake, from the query or a cookie. It counts if CONNECT has none.
    pub token: Option<Secret>,
    /// The time of the start.
    pub now: Tick,
}

/// One thing to do. Steps are carried out in their order. What a step causes comes after all steps before it, so new ones go to the end.
#[derive(Debug)]
pub enum Step {
    /// A command for the session. The ids begin with 1 and are unique.
    Command(Command),
    /// Complete WebSocket messages to send.
    Send(Vec<u8>),
    /// The deliveries of this channel are written in this form from now on. `None`: they are not written any more.
    Form(ChannelName, Option<Arc<MessageForm>>),
    /// Send a control frame that the client has to answer (RFC 6455, section 5.5.2). The answer is for
    /// [`Translator::control_pong`](super::Translator::control_pong).
    ControlPing,
    /// Publications were lost, and this number of subscriptions gets no notice, because they did not ask for it.
    GapUntold(usize),
    /// A message for the connection had no subscription to its queue, and was dropped.
    Undelivered,
    /// Close the connection with this code and reason. It is the last step.
    Close(u16, Box<str>),
}
