//! The commands of a STOMP connection that the session has not answered.

use crate::{
    model::{ChannelName, Position, RecoverFrom},
    protocol::Request,
    stomp::rules::AfterRefusal,
};
use std::time::Duration;

/// What the answer to a command is for.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A SEND to a channel, the publish of a reply, or a SEND that is an event for a service.
    Publish,
    /// A SEND that calls a service; the destination of the reply, unless it goes nowhere.
    Call(Option<Box<str>>),
    /// A SUBSCRIBE that calls a service: the id and the destination of the MESSAGE with the reply.
    OneShot { id: Box<str>, destination: Box<str> },
    /// A SUBSCRIBE that is the first to its channel. Later frames wait for it.
    Subscribe {
        channel: ChannelName,
        id: Box<str>,
        /// Whether it asked for what followed a position.
        resumes: bool,
    },
    /// The connection subscribes again after publications were lost. Frames wait for it.
    Resubscribe {
        channel: ChannelName,
        /// The pause before the next attempt, if the session cannot do it for the time being.
        pause: Duration,
    },
    /// A further SUBSCRIBE to a channel, from an earlier position: the connection leaves the channel. Frames wait.
    Leave(Box<Rejoin>),
    /// The connection subscribes again, from the earlier position. Frames wait.
    Rejoin(Box<Rejoin>),
    /// An UNSUBSCRIBE that is the last of its channel.
    Unsubscribe,
}

/// A further subscription to a channel, from an earlier position than that of the others.
#[derive(Debug)]
pub(crate) struct Rejoin {
    pub(crate) channel: ChannelName,
    /// The id of the subscription.
    pub(crate) id: Box<str>,
    /// Where it begins. `None`: what it asked for is gone, and it begins where the others go on.
    pub(crate) from: Option<RecoverFrom>,
    /// Where the others were when the connection left the channel; none: it is not known.
    pub(crate) left_at: Option<Position>,
}

/// A command for the session, and what its answer is for.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) request: Request,
    pub(crate) purpose: Purpose,
    /// What follows if it is refused.
    pub(crate) after_refusal: AfterRefusal,
    /// The header `correlation-id` of the frame.
    pub(crate) correlation_id: Option<Box<str>>,
}

/// Who gets the RECEIPT for a command, or the ERROR.
#[derive(Debug)]
pub(crate) enum ReceiptOf {
    /// The frame that caused it, with this `receipt` header. `None`: the frame wants no RECEIPT.
    Frame(Option<Box<str>>),
    /// The COMMIT in progress.
    Commit,
}

/// A command in flight.
#[derive(Debug)]
pub(crate) struct Pending {
    id: u32,
    pub(crate) purpose: Purpose,
    pub(crate) after_refusal: AfterRefusal,
    pub(crate) correlation_id: Option<Box<str>>,
    pub(crate) receipt: ReceiptOf,
}

/// The commands in flight. An idle connection has none, and then this holds no memory.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<Pending>);

impl InFlight {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes a command, and returns its request.
    pub(crate) fn start(&mut self, id: u32, outgoing: Outgoing, receipt: ReceiptOf) -> Request {
        let Outgoing { request, purpose, after_refusal, correlation_id } = outgoing;
        self.0.push(Pending { id, purpose, after_refusal, correlation_id, receipt });
        request
    }

    /// The command with this id was answered.
    pub(crate) fn end(&mut self, id: u32) -> Option<Pending> {
        let at = self.0.iter().position(|it| it.id == id)?;
        let ended = self.0.swap_remove(at);
        if self.0.is_empty() {
            self.0 = Vec::new();
        }
        Some(ended)
    }

    /// The client does not want the reply to a SUBSCRIBE with this id that calls a service.
    pub(crate) fn forget_reply(&mut self, id: &str) {
        for it in &mut self.0 {
            if matches!(&it.purpose, Purpose::OneShot { id: known, .. } if **known == *id) {
                it.purpose = Purpose::Call(None);
            }
        }
    }

    /// Whether frames wait for a subscribe, because it takes effect before the next frame.
    pub(crate) fn blocks(&self) -> bool {
        let blocks = |purpose: &Purpose| {
            matches!(purpose, Purpose::Subscribe { .. } | Purpose::Resubscribe { .. } | Purpose::Leave(_) | Purpose::Rejoin(_))
        };
        self.0.iter().any(|it| blocks(&it.purpose))
    }

    /// Whether a subscribe to this channel is under way.
    pub(crate) fn is_subscribing(&self, channel: &str) -> bool {
        self.0.iter().any(|it| match &it.purpose {
            Purpose::Subscribe { channel: under_way, .. } | Purpose::Resubscribe { channel: under_way, .. } => {
                under_way.as_str() == channel
            }
            Purpose::Leave(rejoin) | Purpose::Rejoin(rejoin) => rejoin.channel.as_str() == channel,
            _ => false,
        })
    }

    /// The connection left a channel, after it got everything up to this position. If it leaves for the second time, it got nothing since the first.
    pub(crate) fn left(&mut self, channel: &str, at: Option<Position>) {
        for it in &mut self.0 {
            if let Purpose::Leave(rejoin) = &mut it.purpose
                && rejoin.channel.as_str() == channel
                && rejoin.from.is_some()
            {
                rejoin.left_at = at;
            }
        }
    }

    /// Bytes that it holds.
    #[cfg(test)]
    pub(crate) fn memory(&self) -> usize {
        self.0.capacity() * size_of::<Pending>()
    }
}
