//! The operations in flight of a session, and the commands that wait.

use super::subscriptions::Source;
use crate::{
    model::{ChannelName, Data, Secret, Tick},
    protocol::{Command, Request, SubscribeRequest},
    session::OpId,
};
use std::collections::VecDeque;

/// An operation in flight.
#[derive(Debug)]
pub(crate) struct PendingOp {
    pub(crate) op: OpId,
    /// Id of the command that waits for the outcome; 0 for none.
    pub(crate) command: u32,
    /// Commands on this channel wait until the operation ends.
    pub(crate) channel: Option<ChannelName>,
    pub(crate) purpose: Purpose,
}

/// What the session does with the outcome of an operation.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// Answer the command with it.
    Answer,
    /// Check whether the frontend may subscribe, then attach until the deadline.
    Authorize { request: Box<SubscribeRequest>, deadline: Tick },
    /// Answer the subscribe, or tell the client that the server has subscribed it.
    Attach {
        source: Source,
        /// Seconds until the token expires, for the reply.
        ttl: Option<u32>,
        /// The client wants an error in place of a subscription whose recovery failed.
        all_or_nothing: bool,
        /// What the guard says to the application.
        data: Option<Data>,
    },
    /// Extend the connection. The token is kept if it has to be shown to a service later.
    Refresh(Option<Secret>),
    /// Extend the subscription.
    SubRefresh,
    /// Extend what the service that let the connection in allowed.
    RenewConnection,
    /// Extend what the guard of this channel allowed.
    RenewSubscription(ChannelName),
}

impl Purpose {
    /// Whether it serves a subscribe command of the frontend.
    fn is_subscribe(&self) -> bool {
        match self {
            Self::Authorize { .. } => true,
            Self::Attach { source, .. } => source.is_frontend(),
            Self::Answer | Self::Refresh(_) | Self::SubRefresh | Self::RenewConnection | Self::RenewSubscription(_) => false,
        }
    }

    fn is_server_attach(&self) -> bool {
        matches!(self, Self::Attach { source, .. } if !source.is_frontend())
    }
}

/// Operations in flight and waiting commands. An idle session has neither.
#[derive(Debug, Default)]
pub(crate) struct CommandQueue {
    in_flight: Vec<PendingOp>,
    waiting: VecDeque<Command>,
}

impl CommandQueue {
    pub(crate) fn is_empty(&self) -> bool {
        self.in_flight.is_empty() && self.waiting.is_empty()
    }

    /// Number of operations in flight and waiting commands together.
    pub(crate) fn len(&self) -> usize {
        self.in_flight.len() + self.waiting.len()
    }

    pub(crate) fn op_started(&mut self, op: PendingOp) {
        self.in_flight.push(op);
    }

    pub(crate) fn op_ended(&mut self, id: OpId) -> Option<PendingOp> {
        let at = self.in_flight.iter().position(|op| op.op == id)?;
        Some(self.in_flight.swap_remove(at))
    }

    /// Removes the operation of a subscribe command for this channel.
    pub(crate) fn remove_subscribe(&mut self, channel: &str) -> Option<PendingOp> {
        self.remove(channel, Purpose::is_subscribe)
    }

    /// Removes the attach of a server-side subscription to this channel.
    pub(crate) fn remove_server_attach(&mut self, channel: &str) -> Option<PendingOp> {
        self.remove(channel, Purpose::is_server_attach)
    }

    fn remove(&mut self, channel: &str, has_purpose: fn(&Purpose) -> bool) -> Option<PendingOp> {
        let at = self.in_flight.iter().position(|op| has_purpose(&op.purpose) && op.channel.as_deref() == Some(channel))?;
        Some(self.in_flight.swap_remove(at))
    }

    pub(crate) fn push(&mut self, command: Command) {
        self.waiting.push_back(command);
    }

    /// Removes the first waiting command that may run now. None may run while `max_in_flight` operations are in flight, or while an operation on
    /// the same channel is.
    pub(crate) fn pop(&mut self, max_in_flight: usize) -> Option<Command> {
        if self.in_flight.len() >= max_in_flight {
            return None;
        }
        let at = self.waiting.iter().position(|command| !self.is_busy(command.request.channel()))?;
        self.waiting.remove(at)
    }

    /// Whether a subscribe or unsubscribe for this channel waits.
    pub(crate) fn has_newer_subscribe(&self, channel: &str) -> bool {
        self.waiting.iter().any(|it| it.request.changes_subscription() && it.request.channel() == Some(channel))
    }

    fn is_busy(&self, channel: Option<&str>) -> bool {
        channel.is_some() && self.in_flight.iter().any(|op| op.channel.as_deref() == channel)
    }
}

impl Request {
    /// Whether it is a subscribe or an unsubscribe.
    pub(crate) fn changes_subscription(&self) -> bool {
        matches!(self, Self::Subscribe(_) | Self::Unsubscribe { .. })
    }
}
