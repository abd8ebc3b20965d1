//! What frontends ask.

use crate::model::{Data, RecoverFrom, Refusal};

/// A frontend's command. `id` is echoed in the reply; 0 for what has none.
#[derive(Debug)]
pub struct Command {
    /// Correlates the reply.
    pub id: u32,
    /// What is asked.
    pub request: Request,
}

/// What a frontend asks. Names are as they came: the session checks them.
#[derive(Debug)]
pub enum Request {
    /// First of all.
    Connect(Box<ConnectRequest>),
    /// Subscribe to a channel.
    Subscribe(Box<SubscribeRequest>),
    /// End a subscription.
    Unsubscribe {
        /// Which.
        channel: String,
    },
    /// Publish into a channel.
    Publish {
        /// Where to.
        channel: String,
        /// What.
        data: Data,
    },
    /// Who is there.
    Presence {
        /// Where.
        channel: String,
    },
    /// How many are there.
    PresenceStats {
        /// Where.
        channel: String,
    },
    /// Read the stream.
    History(HistoryRequest),
    /// Call a service.
    Rpc {
        /// `service.name` or `service:name`.
        method: String,
        /// Its argument.
        data: Data,
    },
    /// A message without a reply.
    Send {
        /// `{"service": …, "data": …}`.
        data: Data,
    },
    /// A new connection token.
    Refresh {
        /// The token.
        token: String,
    },
    /// A new subscription token.
    SubRefresh {
        /// Whose.
        channel: String,
        /// The token.
        token: String,
    },
    /// Asks for an empty reply.
    Ping,
    /// Answer to our ping.
    Pong,
    /// A command whose frame was understood but cannot be accepted: this is its answer.
    Refused(Refusal),
}

impl Request {
    /// The channel that the command concerns, as it came.
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Subscribe(request) => Some(&request.channel),
            Self::History(request) => Some(&request.channel),
            Self::Unsubscribe { channel }
            | Self::Publish { channel, .. }
            | Self::Presence { channel }
            | Self::PresenceStats { channel }
            | Self::SubRefresh { channel, .. } => Some(channel),
            Self::Connect(_) | Self::Rpc { .. } | Self::Send { .. } | Self::Refresh { .. } | Self::Ping | Self::Pong | Self::Refused(_) => {
                None
            }
        }
    }
}

/// See [`Request::Connect`].
#[derive(Debug, Default)]
pub struct ConnectRequest {
    /// Empty for anonymous.
    pub token: String,
    /// Server-side subscriptions to recover.
    pub subs: Vec<(String, Option<RecoverFrom>)>,
    /// W3C trace context, from the emulated headers.
    pub traceparent: Option<String>,
}

/// See [`Request::Subscribe`].
#[derive(Debug, Default)]
pub struct SubscribeRequest {
    /// Where to.
    pub channel: String,
    /// Empty where the namespace needs none.
    pub token: String,
    /// Where to go on from.
    pub recover: Option<RecoverFrom>,
    /// Wants joins and leaves.
    pub join_leave: bool,
    /// Wants error 112 instead of a subscription whose recovery failed.
    pub all_or_nothing: bool,
}

/// See [`Request::History`].
#[derive(Debug)]
pub struct HistoryRequest {
    /// Which stream.
    pub channel: String,
    /// Publications wanted; 0: only the position; below 0: as many as allowed.
    pub limit: i32,
    /// From where on.
    pub since: Option<RecoverFrom>,
    /// Newest first.
    pub reverse: bool,
}
