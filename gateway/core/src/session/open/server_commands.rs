//! Commands of services and of the node, and lost publications.

use super::open_session::OpenSession;
use crate::{
    model::{ChannelName, Disconnect, ErrorCode, Position, RecoverFrom, Refusal, ServerCommand, SubscriptionSide, Tick, Unsubscribe},
    protocol::{Push, Subscribed},
    session::{
        Action, Attach, Op, Outcome,
        close_reason::{CloseReason, check_revocation},
        context::Context,
        state::{
            command_queue::Purpose,
            subscriptions::{Source, Subscription, SubscriptionEvent},
        },
    },
};

impl OpenSession {
    /// Carries out a command that arrived at this time.
    pub(super) fn server_command(&mut self, cx: &mut Context<'_>, arrived_at: Tick, command: ServerCommand) -> Result<(), CloseReason> {
        match command {
            ServerCommand::Disconnect { code, reason } => Err(CloseReason::new(code, &reason)),
            ServerCommand::Revoke(revocation) => check_revocation(&revocation, self.issued),
            ServerCommand::Subscribe { channel, since, expires_in } => {
                self.server_subscribe(cx, channel, since, expires_in.map(|left| arrived_at.after(left)))
            }
            ServerCommand::Unsubscribe { channel, code } => {
                self.server_unsubscribe(cx, channel, code);
                Ok(())
            }
            ServerCommand::Message { data, queue } => {
                cx.emit(Action::Push(Push::Message { data, queue }));
                Ok(())
            }
        }
    }

    /// If there is a subscription already, only the expiry can change, and only if a service made the subscription.
    fn server_subscribe(
        &mut self,
        cx: &mut Context<'_>,
        channel: ChannelName,
        since: Option<Position>,
        expires_at: Option<Tick>,
    ) -> Result<(), CloseReason> {
        if let Some(permitted) = &mut self.permitted {
            let limit = cx.config.max_subscriptions;
            permitted.permit_by_service(cx.now, limit, channel.clone(), expires_at).map_err(|_| too_many_by_services())?;
            let permission = permitted.get(&channel, cx.now).map(|permission| permission.expires_at);
            let subscription = self.subscriptions.get_mut(&channel).filter(|it| it.source == Source::Token);
            if let (Some(subscription), Some(expires_at)) = (subscription, permission) {
                subscription.expires_at = expires_at;
            }
            return Ok(());
        }
        if let Some(existing) = self.subscriptions.get_mut(&channel) {
            if existing.source == Source::Service {
                existing.expires_at = expires_at;
            }
            return Ok(());
        }
        // The limit counts subscriptions of services only. So a frontend cannot prevent them with its own.
        if self.subscriptions.made_by_services() >= cx.config.max_subscriptions {
            return Err(too_many_by_services());
        }
        let source = Source::Service;
        self.subscriptions.insert(Subscription::begin(channel.clone(), source, expires_at, SubscriptionEvent::ServerSubscribe));
        let attach = Attach {
            channel: channel.clone(),
            recover: since.map(|at| RecoverFrom { epoch: at.epoch.to_string(), offset: at.offset }),
            info: self.info.clone(),
            side: SubscriptionSide::Server,
            join_leave: false,
            compact: false,
            delta: false,
            tags_filter: None,
            form: None,
            page_shares: 1,
            within: cx.config.attach_timeout,
        };
        let purpose = Purpose::Attach { source, ttl: None, all_or_nothing: false, data: None };
        self.start(cx, 0, Some(channel), purpose, Op::Attach(attach));
        Ok(())
    }

    /// A failure closes the connection, because there is no reply that could report it. The client connects again, and the connect includes the
    /// subscription.
    pub(super) fn server_attached(&mut self, cx: &mut Context<'_>, channel: &ChannelName, outcome: Outcome) -> Result<(), CloseReason> {
        let Outcome::Attached(attached) = outcome else {
            return Err(Disconnect::InsufficientState.into());
        };
        if let Some(subscription) = self.subscriptions.get_mut(channel) {
            subscription.apply(SubscriptionEvent::Attached);
        }
        let subscribed = Subscribed { position: attached.position, recovery: attached.recovery, ..Subscribed::default() };
        cx.emit(Action::Push(Push::Subscribe(channel.clone(), subscribed)));
        for publication in attached.publications {
            cx.emit(Action::Push(Push::Publication(channel.clone(), publication)));
        }
        cx.emit(Action::GoLive(channel.clone()));
        Ok(())
    }

    fn server_unsubscribe(&mut self, cx: &mut Context<'_>, channel: ChannelName, code: Unsubscribe) {
        if let Some(permitted) = &mut self.permitted {
            permitted.withdraw(&channel);
        }
        let Some(subscription) = self.subscriptions.get(&channel) else { return };
        match (subscription.is_live(), subscription.source.is_frontend()) {
            (true, _) => self.end_live(cx, channel, SubscriptionEvent::Unsubscribe, code),
            (false, true) => self.abort_subscribe(cx, &channel, ended_by_server(code)),
            (false, false) => {
                if let Some(attach) = self.queue().and_then(|queue| queue.remove_server_attach(&channel)) {
                    cx.emit(Action::Cancel(attach.op));
                }
                self.subscriptions.end(&channel, SubscriptionEvent::Aborted);
                cx.emit(Action::Detach(channel, Some(code)));
            }
        }
    }

    // NL-1.8
    /// Publications of a live subscription were lost. Ends a client-side subscription, so that the SDK subscribes again. After the end of a
    /// server-side subscription the SDK would forget the channel, so the connection is closed and the SDK connects again.
    pub(super) fn publications_lost(&mut self, cx: &mut Context<'_>, channel: &ChannelName) -> Result<(), CloseReason> {
        match self.subscriptions.get(channel) {
            Some(subscription) if subscription.is_live() && !subscription.source.is_frontend() => Err(Disconnect::InsufficientState.into()),
            Some(subscription) if subscription.is_live() => {
                self.end_live(cx, channel.clone(), SubscriptionEvent::PublicationsLost, Unsubscribe::InsufficientState);
                Ok(())
            }
            // Not live yet: the outcome of the attach will show the loss. Without a subscription there is nothing to end.
            Some(_) | None => Ok(()),
        }
    }

    /// Ends a live subscription. It is gone before the client gets the push, because the client may subscribe again at once.
    pub(super) fn end_live(&mut self, cx: &mut Context<'_>, channel: ChannelName, event: SubscriptionEvent, code: Unsubscribe) {
        self.subscriptions.end(&channel, event);
        cx.emit(Action::Detach(channel.clone(), Some(code)));
        cx.emit(Action::Push(Push::Unsubscribe(channel, code)));
    }
}

fn too_many_by_services() -> CloseReason {
    let why = "services have given this user more channels than a connection may have";
    CloseReason::new(Disconnect::InsufficientState.code(), why)
}

/// The reply to a subscribe that the server ended. For codes from 2500 on the SDK has to subscribe again, so the error is temporary.
fn ended_by_server(code: Unsubscribe) -> Refusal {
    let temporary = code.code() >= 2500;
    Refusal::new(if temporary { ErrorCode::Internal } else { ErrorCode::PermissionDenied }, code.reason())
}
