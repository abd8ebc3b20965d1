//! What services and the node do to a connection.

use super::{
    Action, Attach, Op, Outcome,
    open::Open,
    subscriptions::{Origin, Stage, Subscription},
    turn::{Closing, Turn},
    work::Purpose,
};
use crate::{
    model::{ChannelName, Disconnect, ErrorCode, Position, RecoverFrom, Refusal, ServerCommand, Side, Tick, Unsubscribe},
    protocol::{Push, Subscribed},
};

impl Open {
    /// Carries out what the connection heard of at this time.
    pub(super) fn serve(&mut self, turn: &mut Turn<'_>, heard: Tick, command: ServerCommand) -> Result<(), Closing> {
        match command {
            ServerCommand::Disconnect { code, reason } => Err(Closing::new(code, &reason)),
            ServerCommand::Subscribe { channel, since, expires_in } => {
                self.server_subscribe(turn, channel, since, expires_in.map(|left| heard.after(left)))
            }
            ServerCommand::Unsubscribe { channel, code } => {
                self.server_unsubscribe(turn, channel, code);
                Ok(())
            }
            ServerCommand::Message(data) => {
                turn.act(Action::Push(Push::Message(data)));
                Ok(())
            }
        }
    }

    /// Where the connection is subscribed, or about to be, only the end of what a service made can change.
    fn server_subscribe(
        &mut self,
        turn: &mut Turn<'_>,
        channel: ChannelName,
        since: Option<Position>,
        ends: Option<Tick>,
    ) -> Result<(), Closing> {
        if let Some(there) = self.subscriptions.get_mut(&channel) {
            if there.origin == Origin::Service {
                there.ends = ends;
            }
            return Ok(());
        }
        // Others do not stand in the way: these have places of their own.
        if self.subscriptions.made_by_services() >= turn.rules.max_subscriptions {
            let why = "services have subscribed this user to more channels than a connection may have";
            return Err(Closing::new(Disconnect::InsufficientState.code(), why));
        }
        let origin = Origin::Service;
        self.subscriptions.insert(Subscription { channel: channel.clone(), ends, origin, stage: Stage::Joining });
        let recover = since.map(|at| RecoverFrom { epoch: at.epoch.to_string(), offset: at.offset });
        let attach = Attach { channel: channel.clone(), recover, info: self.info.clone(), side: Side::Server, join_leave: false, among: 1 };
        let purpose = Purpose::Attach { origin, ttl: None, all_or_nothing: false };
        self.start(turn, 0, Some(channel), purpose, Op::Attach(attach));
        Ok(())
    }

    /// One that fails has no answer to say so in: the client connects anew, and the subscription is part of that.
    pub(super) fn server_attached(&mut self, turn: &mut Turn<'_>, channel: &ChannelName, outcome: Outcome) -> Result<(), Closing> {
        let Outcome::Attached(attached) = outcome else {
            return Err(Disconnect::InsufficientState.into());
        };
        if let Some(subscription) = self.subscriptions.get_mut(channel) {
            subscription.stage = Stage::Live;
        }
        let subscribed = Subscribed { position: attached.position, recovery: attached.recovery, ..Subscribed::default() };
        turn.act(Action::Push(Push::Subscribe(channel.clone(), subscribed)));
        for publication in attached.publications {
            turn.act(Action::Push(Push::Publication(channel.clone(), publication)));
        }
        turn.act(Action::GoLive(channel.clone()));
        Ok(())
    }

    fn server_unsubscribe(&mut self, turn: &mut Turn<'_>, channel: ChannelName, code: Unsubscribe) {
        let Some(Subscription { stage, origin, .. }) = self.subscriptions.get(&channel) else { return };
        match (stage, origin) {
            (Stage::Live, _) => self.end(turn, channel, code),
            (Stage::Joining, Origin::Server | Origin::Service) => {
                if let Some(flight) = self.work().and_then(|work| work.take_server_attach(&channel)) {
                    turn.act(Action::Cancel(flight.op));
                }
                self.subscriptions.remove(&channel);
                turn.act(Action::Leave(channel));
            }
            (Stage::Joining, Origin::Frontend | Origin::Token) => self.abort_subscribe(turn, &channel, unsubscribed(code)),
        }
    }

    // NL-1.8
    /// Part of a live subscription's stream was lost. A server-side subscription would be forgotten by the SDK if it were ended.
    pub(super) fn lost(&mut self, turn: &mut Turn<'_>, channel: &ChannelName) -> Result<(), Closing> {
        match self.subscriptions.get(channel) {
            Some(Subscription { stage: Stage::Live, origin, .. }) if !origin.is_frontend() => Err(Disconnect::InsufficientState.into()),
            Some(Subscription { stage: Stage::Live, .. }) => {
                self.end(turn, channel.clone(), Unsubscribe::InsufficientState);
                Ok(())
            }
            // The outcome of an attach tells by itself.
            Some(Subscription { stage: Stage::Joining, .. }) | None => Ok(()),
        }
    }

    /// Ends a live subscription. It is gone before the push says so: the client may subscribe again at once.
    fn end(&mut self, turn: &mut Turn<'_>, channel: ChannelName, code: Unsubscribe) {
        self.subscriptions.remove(&channel);
        turn.act(Action::Leave(channel.clone()));
        turn.act(Action::Push(Push::Unsubscribe(channel, code)));
    }
}

/// The answer to a subscribe that the server ended. With codes from 2500 on the SDK is to try again.
fn unsubscribed(code: Unsubscribe) -> Refusal {
    let again = code.code() >= 2500;
    Refusal::new(if again { ErrorCode::Internal } else { ErrorCode::PermissionDenied }, code.reason())
}
