//! What a session wants done.

use super::{Op, OpId};
use crate::{
    limits::Limit,
    model::{ChannelName, ClientInfo, Meta, RevocableClaims, Unsubscribe},
    protocol::{Push, Reply},
};
use std::sync::Arc;

/// One thing to do. Actions are carried out in their order.
#[derive(Debug)]
pub enum Action {
    /// Send the reply to the command with this id.
    Reply(u32, Reply),
    /// Send a push.
    Push(Push),
    /// Send a control frame that the client has to answer with [`Input::ControlPong`](super::Input::ControlPong). On a stream: send a comment, which
    /// nobody answers.
    ControlPing,
    /// Start an operation. Its outcome comes back as [`Input::Done`](super::Input::Done).
    Start(OpId, Op),
    /// Stop an operation. Its outcome is no longer wanted.
    Cancel(OpId),
    /// The reply to the subscribe is on its way: deliver what was buffered since the attach, then every new publication.
    GoLive(ChannelName),
    /// Remove the connection from the channel and from its presence, whether the attach has ended or not. Does nothing if the connection is not
    /// in the channel, as after a failed attach. The code says why the gateway ended the subscription; none: the client ended it.
    Detach(ChannelName, Option<Unsubscribe>),
    /// Keep this with the connection for the services; none: nothing.
    SetMeta(Option<Meta>),
    /// The connection exceeded this limit: count it. What becomes of it follows.
    Limited(Limit),
    /// The user is known: register the connection under this user and these claims of its token, before the actions that follow.
    Register(Arc<ClientInfo>, Option<Box<RevocableClaims>>),
    /// The connection has another token: register it under the claims of that one, in place of those before. Then look them up, because a
    /// revocation may have come between the check of the token and this action.
    ReplaceToken(Option<Box<RevocableClaims>>),
    /// Close the connection with this code and reason. It is the last action. The connection also cancels all operations and detaches all
    /// channels.
    Close(u16, Box<str>),
}
