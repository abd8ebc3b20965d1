//! From the connect command to its answer.

use super::{
    Action, Attach, Attached, Identity, Input, Op, OpId, Outcome, Rules, ServerSubscription,
    expiry::Expiry,
    turn::{Closing, Turn, mismatch},
};
use crate::{
    model::{ChannelName, ClientInfo, Disconnect, ErrorCode, RecoverFrom, Refusal, ServerCommand, Tick},
    protocol::{Command, ConnectRequest, Request},
};
use std::{sync::Arc, time::Duration};

/// A session whose connect command is under way.
#[derive(Debug)]
pub(super) struct Connecting {
    command: u32,
    until: Tick,
    recover: Vec<(String, Option<RecoverFrom>)>,
    stage: Stage,
    /// Commands that came before the answer.
    early: Vec<Command>,
    /// What services did before the answer.
    deferred: Vec<ServerCommand>,
}

#[derive(Debug)]
enum Stage {
    Authenticating(OpId),
    Authenticated,
    Attaching { info: Arc<ClientInfo>, expiry: Option<Expiry>, joining: Vec<Joining> },
}

/// A server-side subscription that is part of the answer.
#[derive(Debug)]
struct Joining {
    channel: ChannelName,
    ends: Option<Tick>,
    attaching: Attaching,
}

#[derive(Debug)]
enum Attaching {
    Going(OpId),
    Failed,
    Done(Attached),
}

/// A server-side subscription that begins with the connection.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) channel: ChannelName,
    pub(super) ends: Option<Tick>,
    pub(super) attached: Attached,
}

/// What a session begins to be open with.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) command: u32,
    pub(super) info: Arc<ClientInfo>,
    pub(super) expiry: Option<Expiry>,
    pub(super) joined: Vec<Joined>,
    pub(super) early: Vec<Command>,
    pub(super) deferred: Vec<ServerCommand>,
}

/// How far a connect is.
pub(super) enum Progress {
    Going,
    Connected(Box<Connection>),
    /// Answered with an error; nothing is attached.
    Refused,
}

impl Connecting {
    pub(super) fn begin(turn: &mut Turn<'_>, command: u32, request: ConnectRequest) -> Self {
        let authenticate = turn.start(Op::Authenticate { token: request.token });
        Self {
            command,
            until: turn.now.after(turn.rules.attach_timeout),
            recover: request.subs,
            stage: Stage::Authenticating(authenticate),
            early: Vec::new(),
            deferred: Vec::new(),
        }
    }

    pub(super) fn deadline(&self) -> Tick {
        self.until
    }

    pub(super) fn wants_input(&self, rules: &Rules) -> bool {
        self.early.len() < rules.max_in_flight
    }

    pub(super) fn handle(&mut self, turn: &mut Turn<'_>, input: Input) -> Result<Progress, Closing> {
        match input {
            Input::Command(command) => self.early(turn, command).map(|()| Progress::Going),
            Input::Server(ServerCommand::Disconnect { code, reason }) => Err(Closing::new(code, &reason)),
            Input::Server(command) if self.deferred.len() < turn.rules.max_in_flight => {
                self.deferred.push(command);
                Ok(Progress::Going)
            }
            Input::Server(_) => Ok(self.fail(turn, again("services did too much to the connection before it was open"))),
            Input::Done(op, outcome) => self.done(turn, op, outcome),
            Input::Lost(channel) if self.is_joined(&channel) => Ok(self.fail(turn, again("a stream was lost in part"))),
            Input::Tick if self.until <= turn.now => Ok(self.fail(turn, again("connecting took too long"))),
            Input::Lost(_) | Input::Tick => Ok(Progress::Going),
        }
    }

    /// Commands may follow the connect in the same message. They wait.
    fn early(&mut self, turn: &mut Turn<'_>, command: Command) -> Result<(), Closing> {
        match command.request {
            Request::Connect(_) => return Err(Closing::bad_request("connect came twice")),
            Request::Pong => {}
            _ if self.early.len() < turn.rules.max_waiting() => self.early.push(command),
            _ if command.id == 0 => return Err(Disconnect::TooManyRequests.into()),
            _ => turn.refuse(command.id, ErrorCode::TooManyRequests),
        }
        Ok(())
    }

    fn done(&mut self, turn: &mut Turn<'_>, op: OpId, outcome: Outcome) -> Result<Progress, Closing> {
        match &mut self.stage {
            Stage::Authenticating(expected) if *expected == op => {
                self.stage = Stage::Authenticated;
                self.authenticated(turn, outcome)
            }
            Stage::Attaching { joining, .. } => {
                match joining.iter_mut().find(|it| matches!(it.attaching, Attaching::Going(going) if going == op)) {
                    Some(joining) => match joining.attached(outcome) {
                        Ok(()) => Ok(self.connected()),
                        Err(refusal) => Ok(self.fail(turn, refusal)),
                    },
                    None => Ok(Progress::Going),
                }
            }
            Stage::Authenticating(_) | Stage::Authenticated => Ok(Progress::Going),
        }
    }

    fn authenticated(&mut self, turn: &mut Turn<'_>, outcome: Outcome) -> Result<Progress, Closing> {
        match outcome {
            Outcome::Authenticated(identity) => self.attach_all(turn, *identity),
            Outcome::InvalidToken(refusal) => Err(Closing::new(Disconnect::InvalidToken.code(), &refusal.detail)),
            Outcome::Failed(refusal) => Ok(self.fail(turn, refusal)),
            _ => Ok(self.fail(turn, mismatch())),
        }
    }

    fn attach_all(&mut self, turn: &mut Turn<'_>, identity: Identity) -> Result<Progress, Closing> {
        let Ok(expiry) = Expiry::begin(turn, identity.expires_in) else {
            return Ok(self.fail(turn, ErrorCode::TokenExpired.into()));
        };
        let info = ClientInfo { user: identity.user, client: turn.connection, conn_info: identity.info, chan_info: None };
        let info = Arc::new(info);
        let wanted = with_personal_channel(identity.channels, &info);
        if wanted.len() > turn.rules.max_subscriptions {
            return Err(Disconnect::ChannelLimit.into());
        }
        if let Some(unknown) = wanted.iter().find(|it| turn.rules.options(&it.channel).is_err()) {
            let detail = format!("the namespace of {} is not configured", unknown.channel);
            return Ok(self.fail(turn, Refusal::new(ErrorCode::UnknownChannel, detail)));
        }
        turn.act(Action::Identify(info.clone()));
        let among = wanted.len();
        let joining = wanted.into_iter().map(|it| self.attach(turn, it, &info, among)).collect();
        self.stage = Stage::Attaching { info, expiry, joining };
        Ok(self.connected())
    }

    fn attach(&self, turn: &mut Turn<'_>, wanted: ServerSubscription, info: &Arc<ClientInfo>, among: usize) -> Joining {
        let ServerSubscription { channel, expires_in } = wanted;
        let recover = self.recover.iter().find(|(name, _)| name == channel.as_str()).and_then(|(_, from)| from.clone());
        let attach = Attach { channel: channel.clone(), recover, info: info.clone(), join_leave: false, among };
        let ends = expires_in.map(|expires_in| turn.now.after(expires_in));
        Joining { channel, ends, attaching: Attaching::Going(turn.start(Op::Attach(attach))) }
    }

    /// The open connection, once all has been attached.
    fn connected(&mut self) -> Progress {
        let Stage::Attaching { info, expiry, joining } = &mut self.stage else { return Progress::Going };
        if !joining.iter().all(Joining::is_done) {
            return Progress::Going;
        }
        Progress::Connected(Box::new(Connection {
            command: self.command,
            info: info.clone(),
            expiry: *expiry,
            joined: joining.drain(..).filter_map(Joining::done).collect(),
            early: std::mem::take(&mut self.early),
            deferred: std::mem::take(&mut self.deferred),
        }))
    }

    /// Answers with an error, after which nothing is attached. The commands that wait are answered likewise.
    fn fail(&mut self, turn: &mut Turn<'_>, refusal: Refusal) -> Progress {
        match &mut self.stage {
            Stage::Authenticating(op) => turn.act(Action::Cancel(*op)),
            Stage::Authenticated => {}
            Stage::Attaching { joining, .. } => {
                for it in joining.drain(..) {
                    if let Attaching::Going(op) = it.attaching {
                        turn.act(Action::Cancel(op));
                    }
                    turn.act(Action::Leave(it.channel));
                }
            }
        }
        turn.refuse(self.command, refusal);
        for command in self.early.drain(..).filter(|command| command.id > 0) {
            turn.refuse(command.id, Refusal::new(ErrorCode::Unauthorized, "connect was refused"));
        }
        Progress::Refused
    }

    fn is_joined(&self, channel: &ChannelName) -> bool {
        match &self.stage {
            Stage::Authenticating(_) | Stage::Authenticated => false,
            Stage::Attaching { joining, .. } => joining.iter().any(|it| it.channel == *channel && it.is_done()),
        }
    }
}

impl Joining {
    fn attached(&mut self, outcome: Outcome) -> Result<(), Refusal> {
        self.attaching = Attaching::Failed;
        match outcome {
            Outcome::Attached(attached) => self.attaching = Attaching::Done(attached),
            Outcome::Failed(refusal) => return Err(again(&format!("cannot subscribe to {}: {}", self.channel, refusal.detail))),
            _ => return Err(mismatch()),
        }
        Ok(())
    }

    fn is_done(&self) -> bool {
        matches!(self.attaching, Attaching::Done(_))
    }

    fn done(self) -> Option<Joined> {
        let Self { channel, ends, attaching } = self;
        match attaching {
            Attaching::Done(attached) => Some(Joined { channel, ends, attached }),
            Attaching::Going(_) | Attaching::Failed => None,
        }
    }
}

/// What lets the SDK connect again after a pause.
fn again(why: &str) -> Refusal {
    Refusal::new(ErrorCode::Internal, why)
}

/// The user's personal channel is always among the server-side subscriptions. Each channel comes once.
fn with_personal_channel(mut channels: Vec<ServerSubscription>, info: &ClientInfo) -> Vec<ServerSubscription> {
    channels.extend(ChannelName::personal(&info.user).map(ServerSubscription::from));
    // Where a channel comes several times, the one that lasts longest is kept.
    channels.sort_by(|a, b| a.channel.cmp(&b.channel).then_with(|| b.lasts().cmp(&a.lasts())));
    channels.dedup_by(|later, first| later.channel == first.channel);
    channels
}

impl ServerSubscription {
    fn lasts(&self) -> Duration {
        self.expires_in.unwrap_or(Duration::MAX)
    }
}
