//! A connected session: which command runs when, and where outcomes go.

use super::{
    Action, Input, Op, OpId, Outcome, Rules,
    connect::{Connection, Joined},
    pulse::Pulse,
    subscriptions::{Stage, Subscription, Subscriptions},
    turn::{Closing, Turn, revoked},
    work::{Flight, Purpose, Work},
};
use crate::{
    model::{ChannelName, ClientInfo, Disconnect, ErrorCode, Recovery, Refusal, Tick, Unsubscribe},
    protocol::{Command, Connected, Push, Reply, Request, Subscribed},
};
use std::sync::Arc;

/// A connected session.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) info: Arc<ClientInfo>,
    pub(super) ends: Option<Tick>,
    /// When its token was issued.
    pub(super) issued: Option<u64>,
    pub(super) subscriptions: Subscriptions,
    pulse: Pulse,
    /// None while nothing is under way: most sessions are idle most of the time.
    work: Option<Box<Work>>,
}

impl Open {
    /// Answers the connect command, and runs what came before the answer.
    pub(super) fn begin(turn: &mut Turn<'_>, connection: Connection, ping_phase: f32) -> Result<Self, Closing> {
        let Connection { command, info, issued, expiry, joined, early, deferred } = connection;
        let mut open = Self {
            info,
            ends: expiry.map(|it| it.ends),
            issued,
            subscriptions: Subscriptions::default(),
            pulse: Pulse::begin(turn.now, turn.rules, ping_phase),
            work: None,
        };
        let (subs, after) = open.join_all(joined);
        let connected = Connected {
            client: turn.connection,
            node: turn.rules.node.clone(),
            ping: turn.rules.ping_interval.as_secs() as u32,
            ttl: expiry.map(|it| it.ttl),
            subs,
        };
        turn.reply(command, Reply::Connect(Box::new(connected)));
        turn.actions.extend(after);
        for (heard, command) in deferred {
            open.serve(turn, heard, command)?;
        }
        for command in early {
            open.command(turn, command)?;
        }
        open.settle(turn)?;
        Ok(open)
    }

    /// The server-side subscriptions for the connect answer, and what follows it.
    fn join_all(&mut self, joined: Vec<Joined>) -> (Vec<(ChannelName, Subscribed)>, Vec<Action>) {
        let (mut subs, mut after, mut live) = (Vec::with_capacity(joined.len()), Vec::new(), Vec::with_capacity(joined.len()));
        for Joined { channel, ends, origin, attached } in joined {
            self.subscriptions.insert(Subscription { channel: channel.clone(), ends, origin, stage: Stage::Live });
            let mut subscribed =
                Subscribed { position: attached.position, recovery: attached.recovery, publications: attached.publications, ttl: None };
            if subscribed.recovery != Recovery::Recovered {
                // The SDK skips these in a connect answer.
                let held = std::mem::take(&mut subscribed.publications);
                after.extend(held.into_iter().map(|it| Action::Push(Push::Publication(channel.clone(), it))));
            }
            live.push(Action::GoLive(channel.clone()));
            subs.push((channel, subscribed));
        }
        // One message, which an empty outbox always takes; going live waits for room by itself.
        after.append(&mut live);
        (subs, after)
    }

    pub(super) fn deadline(&self) -> Tick {
        let ends = self.ends.into_iter().chain(self.subscriptions.next_end());
        ends.fold(self.pulse.deadline(), Tick::min)
    }

    pub(super) fn wants_input(&self, rules: &Rules) -> bool {
        self.work.as_ref().is_none_or(|work| work.len() < rules.max_in_flight)
    }

    pub(super) fn handle(&mut self, turn: &mut Turn<'_>, input: Input) -> Result<(), Closing> {
        let was_reading = self.wants_input(turn.rules);
        match input {
            Input::Command(command) => self.command(turn, command)?,
            Input::Server(command) => self.serve(turn, turn.now, command)?,
            Input::Done(op, outcome) => self.done(turn, op, outcome)?,
            Input::Revoked(revocation) => revoked(&revocation, self.issued)?,
            Input::Lost(channel) => self.lost(turn, &channel)?,
            Input::Tick => self.tick(turn)?,
        }
        self.settle(turn)?;
        if !was_reading && self.wants_input(turn.rules) {
            self.pulse.excuse(turn.now, turn.rules);
        }
        Ok(())
    }

    fn command(&mut self, turn: &mut Turn<'_>, command: Command) -> Result<(), Closing> {
        if matches!(command.request, Request::Pong) {
            self.pulse.pong();
            return Ok(());
        }
        if self.work.as_ref().is_some_and(|work| work.len() >= turn.rules.max_waiting()) {
            return overflow(turn, &command);
        }
        if command.request.settles_subscription() {
            self.supersede(turn, command.request.channel());
        }
        match &mut self.work {
            Some(work) => {
                work.wait(command);
                self.settle(turn)
            }
            None => self.run(turn, command),
        }
    }

    /// Runs the waiting commands that may run now.
    fn settle(&mut self, turn: &mut Turn<'_>) -> Result<(), Closing> {
        while let Some(command) = self.work.as_mut().and_then(|work| work.next(turn.rules.max_in_flight)) {
            self.run(turn, command)?;
        }
        if self.work.as_ref().is_some_and(|work| work.is_idle()) {
            self.work = None;
        }
        Ok(())
    }

    fn run(&mut self, turn: &mut Turn<'_>, Command { id, request }: Command) -> Result<(), Closing> {
        let refused = match request {
            Request::Connect(_) => return Err(Closing::bad_request("connect came twice")),
            Request::Send { data } => return self.send(turn, &data),
            Request::Refused(refusal) if id == 0 => return Err(Closing::bad_request(&refusal.detail)),
            Request::Refused(refusal) => Err(refusal),
            Request::Subscribe(request) => self.subscribe(turn, id, request),
            Request::Unsubscribe { channel } => {
                self.unsubscribe(turn, id, &channel);
                Ok(())
            }
            Request::Publish { channel, data } => self.publish(turn, id, &channel, data),
            Request::Presence { channel } => self.presence(turn, id, &channel),
            Request::PresenceStats { channel } => self.presence_stats(turn, id, &channel),
            Request::History(request) => self.history(turn, id, request),
            Request::Rpc { method, data } => {
                self.start(turn, id, None, Purpose::Answer, Op::Call { method, data });
                Ok(())
            }
            Request::Refresh { token } => {
                self.start(turn, id, None, Purpose::Refresh, Op::Refresh { token });
                Ok(())
            }
            Request::SubRefresh { channel, token } => self.sub_refresh(turn, id, &channel, token),
            Request::Ping => {
                turn.reply(id, Reply::Ping);
                Ok(())
            }
            Request::Pong => Ok(()),
        };
        if let Err(refusal) = refused {
            turn.refuse(id, refusal);
        }
        Ok(())
    }

    fn done(&mut self, turn: &mut Turn<'_>, op: OpId, outcome: Outcome) -> Result<(), Closing> {
        let Some(flight) = self.work.as_mut().and_then(|work| work.ended(op)) else { return Ok(()) };
        let Flight { command, channel, purpose, .. } = flight;
        match (purpose, channel) {
            (Purpose::Answer, _) => answer(turn, command, outcome),
            (Purpose::Refresh, _) => self.refreshed(turn, command, outcome)?,
            (Purpose::Authorize(request), Some(channel)) => self.authorized(turn, command, channel, *request, outcome),
            (Purpose::Attach { origin, .. }, Some(channel)) if !origin.is_frontend() => self.server_attached(turn, &channel, outcome)?,
            (Purpose::Attach { ttl, all_or_nothing, .. }, Some(channel)) => {
                self.attached(turn, command, &channel, ttl, all_or_nothing, outcome);
            }
            (Purpose::SubRefresh, Some(channel)) => self.sub_refreshed(turn, command, &channel, outcome),
            (Purpose::Authorize(_) | Purpose::Attach { .. } | Purpose::SubRefresh, None) => {}
        }
        Ok(())
    }

    fn tick(&mut self, turn: &mut Turn<'_>) -> Result<(), Closing> {
        if self.ends.is_some_and(|ends| ends <= turn.now) {
            return Err(Disconnect::Expired.into());
        }
        let ping = self.pulse.check(turn.now, turn.rules, self.wants_input(turn.rules))?;
        while let Some(ended) = self.subscriptions.remove_ended(turn.now) {
            turn.act(Action::Leave(ended.channel.clone()));
            turn.act(Action::Push(Push::Unsubscribe(ended.channel, Unsubscribe::Expired)));
        }
        if ping {
            turn.act(Action::Push(Push::Ping));
        }
        Ok(())
    }

    pub(super) fn start(&mut self, turn: &mut Turn<'_>, command: u32, channel: Option<ChannelName>, purpose: Purpose, op: Op) {
        let op = turn.start(op);
        self.work.get_or_insert_default().began(Flight { op, command, channel, purpose });
    }

    pub(super) fn work(&mut self) -> Option<&mut Work> {
        self.work.as_deref_mut()
    }
}

/// The command is one more than may wait.
fn overflow(turn: &mut Turn<'_>, command: &Command) -> Result<(), Closing> {
    if command.id == 0 {
        return Err(Disconnect::TooManyRequests.into());
    }
    turn.refuse(command.id, ErrorCode::TooManyRequests);
    Ok(())
}

/// Answers a command whose operation's outcome is the answer. Events have none: what became of them is counted where they end.
fn answer(turn: &mut Turn<'_>, command: u32, outcome: Outcome) {
    if command == 0 {
        return;
    }
    let reply = match outcome {
        Outcome::Published => Reply::Publish,
        Outcome::Presence(who) => Reply::Presence(who),
        Outcome::PresenceStats(stats) => Reply::PresenceStats(stats),
        Outcome::History { position, publications } => Reply::History { position, publications },
        Outcome::Called(data) => Reply::Rpc(data),
        Outcome::CallFailed { code, message, temporary } => Reply::CallFailed { code, message, temporary },
        other => Reply::Error(refusal(other)),
    };
    turn.reply(command, reply);
}

/// Why an operation did not do what was expected of it.
pub(super) fn refusal(outcome: Outcome) -> Refusal {
    match outcome {
        Outcome::Failed(refusal) | Outcome::InvalidToken(refusal) => refusal,
        _ => super::turn::mismatch(),
    }
}
