//! The commands of frontends.

use crate::{
    channel::TagsFilter,
    model::{Content, Data, RecoverFrom, Refusal, Secret, Tags},
    protocol::DeliveryForm,
};
use std::{collections::BTreeMap, sync::Arc};

/// A command of a frontend.
#[derive(Debug)]
pub struct Command {
    /// The reply has the same id. 0: the command has no reply.
    pub id: u32,
    /// What the frontend asks for.
    pub request: Request,
}

/// What a frontend asks for. Names of channels and services are not checked yet; the session does that.
#[derive(Debug)]
pub enum Request {
    /// Connect; the first command of a connection.
    Connect(Box<ConnectRequest>),
    /// Subscribe to a channel.
    Subscribe(Box<SubscribeRequest>),
    /// End a subscription.
    Unsubscribe {
        /// The channel.
        channel: String,
    },
    /// Publish into a channel.
    Publish {
        /// The channel.
        channel: String,
        /// The message.
        content: Content,
        /// Names and values beside the message.
        tags: Tags,
    },
    /// Publish the reply of a service into a channel. Frontends cannot ask for it, so it needs no permission of theirs.
    PublishReply {
        /// The channel.
        channel: String,
        /// The reply.
        content: Content,
        /// Names and values beside the reply.
        tags: Tags,
    },
    /// Read the presence list of a channel.
    Presence {
        /// The channel.
        channel: String,
    },
    /// Read how many connections and users are in a channel.
    PresenceStats {
        /// The channel.
        channel: String,
    },
    /// Read the history of a channel.
    History(HistoryRequest),
    /// Call a service.
    Rpc {
        /// `service.name` or `service:name`.
        method: String,
        /// The argument.
        data: Data,
    },
    /// Send an event to a service. SDKs give it no id.
    Send {
        /// `{"service": …, "data": …}`.
        data: Data,
    },
    /// Replace the connection token.
    Refresh {
        /// The new token.
        token: Secret,
    },
    /// Replace a subscription token.
    SubRefresh {
        /// The channel of the subscription.
        channel: String,
        /// The new token.
        token: Secret,
    },
    /// Reply with an empty reply.
    Ping,
    /// The reply to a ping of the gateway.
    Pong,
    /// The decoder understood the command but refuses it with this error.
    Refused(Refusal),
}

impl Request {
    /// The channel to which the command applies. `None` if it applies to no channel.
    pub fn channel(&self) -> Option<&str> {
        match self {
            Self::Subscribe(request) => Some(&request.channel),
            Self::History(request) => Some(&request.channel),
            Self::Unsubscribe { channel }
            | Self::Publish { channel, .. }
            | Self::PublishReply { channel, .. }
            | Self::Presence { channel }
            | Self::PresenceStats { channel }
            | Self::SubRefresh { channel, .. } => Some(channel),
            Self::Connect(_) | Self::Rpc { .. } | Self::Send { .. } | Self::Refresh { .. } | Self::Ping | Self::Pong | Self::Refused(_) => {
                None
            }
        }
    }
}

/// The fields of [`Request::Connect`].
#[derive(Debug, Default)]
pub struct ConnectRequest {
    /// The connection token; empty for an anonymous connection.
    pub token: Secret,
    /// What the application says about itself, for the service that decides about connections; none: nothing.
    pub data: Option<Data>,
    /// The positions of server-side subscriptions to recover, by channel.
    pub subs: Vec<(String, Option<RecoverFrom>)>,
    /// Whether the client finds a channel by its number (docs/decisions/0047-numbers-in-place-of-channel-names.md).
    pub resolves_numbers: bool,
    /// Headers that stand for those of an HTTP request, such as `traceparent`, because a page cannot set the headers of a WebSocket's request.
    pub headers: BTreeMap<String, Secret>,
}

/// The fields of [`Request::Subscribe`].
#[derive(Debug, Default)]
pub struct SubscribeRequest {
    /// The channel.
    pub channel: String,
    /// The subscription token; empty if the client has none.
    pub token: Secret,
    /// What the application says about the subscription, for the guard of the channel; none: nothing.
    pub data: Option<Data>,
    /// The position to recover from; none: start with the next publication.
    pub recover: Option<RecoverFrom>,
    /// Whether the client wants joins and leaves.
    pub join_leave: bool,
    /// Whether the client wants error 112 in place of a subscription whose recovery failed.
    pub all_or_nothing: bool,
    /// Whether the client accepts a number in place of the channel's name in pushes.
    pub compact: bool,
    /// The kind of deltas that the client asks for, such as `fossil`; empty: none.
    pub delta: String,
    /// Which publications the client wants, by their tags; none: all.
    pub tags_filter: Option<Arc<TagsFilter>>,
    /// How deliveries are written, if not as pushes of the Centrifuge protocol. The subscription stays at a fork.
    pub form: Option<DeliveryForm>,
}

/// The fields of [`Request::History`].
#[derive(Debug)]
pub struct HistoryRequest {
    /// The channel.
    pub channel: String,
    /// Largest number of publications to return. 0: only the position of the newest one. Negative: as many as allowed.
    pub limit: i32,
    /// Start after this position, or before it if `reverse` is set; none: start with the oldest publication, or with the newest.
    pub since: Option<RecoverFrom>,
    /// Newest first.
    pub reverse: bool,
}
