//! From the connect command to its answer.

use super::{
    Action, Attach, Attached, Identity, Input, Op, OpId, Outcome, Rules, ServerSubscription,
    expiry::Expiry,
    subscriptions::Origin,
    turn::{Closing, Turn, mismatch, revoked},
};
use crate::{
    model::{ChannelName, ClientInfo, Disconnect, ErrorCode, RecoverFrom, Refusal, ServerCommand, Side, Tick},
    protocol::{Command, ConnectRequest, Request},
};
use std::sync::Arc;

/// A session whose connect command is under way.
#[derive(Debug)]
pub(super) struct Connecting {
    command: u32,
    until: Tick,
    recover: Vec<(String, Option<RecoverFrom>)>,
    stage: Stage,
    /// When the token was issued.
    issued: Option<u64>,
    /// Commands that came before the answer.
    early: Vec<Command>,
    /// What services did before the answer, and when.
    deferred: Vec<(Tick, ServerCommand)>,
}

#[derive(Debug)]
enum Stage {
    Authenticating(OpId),
    Authenticated,
    /// The user is known, also to services; what they subscribed it to before is being read.
    Reading {
        op: OpId,
        info: Arc<ClientInfo>,
        expiry: Option<Expiry>,
        channels: Vec<ChannelName>,
    },
    Attaching {
        info: Arc<ClientInfo>,
        expiry: Option<Expiry>,
        joining: Vec<Joining>,
    },
}

/// A server-side subscription that is part of the answer.
#[derive(Debug)]
struct Joining {
    channel: ChannelName,
    ends: Option<Tick>,
    origin: Origin,
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
    pub(super) origin: Origin,
    pub(super) attached: Attached,
}

/// What a session begins to be open with.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) command: u32,
    pub(super) info: Arc<ClientInfo>,
    pub(super) issued: Option<u64>,
    pub(super) expiry: Option<Expiry>,
    pub(super) joined: Vec<Joined>,
    pub(super) early: Vec<Command>,
    pub(super) deferred: Vec<(Tick, ServerCommand)>,
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
            issued: None,
            early: Vec::new(),
            deferred: Vec::new(),
        }
    }

    // NL-5.7
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
                self.deferred.push((turn.now, command));
                Ok(Progress::Going)
            }
            Input::Server(_) => Ok(self.fail(turn, again("services did too much to the connection before it was open"))),
            Input::Revoked(revocation) => revoked(&revocation, self.issued).map(|()| Progress::Going),
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
            Stage::Reading { op: expected, .. } if *expected == op => self.read(turn, outcome),
            Stage::Attaching { joining, .. } => {
                match joining.iter_mut().find(|it| matches!(it.attaching, Attaching::Going(going) if going == op)) {
                    Some(joining) => match joining.attached(outcome) {
                        Ok(()) => Ok(self.connected()),
                        Err(refusal) => Ok(self.fail(turn, refusal)),
                    },
                    None => Ok(Progress::Going),
                }
            }
            Stage::Authenticating(_) | Stage::Authenticated | Stage::Reading { .. } => Ok(Progress::Going),
        }
    }

    fn authenticated(&mut self, turn: &mut Turn<'_>, outcome: Outcome) -> Result<Progress, Closing> {
        match outcome {
            Outcome::Authenticated(identity) => self.identified(turn, *identity),
            Outcome::InvalidToken(refusal) => Err(Closing::new(Disconnect::InvalidToken.code(), &refusal.detail)),
            Outcome::Failed(refusal) => Ok(self.fail(turn, refusal)),
            _ => Ok(self.fail(turn, mismatch())),
        }
    }

    /// From here on services reach the connection under its user.
    fn identified(&mut self, turn: &mut Turn<'_>, identity: Identity) -> Result<Progress, Closing> {
        let Ok(expiry) = Expiry::begin(turn, identity.expires_in) else {
            return Ok(self.fail(turn, ErrorCode::TokenExpired.into()));
        };
        let info = ClientInfo { user: identity.user, client: turn.connection, conn_info: identity.info, chan_info: None };
        let (info, channels) = (Arc::new(info), identity.channels);
        self.issued = identity.issued;
        turn.act(Action::Identify(info.clone()));
        if info.user.is_anonymous() {
            return self.attach_all(turn, info, expiry, channels, Vec::new());
        }
        let op = turn.start(Op::Subscriptions { user: info.user.clone(), issued: identity.issued });
        self.stage = Stage::Reading { op, info, expiry, channels };
        Ok(Progress::Going)
    }

    /// What services subscribed the user to was read.
    fn read(&mut self, turn: &mut Turn<'_>, outcome: Outcome) -> Result<Progress, Closing> {
        let Stage::Reading { info, expiry, channels, .. } = std::mem::replace(&mut self.stage, Stage::Authenticated) else {
            return Ok(Progress::Going);
        };
        match outcome {
            Outcome::Subscriptions(stored) => self.attach_all(turn, info, expiry, channels, stored),
            Outcome::Failed(refusal) => Ok(self.fail(turn, refusal)),
            _ => Ok(self.fail(turn, mismatch())),
        }
    }

    fn attach_all(
        &mut self,
        turn: &mut Turn<'_>,
        info: Arc<ClientInfo>,
        expiry: Option<Expiry>,
        channels: Vec<ChannelName>,
        stored: Vec<ServerSubscription>,
    ) -> Result<Progress, Closing> {
        let wanted = wanted(turn.now, channels, &info, stored);
        let (among, most) = (wanted.len(), turn.rules.max_subscriptions);
        let by_services = wanted.iter().filter(|it| it.origin == Origin::Service).count();
        if among - by_services > most {
            let why = format!("the token leads to {} subscriptions; a connection may have {most}", among - by_services);
            return Err(Closing::new(Disconnect::ChannelLimit.code(), &why));
        }
        if by_services > most {
            // It may end without the client, which therefore is to come back.
            let detail = format!(
                "services have subscribed this user to {by_services} channels; a connection may have {most}: the rest has to end first"
            );
            return Ok(self.fail(turn, Refusal::new(ErrorCode::ServiceUnavailable, detail)));
        }
        if let Some(unknown) = wanted.iter().find(|it| turn.rules.options(&it.channel).is_err()) {
            let detail = format!("the namespace of {} is not configured", unknown.channel);
            return Ok(self.fail(turn, Refusal::new(ErrorCode::UnknownChannel, detail)));
        }
        let joining = wanted.into_iter().map(|it| self.attach(turn, it, &info, among)).collect();
        self.stage = Stage::Attaching { info, expiry, joining };
        Ok(self.connected())
    }

    fn attach(&self, turn: &mut Turn<'_>, wanted: Wanted, info: &Arc<ClientInfo>, among: usize) -> Joining {
        let Wanted { channel, ends, origin } = wanted;
        let recover = self.recover.iter().find(|(name, _)| name == channel.as_str()).and_then(|(_, from)| from.clone());
        let attach = Attach { channel: channel.clone(), recover, info: info.clone(), side: Side::Server, join_leave: false, among };
        Joining { channel, ends, origin, attaching: Attaching::Going(turn.start(Op::Attach(attach))) }
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
            issued: self.issued,
            expiry: *expiry,
            joined: joining.drain(..).filter_map(Joining::done).collect(),
            early: std::mem::take(&mut self.early),
            deferred: std::mem::take(&mut self.deferred),
        }))
    }

    // NL-5.9
    /// Answers with an error, after which nothing is attached. The commands that wait are answered likewise.
    fn fail(&mut self, turn: &mut Turn<'_>, refusal: Refusal) -> Progress {
        match &mut self.stage {
            Stage::Authenticating(op) | Stage::Reading { op, .. } => turn.act(Action::Cancel(*op)),
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
            Stage::Authenticating(_) | Stage::Authenticated | Stage::Reading { .. } => false,
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
        let Self { channel, ends, origin, attaching } = self;
        match attaching {
            Attaching::Done(attached) => Some(Joined { channel, ends, origin, attached }),
            Attaching::Going(_) | Attaching::Failed => None,
        }
    }
}

/// What lets the SDK connect again after a pause.
fn again(why: &str) -> Refusal {
    Refusal::new(ErrorCode::Internal, why)
}

/// A server-side subscription that the connection begins with.
struct Wanted {
    channel: ChannelName,
    ends: Option<Tick>,
    origin: Origin,
}

/// Each channel once, by name. What lasts as long as the connection (the user's personal channel, those of the token) comes before what a
/// service made and may end.
fn wanted(now: Tick, channels: Vec<ChannelName>, info: &ClientInfo, stored: Vec<ServerSubscription>) -> Vec<Wanted> {
    let lasting = channels.into_iter().chain(ChannelName::personal(&info.user));
    let lasting = lasting.map(|channel| Wanted { channel, ends: None, origin: Origin::Server });
    let stored = stored.into_iter().map(|it| {
        let ends = it.expires_in.map(|left| now.after(left));
        Wanted { channel: it.channel, ends, origin: Origin::Service }
    });
    let mut wanted: Vec<_> = lasting.chain(stored).collect();
    wanted.sort_by(|a, b| a.channel.cmp(&b.channel));
    wanted.dedup_by(|later, first| later.channel == first.channel);
    wanted
}
