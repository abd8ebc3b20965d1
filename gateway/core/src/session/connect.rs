//! From the connect command to its reply.

use super::{
    Action, Attach, Attached, ConnectQuestion, Identity, Input, NamedBy, Op, OpId, Outcome, ServerSide, ServerSubscription, SessionConfig,
    SessionStart,
    close_reason::{CloseReason, check_revocation},
    context::Context,
    phases::{PHASES, PhaseEvent, PhaseName},
    state::{
        expiry::Expiry,
        renewal::Renewal,
        server_channels::{PermittedChannels, ServerChannel},
        subscriptions::Source,
    },
};
use crate::{
    channel::Capabilities,
    model::{
        ChannelName, ClientInfo, Data, Disconnect, ErrorCode, RecoverFrom, Refusal, RevocableToken, ServerCommand, SubscriptionSide, Tick,
    },
    protocol::{Command, ConnectRequest, Reply, Request},
};
use std::sync::Arc;

/// A session that handles its connect command.
#[derive(Debug)]
pub(super) struct Connecting {
    start: SessionStart,
    command: u32,
    deadline: Tick,
    /// The positions that the client remembers, by channel.
    recover: Vec<(String, Option<RecoverFrom>)>,
    resolves_numbers: bool,
    /// When the token was issued.
    issued: Option<u64>,
    /// What the token allows in channels.
    capabilities: Option<Box<Capabilities>>,
    /// Who named the user.
    named_by: NamedBy,
    /// Whether the connection has the meta of its token.
    has_token_meta: bool,
    /// What the service that lets the connection in says to the application.
    data: Option<Data>,
    /// The answer of that service, if it is valid for a limited time.
    renewal: Option<Box<Renewal<ConnectQuestion>>>,
    /// The channels to which the frontend may subscribe, if the connection is subscribed to none of them.
    permitted: Option<Box<PermittedChannels>>,
    /// Commands that arrived before the reply.
    queued_commands: Vec<Command>,
    /// Commands of services that arrived before the reply, and when they arrived.
    queued_server_commands: Vec<(Tick, ServerCommand)>,
    /// The operation in flight. Attaches have their own.
    op: Option<OpId>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Authenticating,
    /// The user is known, and services reach the connection under it.
    ReadingSubscriptions {
        user: AuthenticatedUser,
        /// The channels that last as long as the connection, and who gives them.
        channels: Vec<(ChannelName, Source)>,
    },
    Attaching {
        user: AuthenticatedUser,
        attaches: Vec<PendingAttach>,
    },
}

#[derive(Clone, Debug)]
struct AuthenticatedUser {
    info: Arc<ClientInfo>,
    expiry: Option<Expiry>,
}

/// A server-side subscription that will be part of the reply.
#[derive(Debug)]
struct PendingAttach {
    channel: ChannelName,
    expires_at: Option<Tick>,
    source: Source,
    state: AttachState,
}

#[derive(Debug)]
enum AttachState {
    InFlight(OpId),
    Failed,
    Attached(Attached),
}

/// A server-side subscription with which a connection starts.
#[derive(Debug)]
pub(super) struct InitialSubscription {
    pub(super) channel: ChannelName,
    pub(super) expires_at: Option<Tick>,
    pub(super) source: Source,
    pub(super) attached: Attached,
}

/// What a connected session starts with.
#[derive(Debug)]
pub(super) struct ConnectResult {
    pub(super) start: SessionStart,
    pub(super) command: u32,
    pub(super) info: Arc<ClientInfo>,
    pub(super) resolves_numbers: bool,
    pub(super) issued: Option<u64>,
    pub(super) capabilities: Option<Box<Capabilities>>,
    pub(super) has_token_meta: bool,
    pub(super) expiry: Option<Expiry>,
    pub(super) data: Option<Data>,
    pub(super) renewal: Option<Box<Renewal<ConnectQuestion>>>,
    pub(super) permitted: Option<Box<PermittedChannels>>,
    pub(super) subscriptions: Vec<InitialSubscription>,
    pub(super) queued_commands: Vec<Command>,
    pub(super) queued_server_commands: Vec<(Tick, ServerCommand)>,
}

/// The state of a connect after an input.
pub(super) enum ConnectProgress {
    Pending,
    Connected(Box<ConnectResult>),
    /// The reply is an error. No channel is attached.
    Refused,
}

impl Connecting {
    pub(super) fn begin(cx: &mut Context<'_>, command: u32, request: ConnectRequest, start: SessionStart) -> Self {
        Self {
            start,
            command,
            deadline: cx.now.after(cx.config.attach_timeout),
            recover: request.subs,
            resolves_numbers: request.resolves_numbers,
            issued: None,
            capabilities: None,
            named_by: NamedBy::Token,
            has_token_meta: false,
            data: None,
            renewal: None,
            permitted: None,
            queued_commands: Vec::new(),
            queued_server_commands: Vec::new(),
            op: Some(cx.start(Op::Authenticate(ConnectQuestion { token: request.token, data: request.data }))),
            stage: Stage::Authenticating,
        }
    }

    pub(super) fn phase(&self) -> PhaseName {
        match self.stage {
            Stage::Authenticating => PhaseName::Authenticating,
            Stage::ReadingSubscriptions { .. } => PhaseName::ReadingSubscriptions,
            Stage::Attaching { .. } => PhaseName::Attaching,
        }
    }

    /// The user, once it is known.
    pub(super) fn info(&self) -> Option<&ClientInfo> {
        match &self.stage {
            Stage::Authenticating => None,
            Stage::ReadingSubscriptions { user, .. } | Stage::Attaching { user, .. } => Some(&user.info),
        }
    }

    // NL-5.7
    pub(super) fn deadline(&self) -> Tick {
        self.deadline
    }

    pub(super) fn wants_input(&self, config: &SessionConfig) -> bool {
        self.queued_commands.len() < config.max_in_flight
    }

    pub(super) fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Result<ConnectProgress, CloseReason> {
        match input {
            Input::Command(command) => self.queue(cx, command).map(|()| ConnectProgress::Pending),
            Input::Server(ServerCommand::Disconnect { code, reason }) => Err(CloseReason::new(code, &reason)),
            Input::Server(ServerCommand::Revoke(revocation)) => {
                check_revocation(&revocation, self.issued).map(|()| ConnectProgress::Pending)
            }
            Input::Server(command) if self.queued_server_commands.len() < cx.config.max_in_flight => {
                self.queued_server_commands.push((cx.now, command));
                Ok(ConnectProgress::Pending)
            }
            Input::Server(_) => Ok(self.fail(cx, temporary("services sent too many commands before the connect ended"))),
            Input::Done(op, outcome) => self.done(cx, op, outcome),
            Input::PublicationsLost(channel) if self.is_attached(&channel) => {
                Ok(self.fail(cx, temporary("publications were lost before the connect ended")))
            }
            Input::Timer if self.deadline <= cx.now => Ok(self.fail(cx, temporary("the connect took too long"))),
            Input::PublicationsLost(_) | Input::ControlPong | Input::NotRead | Input::Timer => Ok(ConnectProgress::Pending),
        }
    }

    /// Further commands may arrive in the same message as the connect. They wait for its reply.
    fn queue(&mut self, cx: &mut Context<'_>, command: Command) -> Result<(), CloseReason> {
        match command.request {
            Request::Connect(_) => return Err(CloseReason::bad_request("connect was sent twice")),
            Request::Pong => {}
            _ if self.queued_commands.len() < cx.config.max_waiting() => self.queued_commands.push(command),
            _ if command.id == 0 => return Err(Disconnect::TooManyRequests.into()),
            _ => cx.refuse(command.id, ErrorCode::TooManyRequests),
        }
        Ok(())
    }

    fn done(&mut self, cx: &mut Context<'_>, op: OpId, outcome: Outcome) -> Result<ConnectProgress, CloseReason> {
        if self.op.take_if(|expected| *expected == op).is_none() {
            return Ok(self.attach_ended(cx, op, outcome));
        }
        match (&self.stage, outcome) {
            (Stage::Authenticating, Outcome::Authenticated(identity)) => self.authenticated(cx, *identity),
            (Stage::Authenticating, Outcome::InvalidToken(refusal)) => Err(CloseReason::invalid_token(&refusal.detail)),
            (Stage::Authenticating | Stage::ReadingSubscriptions { .. }, Outcome::Disconnect { code, reason }) => {
                Err(CloseReason::new(code, &reason))
            }
            (Stage::Authenticating, Outcome::CallFailed { code, message, temporary }) => {
                Ok(self.fail(cx, Reply::CallFailed { code, message, temporary }))
            }
            (Stage::ReadingSubscriptions { .. }, Outcome::Subscriptions(stored)) => self.subscriptions_read(cx, stored),
            // The service may have answered before it revoked the user. When the client connects again, the service is asked again.
            (Stage::ReadingSubscriptions { .. }, Outcome::Failed(Refusal { code: ErrorCode::TokenExpired, .. }))
                if self.named_by == NamedBy::Service =>
            {
                Ok(self.fail(cx, temporary("the user was disconnected by a service at this moment")))
            }
            (_, other) => Ok(self.fail(cx, other.into_refusal())),
        }
    }

    /// Services reach the connection under its user from now on.
    fn authenticated(&mut self, cx: &mut Context<'_>, identity: Identity) -> Result<ConnectProgress, CloseReason> {
        let Ok(expiry) = Expiry::begin(cx, identity.expires_in) else {
            return Ok(self.fail(cx, ErrorCode::TokenExpired));
        };
        let Identity { user, issued, claims, info, meta, channels, permit, capabilities, .. } = identity;
        let token = RevocableToken { user: user.clone(), issued, claims: claims.clone() };
        let info = Arc::new(ClientInfo { user, client: cx.connection, conn_info: info, chan_info: None });
        self.issued = issued;
        self.capabilities = capabilities;
        let mut given: Vec<_> = ChannelName::personal(&info.user).into_iter().map(|channel| (channel, Source::Server)).collect();
        let mut of_service = None;
        if let Some(permit) = permit {
            given.extend(permit.channels.into_iter().map(|channel| (channel, Source::Server)));
            self.named_by = permit.named_by;
            self.data = permit.data;
            self.renewal = permit.renewal.map(|(valid, question)| Box::new(Renewal::begin(cx, question, valid)));
            of_service = permit.meta;
        }
        self.has_token_meta = of_service.is_none() && meta.is_some();
        if let Some(meta) = of_service.or(meta) {
            cx.emit(Action::SetMeta(Some(meta)));
        }
        let channels = given.into_iter().chain(channels.into_iter().map(|channel| (channel, Source::ConnectionToken))).collect();
        cx.emit(Action::Register(info.clone(), claims));
        let user = AuthenticatedUser { info, expiry };
        if token.targets().next().is_none() {
            return self.attach_all(cx, PhaseEvent::AnonymousAuthenticated, user, channels, Vec::new());
        }
        self.op = Some(cx.start(Op::Subscriptions(token)));
        self.enter(PhaseEvent::UserAuthenticated, Stage::ReadingSubscriptions { user, channels });
        Ok(ConnectProgress::Pending)
    }

    fn subscriptions_read(&mut self, cx: &mut Context<'_>, stored: Vec<ServerSubscription>) -> Result<ConnectProgress, CloseReason> {
        let Stage::ReadingSubscriptions { user, channels } = &mut self.stage else { return Ok(ConnectProgress::Pending) };
        let (user, channels) = (user.clone(), std::mem::take(channels));
        self.attach_all(cx, PhaseEvent::SubscriptionsRead, user, channels, stored)
    }

    fn attach_all(
        &mut self,
        cx: &mut Context<'_>,
        event: PhaseEvent,
        user: AuthenticatedUser,
        channels: Vec<(ChannelName, Source)>,
        stored: Vec<ServerSubscription>,
    ) -> Result<ConnectProgress, CloseReason> {
        let planned = server_channels(cx.now, channels, stored);
        let (page_shares, limit) = (planned.len(), cx.config.max_subscriptions);
        let by_services = planned.iter().filter(|it| it.source == Source::Service).count();
        let by_token = planned.len() - by_services;
        if by_token > limit {
            let why = format!("the token leads to {by_token} channels, including the personal one; a connection may have {limit}");
            return Err(CloseReason::new(Disconnect::ChannelLimit.code(), &why));
        }
        if by_services > limit {
            // Services may end some of these subscriptions at any time. So the client has to connect again.
            let detail = format!("services have subscribed this user to {by_services} channels; a connection may have {limit}");
            return Ok(self.fail(cx, Refusal::new(ErrorCode::ServiceUnavailable, detail)));
        }
        if let Some((channel, why)) = planned.iter().find_map(|it| Some((&it.channel, cx.config.namespaces.checked(&it.channel).err()?))) {
            let detail = format!("there is no channel {channel}, because its name {why}");
            return Ok(self.fail(cx, Refusal::new(Refusal::from(why).code, detail)));
        }
        let attaches = match self.start.server_side {
            ServerSide::Subscribes => planned.into_iter().map(|it| self.attach(cx, it, &user.info, page_shares)).collect(),
            ServerSide::Permits => {
                self.permitted = Some(Box::new(PermittedChannels::new(planned)));
                Vec::new()
            }
        };
        self.enter(event, Stage::Attaching { user, attaches });
        Ok(self.finish_if_attached())
    }

    fn attach(&self, cx: &mut Context<'_>, planned: ServerChannel, info: &Arc<ClientInfo>, page_shares: usize) -> PendingAttach {
        let ServerChannel { channel, expires_at, source } = planned;
        let recover = self.recover.iter().find(|(name, _)| name == channel.as_str()).and_then(|(_, from)| from.clone());
        let attach = Attach {
            channel: channel.clone(),
            recover,
            info: info.clone(),
            side: SubscriptionSide::Server,
            join_leave: false,
            compact: false,
            delta: false,
            tags_filter: None,
            form: None,
            page_shares,
            within: self.deadline.since(cx.now),
        };
        PendingAttach { channel, expires_at, source, state: AttachState::InFlight(cx.start(Op::Attach(attach))) }
    }

    fn attach_ended(&mut self, cx: &mut Context<'_>, op: OpId, outcome: Outcome) -> ConnectProgress {
        let Stage::Attaching { attaches, .. } = &mut self.stage else { return ConnectProgress::Pending };
        let Some(ended) = attaches.iter_mut().find(|it| matches!(it.state, AttachState::InFlight(id) if id == op)) else {
            return ConnectProgress::Pending;
        };
        match ended.end(outcome) {
            Ok(()) => self.finish_if_attached(),
            Err(refusal) => self.fail(cx, refusal),
        }
    }

    fn finish_if_attached(&mut self) -> ConnectProgress {
        let Stage::Attaching { user, attaches } = &mut self.stage else { return ConnectProgress::Pending };
        if !attaches.iter().all(PendingAttach::is_attached) {
            return ConnectProgress::Pending;
        }
        ConnectProgress::Connected(Box::new(ConnectResult {
            start: self.start,
            command: self.command,
            info: user.info.clone(),
            resolves_numbers: self.resolves_numbers,
            issued: self.issued,
            capabilities: self.capabilities.take(),
            has_token_meta: self.has_token_meta,
            expiry: user.expiry,
            data: self.data.take(),
            renewal: self.renewal.take(),
            permitted: self.permitted.take(),
            subscriptions: attaches.drain(..).filter_map(PendingAttach::into_subscription).collect(),
            queued_commands: std::mem::take(&mut self.queued_commands),
            queued_server_commands: std::mem::take(&mut self.queued_server_commands),
        }))
    }

    fn enter(&mut self, event: PhaseEvent, stage: Stage) {
        let before = self.phase();
        self.stage = stage;
        debug_assert_eq!(PHASES.next(before, event), Ok(self.phase()));
    }

    // NL-5.9
    /// Answers the connect and all queued commands with errors, and detaches every channel.
    fn fail(&mut self, cx: &mut Context<'_>, error: impl Into<Reply>) -> ConnectProgress {
        if let Some(op) = self.op.take() {
            cx.emit(Action::Cancel(op));
        }
        if let Stage::Attaching { attaches, .. } = &mut self.stage {
            for it in attaches.drain(..) {
                if let AttachState::InFlight(op) = it.state {
                    cx.emit(Action::Cancel(op));
                }
                cx.emit(Action::Detach(it.channel, None));
            }
        }
        cx.refuse(self.command, error);
        for command in self.queued_commands.drain(..).filter(|command| command.id > 0) {
            cx.refuse(command.id, Refusal::new(ErrorCode::Unauthorized, "connect was refused"));
        }
        ConnectProgress::Refused
    }

    fn is_attached(&self, channel: &ChannelName) -> bool {
        match &self.stage {
            Stage::Authenticating | Stage::ReadingSubscriptions { .. } => false,
            Stage::Attaching { attaches, .. } => attaches.iter().any(|it| it.channel == *channel && it.is_attached()),
        }
    }
}

impl PendingAttach {
    fn end(&mut self, outcome: Outcome) -> Result<(), Refusal> {
        self.state = AttachState::Failed;
        match outcome {
            Outcome::Attached(attached) => self.state = AttachState::Attached(attached),
            Outcome::Failed(refusal) => return Err(temporary(&format!("cannot subscribe to {}: {}", self.channel, refusal.detail))),
            other => return Err(other.into_refusal()),
        }
        Ok(())
    }

    fn is_attached(&self) -> bool {
        matches!(self.state, AttachState::Attached(_))
    }

    fn into_subscription(self) -> Option<InitialSubscription> {
        let Self { channel, expires_at, source, state } = self;
        match state {
            AttachState::Attached(attached) => Some(InitialSubscription { channel, expires_at, source, attached }),
            AttachState::InFlight(_) | AttachState::Failed => None,
        }
    }
}

/// An error upon which the SDK connects again after a pause.
fn temporary(why: &str) -> Refusal {
    Refusal::new(ErrorCode::Internal, why)
}

/// Each channel once, ordered by name. Of several who give a channel, the first counts: the gateway and the service that let the connection in before
/// the token, and those before other services, because theirs last as long as the connection.
fn server_channels(now: Tick, channels: Vec<(ChannelName, Source)>, stored: Vec<ServerSubscription>) -> Vec<ServerChannel> {
    let lasting = channels.into_iter().map(|(channel, source)| ServerChannel { channel, expires_at: None, source });
    let stored = stored.into_iter().map(|it| {
        let expires_at = it.expires_in.map(|left| now.after(left));
        ServerChannel { channel: it.channel, expires_at, source: Source::Service }
    });
    let mut planned: Vec<_> = lasting.chain(stored).collect();
    planned.sort_by(|a, b| a.channel.cmp(&b.channel));
    planned.dedup_by(|later, first| later.channel == first.channel);
    planned
}
