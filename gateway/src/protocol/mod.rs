//! Frames to commands, replies and pushes to frames. Sans-I/O.
//!
//! The types here are what a session speaks; [`centrifuge`] is their JSON form on the wire. [`websocket`] is RFC 6455's framing.

pub mod centrifuge;
pub mod websocket;

use crate::{
    broker::PresenceStats,
    model::{ChannelName, ClientInfo, ConnectionId, Data, Position, Publication, Refusal, Unsubscribe},
};
use std::sync::Arc;

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
    Unsubscribe { channel: String },
    /// Publish into a channel.
    Publish { channel: String, data: Data },
    /// Who is there.
    Presence { channel: String },
    /// How many are there.
    PresenceStats { channel: String },
    /// Read the stream.
    History(HistoryRequest),
    /// Call a service.
    Rpc { method: String, data: Data },
    /// A message without a reply.
    Send { data: Data },
    /// A new connection token.
    Refresh { token: String },
    /// A new subscription token.
    SubRefresh { channel: String, token: String },
    /// Asks for an empty reply.
    Ping,
    /// Answer to our ping.
    Pong,
}

/// See [`Request::Connect`].
#[derive(Debug, Default)]
pub struct ConnectRequest {
    /// Empty for anonymous.
    pub token: String,
    /// Name and version of the client, for metrics and logs.
    pub name: String,
    /// See `name`.
    pub version: String,
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
}

/// A position as a client remembers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoverFrom {
    /// Empty: from the first that is held.
    pub epoch: String,
    /// The last that it has.
    pub offset: u64,
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

/// The answer to a command.
#[derive(Debug)]
pub enum Reply {
    /// It failed.
    Error(Refusal),
    /// See [`Connected`].
    Connect(Box<Connected>),
    /// See [`Subscribed`].
    Subscribe(Box<Subscribed>),
    /// Done.
    Unsubscribe,
    /// Done.
    Publish,
    /// Who is there.
    Presence(Vec<Arc<ClientInfo>>),
    /// How many are there.
    PresenceStats(PresenceStats),
    /// A page of the stream, and its newest position.
    History { position: Position, publications: Vec<Arc<Publication>> },
    /// The service's answer.
    Rpc(Data),
    /// Seconds until the next refresh; none: expires no more.
    Refresh { ttl: Option<u32>, client: ConnectionId },
    /// Seconds until the next refresh; none: expires no more.
    SubRefresh { ttl: Option<u32> },
    /// Alive.
    Ping,
}

/// The answer to a connect.
#[derive(Debug)]
pub struct Connected {
    /// Its id.
    pub client: ConnectionId,
    /// Name of this node.
    pub node: Arc<str>,
    /// Seconds between pings.
    pub ping: u32,
    /// Seconds until the token has to be refreshed.
    pub ttl: Option<u32>,
    /// Server-side subscriptions.
    pub subs: Vec<(ChannelName, Subscribed)>,
}

/// The state in which a subscription starts.
#[derive(Debug, Default)]
pub struct Subscribed {
    /// The client's new position: that of the first page's predecessor. None without history.
    pub position: Option<Position>,
    /// Whether a recovery was asked for, and how it went.
    pub recovery: Recovery,
    /// The first page of what was missed.
    pub publications: Vec<Arc<Publication>>,
    /// Seconds until the subscription's token has to be refreshed.
    pub ttl: Option<u32>,
}

/// How a recovery went.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// None was asked for.
    #[default]
    NotAsked,
    /// Everything since the position comes: in the answer and in pushes after it.
    Recovered,
    /// Something since the position is gone; what is held comes as pushes.
    Lost,
}

/// What comes without being asked for.
#[derive(Debug)]
pub enum Push {
    /// To be answered by a pong.
    Ping,
    /// A message of a channel.
    Publication(ChannelName, Arc<Publication>),
    /// Somebody subscribed.
    Join(ChannelName, Arc<ClientInfo>),
    /// Somebody left.
    Leave(ChannelName, Arc<ClientInfo>),
    /// The server subscribed this connection.
    Subscribe(ChannelName, Subscribed),
    /// The server ended a subscription.
    Unsubscribe(ChannelName, Unsubscribe),
    /// A message outside any channel.
    Message(Data),
}
