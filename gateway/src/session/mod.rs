//! One connection's state machine. Sans-I/O: commands, outcomes and time in, actions out.

use crate::{
    broker::PresenceStats,
    model::{ChannelName, ClientInfo, ConnectionId, Data, Position, Publication, Refusal, ServerCommand, Tick, UserId},
    protocol::{Command, Push, RecoverFrom, Recovery, Reply},
};
use std::{sync::Arc, time::Duration};

/// Names an operation in flight, unique within its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId(pub u32);

/// What happens to a session.
#[derive(Debug)]
pub enum Input {
    /// From the frontend.
    Command(Command),
    /// From a service or the node.
    Server(ServerCommand),
    /// An operation ended.
    Done(OpId, Outcome),
    /// The subscription's stream was lost in part while it was live, or could not be caught up: its subscribers must be told.
    Lost(ChannelName),
    /// The deadline passed, perhaps.
    Tick,
}

/// What a session wants done, in this order.
#[derive(Debug)]
pub enum Action {
    /// Answer the command with this id.
    Reply(u32, Reply),
    /// Send this.
    Push(Push),
    /// Begin an operation; its end comes back as [`Input::Done`].
    Start(OpId, Op),
    /// Its outcome is no longer wanted.
    Cancel(OpId),
    /// The answer is out: hand over what was held back since the attach, then deliver live.
    GoLive(ChannelName),
    /// Take the connection out of the channel (attaching, attached or live), with presence and leave.
    Leave(ChannelName),
    /// The connection has a user now: register it (user, connection info).
    Identify(Arc<ClientInfo>),
    /// Close with this code and reason. Nothing follows.
    Close(u16, Box<str>),
}

/// What a session cannot do by itself.
#[derive(Debug)]
pub enum Op {
    /// Check a connection token (empty: anonymous) and load the user's stored subscriptions.
    Authenticate { token: String },
    /// Check a new connection token.
    Refresh { token: String },
    /// Check a subscription token for this channel and user.
    Authorize { channel: ChannelName, token: String },
    /// Join a channel: subscribe, and read what was missed. Deliveries are held back until [`Action::GoLive`].
    Attach(Attach),
    /// Publish into a channel.
    Publish { channel: ChannelName, data: Data },
    /// Who is there.
    Presence { channel: ChannelName },
    /// How many are there.
    PresenceStats { channel: ChannelName },
    /// Read the stream: at most `limit`; `limit` 0: only the position.
    History { channel: ChannelName, since: Option<RecoverFrom>, limit: usize, reverse: bool },
    /// Call a service.
    Call { method: String, data: Data },
    /// Send a service an event.
    Event { service: String, data: Data },
}

/// See [`Op::Attach`].
#[derive(Debug)]
pub struct Attach {
    /// Which channel.
    pub channel: ChannelName,
    /// What the client has; none: from now on.
    pub recover: Option<RecoverFrom>,
    /// How others see this subscription; its presence and joins are the hub's business.
    pub info: Arc<ClientInfo>,
    /// Deliver joins and leaves.
    pub join_leave: bool,
}

/// How an operation ended.
#[derive(Debug)]
pub enum Outcome {
    /// It failed.
    Failed(Refusal),
    /// The token is not valid: the connection ends with 3500.
    InvalidToken(Refusal),
    /// The token was accepted.
    Authenticated(Box<Identity>),
    /// The new token was accepted.
    Refreshed { user: UserId, expires_in: Option<Duration> },
    /// The subscription's token was accepted.
    Authorized { info: Option<Data>, expires_in: Option<Duration> },
    /// The channel was joined; deliveries are held back.
    Attached(Attached),
    /// Stored, or announced.
    Published,
    /// Who is there.
    Presence(Vec<Arc<ClientInfo>>),
    /// How many are there.
    PresenceStats(PresenceStats),
    /// A page of the stream.
    History { position: Position, publications: Vec<Arc<Publication>> },
    /// The service's answer.
    Called(Data),
    /// The service's own error.
    CallFailed { code: u32, message: String, temporary: bool },
    /// The event was taken.
    Sent,
}

/// Who is behind a connection.
#[derive(Debug)]
pub struct Identity {
    /// Empty for anonymous.
    pub user: UserId,
    /// How long the token is valid; none: for good.
    pub expires_in: Option<Duration>,
    /// Shown to others.
    pub info: Option<Data>,
    /// Server-side subscriptions: from the token, and those stored for the user. The personal channel is the session's to add.
    pub channels: Vec<ChannelName>,
}

/// See [`Outcome::Attached`].
#[derive(Debug, Default)]
pub struct Attached {
    /// The position that the answer tells. None without history.
    pub position: Option<Position>,
    /// How the recovery went.
    pub recovery: Recovery,
    /// First page, for the answer.
    pub publications: Vec<Arc<Publication>>,
}

/// What is the same for all sessions of a node.
pub struct Rules {
    /// Namespaces and their options.
    pub namespaces: crate::channel::Namespaces,
    /// Name of this node, told to clients.
    pub node: Arc<str>,
    /// Time allowed for the connect command.
    pub connect_timeout: Duration,
    /// Between pings.
    pub ping_interval: Duration,
    /// For the answer to a ping.
    pub pong_timeout: Duration,
    /// After a token's expiry, for the refresh to arrive.
    pub expiry_grace: Duration,
    /// Subscriptions of a connection at most.
    pub max_subscriptions: usize,
    /// Operations in flight at most; beyond it the connection is not read.
    pub max_in_flight: usize,
    /// Publications in a history reply at most.
    pub history_limit: usize,
}

/// One connection's state.
pub struct Session {
    id: ConnectionId,
}

impl Session {
    /// A session that waits for its connect command. `phase` (0 to 1) spreads the pings of many connections.
    pub fn new(id: ConnectionId, rules: Arc<Rules>, now: Tick, phase: f32) -> Self {
        let _ = (rules, now, phase);
        Self { id }
    }

    /// Takes one input and appends what has to be done.
    pub fn handle(&mut self, now: Tick, input: Input, actions: &mut Vec<Action>) {
        let _ = (self.id, now, input, actions);
    }

    /// When [`Input::Tick`] is due.
    pub fn deadline(&self) -> Option<Tick> {
        None
    }

    /// Whether the connection may be read: operations in flight are below their limit.
    pub fn wants_input(&self) -> bool {
        true
    }
}
