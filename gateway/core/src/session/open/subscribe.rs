//! Client-side subscriptions: subscribe and unsubscribe commands.

use super::open_session::OpenSession;
use crate::{
    channel::{Capability, ChannelOptions, DeltaOption, SubscribeAccess, subscribe_access},
    model::{ChannelName, ClientInfo, Data, ErrorCode, InvalidName, Recovery, Refusal, SubscriptionSide, Tick},
    protocol::{DeliveryForm, Reply, SubscribeRequest, Subscribed},
    session::{
        Action, Attach, Attached, Occasion, Op, Outcome, SubscribePermit,
        context::Context,
        state::{
            command_queue::{PendingOp, Purpose},
            expiry::Expiry,
            renewal::Renewal,
            subscriptions::{Source, Subscription, SubscriptionEvent},
        },
    },
};
use std::sync::Arc;

/// Checks a channel name of a command.
pub(super) fn parse_channel(channel: &str) -> Result<ChannelName, Refusal> {
    channel.parse().map_err(|why: InvalidName| Refusal::new(ErrorCode::BadRequest, format!("the channel's name {why}")))
}

/// What a subscribe is made with: nothing, or what its token or the guard of its channel adds.
struct Terms {
    /// What other subscribers see of the connection.
    info: Option<Data>,
    /// When the token expires.
    expiry: Option<Expiry>,
    /// What the guard says to the application.
    data: Option<Data>,
    /// Whether the guard wants joins and leaves for the subscriber; none: as it asked.
    join_leave: Option<bool>,
    /// When the attach has to end.
    deadline: Tick,
}

impl Terms {
    fn until(deadline: Tick) -> Self {
        Self { info: None, expiry: None, data: None, join_leave: None, deadline }
    }
}

impl OpenSession {
    pub(super) fn subscribe(&mut self, cx: &mut Context<'_>, command: u32, request: Box<SubscribeRequest>) -> Result<(), Refusal> {
        let channel = parse_channel(&request.channel)?;
        if self.queue().is_some_and(|queue| queue.has_newer_subscribe(&channel)) {
            return Err(superseded());
        }
        let options = cx.config.options(&channel)?;
        let permitted = self.permitted.as_ref().and_then(|permitted| permitted.get(&channel, cx.now));
        let access = subscribe_access(options, &channel, self.requester(), !request.token.is_empty());
        if access == SubscribeAccess::Denied && permitted.is_none() {
            return Err(self.requester().denial(&channel, Capability::Subscribe));
        }
        let permitted_until = permitted.map(|permitted| permitted.expires_at);
        if request.tags_filter.is_some() {
            check_tags_filter(options, &request)?;
        }
        if self.subscriptions.get(&channel).is_some() {
            return Err(ErrorCode::AlreadySubscribed.into());
        }
        if self.subscriptions.len() >= cx.config.max_subscriptions {
            let detail = format!("a connection may have {} subscriptions", cx.config.max_subscriptions);
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        let (within, deadline) = (cx.config.attach_timeout, cx.now.after(cx.config.attach_timeout));
        let (source, event, op) = if permitted_until.is_some() {
            (Source::Token, SubscriptionEvent::Subscribe, None)
        } else if access == SubscribeAccess::WithToken {
            let op = Op::Authorize { channel: channel.clone(), token: request.token.clone() };
            (Source::Token, SubscriptionEvent::SubscribeWithToken, Some(op))
        } else if access == SubscribeAccess::ByCapability {
            (Source::Capability, SubscriptionEvent::Subscribe, None)
        } else if options.subscribe_via.is_some() {
            let op = Op::AskSubscribe { channel: channel.clone(), data: request.data.clone(), within, occasion: Occasion::Begin };
            (Source::Frontend, SubscriptionEvent::SubscribeWithGuard, Some(op))
        } else {
            (Source::Frontend, SubscriptionEvent::Subscribe, None)
        };
        self.subscriptions.insert(Subscription::begin(channel.clone(), source, permitted_until.flatten(), event));
        match op {
            Some(op) => drop(self.start(cx, command, Some(channel), Purpose::Authorize { request, deadline }, op)),
            None => self.attach(cx, command, channel, *request, Terms::until(deadline)),
        }
        Ok(())
    }

    /// The token of a subscribe was checked, or the guard of its channel was asked.
    pub(super) fn authorized(
        &mut self,
        cx: &mut Context<'_>,
        command: u32,
        channel: ChannelName,
        (request, deadline): (SubscribeRequest, Tick),
        outcome: Outcome,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&channel) else { return };
        let terms = match outcome {
            Outcome::Authorized { info, expires_in } => match Expiry::begin(cx, expires_in) {
                Ok(expiry) => Terms { info, expiry, ..Terms::until(deadline) },
                Err(_) => return self.refuse_subscribe(cx, command, &channel, ErrorCode::TokenExpired),
            },
            Outcome::Allowed(permit) => {
                let SubscribePermit { info, data, expires_in, join_leave } = *permit;
                subscription.renewal = expires_in.map(|valid| Box::new(Renewal::begin(cx, request.data.clone(), valid)));
                Terms { info, data, join_leave, ..Terms::until(deadline) }
            }
            Outcome::CallFailed { code, message, temporary } => {
                return self.refuse_subscribe(cx, command, &channel, Reply::CallFailed { code, message, temporary });
            }
            other => return self.refuse_subscribe(cx, command, &channel, other.into_subscription_refusal()),
        };
        subscription.apply(SubscriptionEvent::Authorized);
        self.attach(cx, command, channel, request, terms);
    }

    fn attach(&mut self, cx: &mut Context<'_>, command: u32, channel: ChannelName, request: SubscribeRequest, terms: Terms) {
        let Some(subscription) = self.subscriptions.get_mut(&channel) else { return };
        let Terms { info, expiry, data, join_leave, deadline } = terms;
        if let Some(expiry) = expiry {
            subscription.expires_at = Some(expiry.expires_at);
        }
        let info = match info {
            Some(info) => Arc::new(ClientInfo { chan_info: Some(info), ..(*self.info).clone() }),
            None => self.info.clone(),
        };
        let (source, all_or_nothing) = (subscription.source, request.all_or_nothing);
        let purpose = Purpose::Attach { source, ttl: expiry.map(|it| it.ttl), all_or_nothing, data };
        let options = cx.config.options(&channel);
        let join_leave = join_leave.unwrap_or(request.join_leave) && options.as_ref().is_ok_and(|options| options.join_leave);
        let delta = request.delta == "fossil" && options.is_ok_and(|options| options.delta == DeltaOption::Fossil);
        let attach = Attach {
            channel: channel.clone(),
            recover: request.recover,
            info,
            // Without the Centrifuge protocol a client cannot subscribe again by itself. It stays at a fork.
            side: if request.form.is_some() { SubscriptionSide::Server } else { SubscriptionSide::Client },
            join_leave,
            compact: request.compact && self.resolves_numbers,
            delta,
            tags_filter: request.tags_filter,
            page_shares: request.form.as_ref().map_or(1, DeliveryForm::page_shares),
            form: request.form,
            within: deadline.since(cx.now),
        };
        self.start(cx, command, Some(channel), purpose, Op::Attach(attach));
    }

    /// The attach of a subscribe ended.
    pub(super) fn attached(
        &mut self,
        cx: &mut Context<'_>,
        command: u32,
        channel: &ChannelName,
        (ttl, data): (Option<u32>, Option<Data>),
        all_or_nothing: bool,
        outcome: Outcome,
    ) {
        let attached = match outcome {
            Outcome::Attached(attached) if all_or_nothing && attached.recovery == Recovery::Lost => {
                cx.emit(Action::Detach(channel.clone(), None));
                return self.refuse_subscribe(cx, command, channel, ErrorCode::UnrecoverablePosition);
            }
            Outcome::Attached(attached) => attached,
            other => {
                cx.emit(Action::Detach(channel.clone(), None));
                return self.refuse_subscribe(cx, command, channel, other.into_refusal());
            }
        };
        if let Some(subscription) = self.subscriptions.get_mut(channel) {
            subscription.apply(SubscriptionEvent::Attached);
        }
        let Attached { position, recovery, publications, number, delta } = attached;
        let subscribed = Subscribed { position, recovery, publications, ttl, number, delta, data };
        cx.reply(command, Reply::Subscribe(Box::new(subscribed)));
        cx.emit(Action::GoLive(channel.clone()));
    }

    fn refuse_subscribe(&mut self, cx: &mut Context<'_>, command: u32, channel: &ChannelName, error: impl Into<Reply>) {
        self.subscriptions.end(channel, SubscriptionEvent::Failed);
        cx.refuse(command, error);
    }

    /// Always succeeds: upon an error the SDK would close the whole connection.
    pub(super) fn unsubscribe(&mut self, cx: &mut Context<'_>, command: u32, channel: &str) {
        if let Some(channel) = self.subscriptions.end(channel, SubscriptionEvent::Unsubscribe) {
            cx.emit(Action::Detach(channel, None));
        }
        cx.reply(command, Reply::Unsubscribe);
    }

    /// A newer subscribe or unsubscribe ends a subscribe that is under way.
    ///
    /// The subscribe gets a permanent error: a client must not repeat it, because it has sent a newer command. The SDK ignores this reply.
    pub(super) fn supersede(&mut self, cx: &mut Context<'_>, channel: Option<&str>) {
        if let Some(channel) = channel {
            self.abort_subscribe(cx, channel, superseded());
        }
    }

    /// Ends a subscribe that is under way, with this error.
    pub(super) fn abort_subscribe(&mut self, cx: &mut Context<'_>, channel: &str, refusal: Refusal) {
        let Some(PendingOp { op, command, channel: Some(channel), purpose }) =
            self.queue().and_then(|queue| queue.remove_subscribe(channel))
        else {
            return;
        };
        cx.emit(Action::Cancel(op));
        if matches!(purpose, Purpose::Attach { .. }) {
            cx.emit(Action::Detach(channel.clone(), None));
        }
        self.subscriptions.end(&channel, SubscriptionEvent::Aborted);
        cx.refuse(command, refusal);
    }
}

fn check_tags_filter(options: &ChannelOptions, request: &SubscribeRequest) -> Result<(), Refusal> {
    let bad = |detail| Err(Refusal::new(ErrorCode::BadRequest, detail));
    match (options.tags_filter, request.delta.is_empty()) {
        (false, _) => bad("channels of this namespace allow no filter (tf)"),
        (true, false) => bad("a subscription has either deltas (delta) or a filter (tf)"),
        (true, true) => Ok(()),
    }
}

fn superseded() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "a later subscribe or unsubscribe for the same channel replaced this one")
}
