//! Subscriptions that the frontend asks for.

use super::{
    Action, Attach, Op, Outcome,
    expiry::Expiry,
    open::{Open, refusal},
    subscriptions::{Origin, Stage, Subscription},
    turn::Turn,
    work::{Flight, Purpose},
};
use crate::{
    channel::{SubscribeAccess, subscribe_access},
    model::{ChannelName, ClientInfo, ErrorCode, InvalidName, Recovery, Refusal, SubscriptionSide},
    protocol::{Reply, SubscribeRequest, Subscribed},
};
use std::sync::Arc;

/// A channel's name as a command gave it.
pub(super) fn parse(channel: &str) -> Result<ChannelName, Refusal> {
    channel.parse().map_err(|why: InvalidName| Refusal::new(ErrorCode::BadRequest, format!("the channel's name {why}")))
}

impl Open {
    pub(super) fn subscribe(&mut self, turn: &mut Turn<'_>, command: u32, request: Box<SubscribeRequest>) -> Result<(), Refusal> {
        let channel = parse(&request.channel)?;
        if self.work().is_some_and(|work| work.supersedes(&channel)) {
            return Err(superseded());
        }
        let options = turn.rules.options(&channel)?;
        let access = subscribe_access(options, &channel, &self.info.user, !request.token.is_empty());
        if access == SubscribeAccess::Denied {
            return Err(ErrorCode::PermissionDenied.into());
        }
        if self.subscriptions.get(&channel).is_some() {
            return Err(ErrorCode::AlreadySubscribed.into());
        }
        if self.subscriptions.len() >= turn.rules.max_subscriptions {
            let detail = format!("a connection may have {} subscriptions", turn.rules.max_subscriptions);
            return Err(Refusal::new(ErrorCode::LimitExceeded, detail));
        }
        let origin = if access == SubscribeAccess::WithToken { Origin::Token } else { Origin::Frontend };
        self.subscriptions.insert(Subscription { channel: channel.clone(), ends: None, origin, stage: Stage::Joining });
        if origin == Origin::Token {
            let op = Op::Authorize { channel: channel.clone(), token: request.token.clone() };
            self.start(turn, command, Some(channel), Purpose::Authorize(request), op);
        } else {
            let info = self.info.clone();
            self.attach(turn, command, channel, *request, info, None);
        }
        Ok(())
    }

    /// The token of a subscribe was checked.
    pub(super) fn authorized(
        &mut self,
        turn: &mut Turn<'_>,
        command: u32,
        channel: ChannelName,
        request: SubscribeRequest,
        outcome: Outcome,
    ) {
        let (info, expires_in) = match outcome {
            Outcome::Authorized { info, expires_in } => (info, expires_in),
            other => return self.refuse_subscribe(turn, command, &channel, of_token(other)),
        };
        let Ok(expiry) = Expiry::begin(turn, expires_in) else {
            return self.refuse_subscribe(turn, command, &channel, ErrorCode::TokenExpired.into());
        };
        let info = match info {
            Some(info) => Arc::new(ClientInfo { chan_info: Some(info), ..(*self.info).clone() }),
            None => self.info.clone(),
        };
        self.attach(turn, command, channel, request, info, expiry);
    }

    fn attach(
        &mut self,
        turn: &mut Turn<'_>,
        command: u32,
        channel: ChannelName,
        request: SubscribeRequest,
        info: Arc<ClientInfo>,
        expiry: Option<Expiry>,
    ) {
        let Some(subscription) = self.subscriptions.get_mut(&channel) else { return };
        subscription.ends = expiry.map(|it| it.ends);
        let purpose = Purpose::Attach { origin: subscription.origin, ttl: expiry.map(|it| it.ttl), all_or_nothing: request.all_or_nothing };
        let join_leave = request.join_leave && turn.rules.options(&channel).is_ok_and(|options| options.join_leave);
        let attach =
            Attach { channel: channel.clone(), recover: request.recover, info, side: SubscriptionSide::Client, join_leave, among: 1 };
        self.start(turn, command, Some(channel), purpose, Op::Attach(attach));
    }

    /// The channel was joined, or not.
    pub(super) fn attached(
        &mut self,
        turn: &mut Turn<'_>,
        command: u32,
        channel: &ChannelName,
        ttl: Option<u32>,
        all_or_nothing: bool,
        outcome: Outcome,
    ) {
        let attached = match outcome {
            Outcome::Attached(attached) if all_or_nothing && attached.recovery == Recovery::Lost => {
                turn.act(Action::Leave(channel.clone()));
                return self.refuse_subscribe(turn, command, channel, ErrorCode::UnrecoverablePosition.into());
            }
            Outcome::Attached(attached) => attached,
            other => {
                turn.act(Action::Leave(channel.clone()));
                return self.refuse_subscribe(turn, command, channel, refusal(other));
            }
        };
        if let Some(subscription) = self.subscriptions.get_mut(channel) {
            subscription.stage = Stage::Live;
        }
        let subscribed = Subscribed { position: attached.position, recovery: attached.recovery, publications: attached.publications, ttl };
        turn.reply(command, Reply::Subscribe(Box::new(subscribed)));
        turn.act(Action::GoLive(channel.clone()));
    }

    fn refuse_subscribe(&mut self, turn: &mut Turn<'_>, command: u32, channel: &ChannelName, refusal: Refusal) {
        self.subscriptions.remove(channel);
        turn.refuse(command, refusal);
    }

    /// Always succeeds: the SDK drops the whole connection where it does not.
    pub(super) fn unsubscribe(&mut self, turn: &mut Turn<'_>, command: u32, channel: &str) {
        if let Some(ended) = self.subscriptions.remove(channel) {
            turn.act(Action::Leave(ended.channel));
        }
        turn.reply(command, Reply::Unsubscribe);
    }

    /// A newer subscribe or unsubscribe ends a subscribe that is under way.
    ///
    /// Its answer is an error that is not temporary, so that a client which still waits for it does not try again against its own newer
    /// command. The SDK waits no longer: it drops the answer.
    pub(super) fn supersede(&mut self, turn: &mut Turn<'_>, channel: Option<&str>) {
        if let Some(channel) = channel {
            self.abort_subscribe(turn, channel, superseded());
        }
    }

    /// Ends a subscribe that is under way, with this answer.
    pub(super) fn abort_subscribe(&mut self, turn: &mut Turn<'_>, channel: &str, refusal: Refusal) {
        let Some(Flight { op, command, channel: Some(channel), purpose }) = self.work().and_then(|work| work.take_subscribe(channel))
        else {
            return;
        };
        turn.act(Action::Cancel(op));
        if matches!(purpose, Purpose::Attach { .. }) {
            turn.act(Action::Leave(channel.clone()));
        }
        self.refuse_subscribe(turn, command, &channel, refusal);
    }
}

fn superseded() -> Refusal {
    Refusal::new(ErrorCode::BadRequest, "a later subscribe or unsubscribe of the same channel took its place")
}

/// A token for a channel that is not good costs the subscription, not the connection.
pub(super) fn of_token(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::InvalidToken(why) => Refusal::new(ErrorCode::PermissionDenied, why.detail),
        other => refusal(other),
    }
}
