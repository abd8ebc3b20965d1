//! A connected session: which command runs when, and which code gets the outcome of an operation.

use crate::{
    channel::{Capabilities, Requester},
    model::{ChannelName, ClientInfo, Disconnect, ErrorCode, MetaChange, Recovery, Tick, Unsubscribe},
    protocol::{Command, Connected, Push, Reply, Request, Subscribed},
    session::{
        Action, Attached, ConnectQuestion, Input, Op, OpId, Outcome, PingForm, SessionConfig,
        close_reason::CloseReason,
        connect::{ConnectResult, InitialSubscription},
        context::Context,
        state::{
            command_queue::{CommandQueue, PendingOp, Purpose},
            pings::PingTimer,
            renewal::Renewal,
            server_channels::PermittedChannels,
            subscriptions::{Subscription, SubscriptionEvent, Subscriptions},
        },
    },
};
use std::sync::Arc;

/// A connected session.
#[derive(Debug)]
pub(crate) struct OpenSession {
    pub(crate) info: Arc<ClientInfo>,
    /// Whether the client finds a channel by its number.
    pub(super) resolves_numbers: bool,
    /// When the connection expires.
    pub(super) expires_at: Option<Tick>,
    /// When the current token was issued.
    pub(super) issued: Option<u64>,
    /// What the current token allows in channels; none: it does not say. Boxed, because most tokens do not.
    pub(super) capabilities: Option<Box<Capabilities>>,
    /// Whether the connection has the meta of its token, and no service has replaced it.
    pub(super) has_token_meta: bool,
    /// What the service that let the connection in answered, if that is valid for a limited time. Boxed, because most connections have none.
    pub(super) renewal: Option<Box<Renewal<ConnectQuestion>>>,
    pub(crate) subscriptions: Subscriptions,
    /// The channels to which the frontend may subscribe. None where the connection is subscribed to them.
    pub(super) permitted: Option<Box<PermittedChannels>>,
    pings: PingTimer,
    /// None while it would be empty, as in most sessions: idle connections have to be small.
    queue: Option<Box<CommandQueue>>,
}

impl OpenSession {
    /// Answers the connect command, and runs the commands that arrived before this answer.
    pub(crate) fn begin(cx: &mut Context<'_>, connected: ConnectResult) -> Result<Self, CloseReason> {
        let ConnectResult {
            start,
            command,
            info,
            resolves_numbers,
            issued,
            capabilities,
            has_token_meta,
            expiry,
            data,
            renewal,
            permitted,
            subscriptions,
            queued_commands,
            queued_server_commands,
        } = connected;
        let mut open = Self {
            info,
            resolves_numbers,
            expires_at: expiry.map(|it| it.expires_at),
            issued,
            capabilities,
            has_token_meta,
            renewal,
            permitted,
            subscriptions: Subscriptions::default(),
            pings: PingTimer::start(cx.now, cx.config, start),
            queue: None,
        };
        let (subs, after_reply) = open.begin_subscriptions(subscriptions);
        let connected = Connected {
            client: cx.connection,
            time_ms: start.clock.unix_ms_at(cx.now),
            node: cx.config.node.clone(),
            ping: start.ping_form.is_message().then(|| start.ping_form.interval(cx.config).as_secs() as u32),
            pong: start.ping_form.has_pong(),
            session: None,
            ttl: expiry.map(|it| it.ttl),
            data,
            subs,
        };
        cx.reply(command, Reply::Connect(Box::new(connected)));
        cx.actions.extend(after_reply);
        for (arrived_at, command) in queued_server_commands {
            open.server_command(cx, arrived_at, command)?;
        }
        for command in queued_commands {
            open.command(cx, command)?;
        }
        open.run_waiting(cx)?;
        Ok(open)
    }

    /// Returns the server-side subscriptions for the connect reply, and the actions that follow it.
    fn begin_subscriptions(&mut self, initial: Vec<InitialSubscription>) -> (Vec<(ChannelName, Subscribed)>, Vec<Action>) {
        let (mut subs, mut pushes, mut live) = (Vec::with_capacity(initial.len()), Vec::new(), Vec::with_capacity(initial.len()));
        for InitialSubscription { channel, expires_at, source, attached } in initial {
            self.subscriptions.insert(Subscription::begin(channel.clone(), source, expires_at, SubscriptionEvent::Connect));
            let Attached { position, recovery, publications, .. } = attached;
            let mut subscribed = Subscribed { position, recovery, publications, ..Subscribed::default() };
            if subscribed.recovery != Recovery::Recovered {
                // The SDK ignores the publications of a connect reply unless the recovery succeeded.
                let publications = std::mem::take(&mut subscribed.publications);
                pushes.extend(publications.into_iter().map(|it| Action::Push(Push::Publication(channel.clone(), it))));
            }
            live.push(Action::GoLive(channel.clone()));
            subs.push((channel, subscribed));
        }
        // The reply and these pushes go out as one message. An empty outbox accepts a message of any size. GoLive waits for room in the outbox.
        pushes.append(&mut live);
        (subs, pushes)
    }

    pub(crate) fn deadline(&self) -> Tick {
        let expiries = [self.expires_at, self.renewal.as_ref().map(|renewal| renewal.deadline()), self.subscriptions.next_deadline()];
        expiries.into_iter().flatten().fold(self.pings.deadline(), Tick::min)
    }

    pub(crate) fn wants_input(&self, config: &SessionConfig) -> bool {
        self.queue.as_ref().is_none_or(|queue| queue.len() < config.max_in_flight)
    }

    pub(crate) fn handle(&mut self, cx: &mut Context<'_>, input: Input) -> Result<(), CloseReason> {
        let was_reading = self.wants_input(cx.config);
        match input {
            Input::Command(command) => self.command(cx, command)?,
            Input::ControlPong => self.pings.pong(PingForm::ControlFrame),
            Input::Server(command) => self.server_command(cx, cx.now, command)?,
            Input::Done(op, outcome) => self.done(cx, op, outcome)?,
            Input::PublicationsLost(channel) => self.publications_lost(cx, &channel)?,
            Input::NotRead => self.pings.extend_pong_deadline(cx.now, cx.config),
            Input::Timer => self.timer(cx)?,
        }
        self.run_waiting(cx)?;
        if !was_reading && self.wants_input(cx.config) {
            self.pings.extend_pong_deadline(cx.now, cx.config);
        }
        Ok(())
    }

    fn command(&mut self, cx: &mut Context<'_>, command: Command) -> Result<(), CloseReason> {
        if matches!(command.request, Request::Pong) {
            self.pings.pong(PingForm::Message);
            return Ok(());
        }
        if self.queue.as_ref().is_some_and(|queue| queue.len() >= cx.config.max_waiting()) {
            return refuse_excess(cx, &command);
        }
        if command.request.changes_subscription() {
            self.supersede(cx, command.request.channel());
        }
        match &mut self.queue {
            Some(queue) => {
                queue.push(command);
                self.run_waiting(cx)
            }
            None => self.run(cx, command),
        }
    }

    /// Runs the waiting commands that may run now.
    fn run_waiting(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        while let Some(command) = self.queue.as_mut().and_then(|queue| queue.pop(cx.config.max_in_flight)) {
            self.run(cx, command)?;
        }
        if self.queue.as_ref().is_some_and(|queue| queue.is_empty()) {
            self.queue = None;
        }
        Ok(())
    }

    fn run(&mut self, cx: &mut Context<'_>, Command { id, request }: Command) -> Result<(), CloseReason> {
        let result = match request {
            Request::Connect(_) => return Err(CloseReason::bad_request("connect was sent twice")),
            Request::Send { data } => return self.send(cx, id, &data),
            Request::Refused(refusal) if id == 0 => return Err(CloseReason::bad_request(&refusal.detail)),
            Request::Refused(refusal) => Err(refusal),
            Request::Subscribe(request) => self.subscribe(cx, id, request),
            Request::Unsubscribe { channel } => {
                self.unsubscribe(cx, id, &channel);
                Ok(())
            }
            Request::Publish { channel, content, tags } => self.publish(cx, id, &channel, content, tags),
            Request::PublishReply { channel, content, tags } => self.publish_reply(cx, id, &channel, content, tags),
            Request::Presence { channel } => self.presence(cx, id, &channel),
            Request::PresenceStats { channel } => self.presence_stats(cx, id, &channel),
            Request::History(request) => self.history(cx, id, request),
            Request::Rpc { method, data } => {
                self.start(cx, id, None, Purpose::Answer, Op::Call { method, data });
                Ok(())
            }
            Request::Refresh { token } => {
                let kept = self.renewal.is_some().then(|| token.clone());
                self.start(cx, id, None, Purpose::Refresh(kept), Op::Refresh { token });
                Ok(())
            }
            Request::SubRefresh { channel, token } => self.sub_refresh(cx, id, &channel, token),
            Request::Ping => {
                cx.reply(id, Reply::Ping);
                Ok(())
            }
            Request::Pong => Ok(()),
        };
        if let Err(refusal) = result {
            cx.refuse(id, refusal);
        }
        Ok(())
    }

    fn done(&mut self, cx: &mut Context<'_>, op: OpId, outcome: Outcome) -> Result<(), CloseReason> {
        let Some(ended) = self.queue.as_mut().and_then(|queue| queue.op_ended(op)) else { return Ok(()) };
        let PendingOp { command, channel, purpose, .. } = ended;
        if let Outcome::Disconnect { code, reason } = outcome {
            return Err(CloseReason::new(code, &reason));
        }
        match (purpose, channel) {
            (Purpose::Answer, _) => self.answer(cx, command, outcome),
            (Purpose::Refresh(token), _) => self.refreshed(cx, command, token, outcome)?,
            (Purpose::RenewConnection, _) => self.connection_renewed(cx, op, outcome)?,
            (Purpose::RenewSubscription(channel), _) => self.subscription_renewed(cx, op, channel, outcome),
            (Purpose::Authorize { request, deadline }, Some(channel)) => {
                self.authorized(cx, command, channel, (*request, deadline), outcome);
            }
            (Purpose::Attach { source, .. }, Some(channel)) if !source.is_frontend() => self.server_attached(cx, &channel, outcome)?,
            (Purpose::Attach { ttl, all_or_nothing, data, .. }, Some(channel)) => {
                self.attached(cx, command, &channel, (ttl, data), all_or_nothing, outcome);
            }
            (Purpose::SubRefresh, Some(channel)) => self.sub_refreshed(cx, command, &channel, outcome),
            (Purpose::Authorize { .. } | Purpose::Attach { .. } | Purpose::SubRefresh, None) => {}
        }
        Ok(())
    }

    fn timer(&mut self, cx: &mut Context<'_>) -> Result<(), CloseReason> {
        if self.is_over(cx.now) {
            return Err(Disconnect::Expired.into());
        }
        let ping = self.pings.check(cx.now, cx.config, self.wants_input(cx.config))?;
        while let Some(expired) = self.subscriptions.end_expired(cx.now) {
            cx.emit(Action::Detach(expired.clone(), Some(Unsubscribe::Expired)));
            cx.emit(Action::Push(Push::Unsubscribe(expired, Unsubscribe::Expired)));
        }
        self.renew(cx);
        if let Some(ping) = ping {
            cx.emit(ping);
        }
        Ok(())
    }

    /// Answers a command with the outcome of its operation. Most events have no id and no answer: the code that sends them to the service counts the
    /// failures.
    fn answer(&mut self, cx: &mut Context<'_>, command: u32, outcome: Outcome) {
        if command == 0 {
            return;
        }
        if let Outcome::Called { meta: MetaChange::Set(meta), .. } = &outcome {
            self.has_token_meta = false;
            cx.emit(Action::SetMeta(meta.clone()));
        }
        let reply = match outcome {
            Outcome::Published => Reply::Publish,
            Outcome::Sent => Reply::Sent,
            Outcome::Presence(clients) => Reply::Presence(clients),
            Outcome::PresenceStats(stats) => Reply::PresenceStats(stats),
            Outcome::History { position, publications } => Reply::History { position, publications },
            Outcome::Called { data, .. } => Reply::Rpc(data),
            Outcome::CallFailed { code, message, temporary } => Reply::CallFailed { code, message, temporary },
            other => Reply::Error(other.into_refusal()),
        };
        cx.reply(command, reply);
    }

    pub(super) fn start(&mut self, cx: &mut Context<'_>, command: u32, channel: Option<ChannelName>, purpose: Purpose, op: Op) -> OpId {
        let op = cx.start(op);
        self.queue.get_or_insert_default().op_started(PendingOp { op, command, channel, purpose });
        op
    }

    /// Who asks, for permissions.
    pub(super) fn requester(&self) -> Requester<'_> {
        Requester { user: &self.info.user, capabilities: self.capabilities.as_deref() }
    }

    pub(super) fn queue(&mut self) -> Option<&mut CommandQueue> {
        self.queue.as_deref_mut()
    }
}

/// Refuses a command that exceeds the number of waiting commands. A command without an id cannot be answered and closes the connection.
fn refuse_excess(cx: &mut Context<'_>, command: &Command) -> Result<(), CloseReason> {
    if command.id == 0 {
        return Err(Disconnect::TooManyRequests.into());
    }
    cx.refuse(command.id, ErrorCode::TooManyRequests);
    Ok(())
}
