//! A frontend with one subscription, and the guarantees that it checks.

use super::{
    message::{Connected, Line, Push, Subscribed},
    node::SimulatedWorker,
    situations::Situation,
    wake_flag::WakeFlag,
};
use crate::{
    auth::ConnectionClaims,
    broker::simulated::{Lineage, Server, payload},
    connection::SocketlessConnection,
    hub::Frame,
};
use gateway_core::{
    model::{Content, Position, RecoverFrom, SubscriptionSide, UserId},
    protocol::{
        Command, ConnectRequest, Request, SubscribeRequest,
        centrifuge::{
            Codec,
            testing::{DeltaReader, read_replies},
        },
    },
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::Arc,
    task::{Context, Wake, Waker},
};

/// A client. Its position is the one that an official SDK would have.
pub(super) struct Client {
    pub(super) name: String,
    pub(super) channel: String,
    kind: ClientKind,
    /// The number that pushes have in place of the channel's name, from the answer to the subscribe. 0: they have the name.
    number: u64,
    connection: Option<SocketlessConnection>,
    flag: Arc<WakeFlag>,
    command: u32,
    stage: Stage,
    position: Option<Position>,
    /// What makes data from the deltas of its subscription.
    deltas: DeltaReader,
    /// The newest position of the channel when it last sent a subscribe.
    top_at_request: Option<Position>,
    pub(super) reached: BTreeSet<Situation>,
}

/// What distinguishes the clients of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClientKind {
    /// Whether the frontend subscribes itself, or its token contains the channel.
    pub(super) side: SubscriptionSide,
    pub(super) codec: Codec,
    /// Whether it accepts a number in place of the channel's name.
    pub(super) is_compact: bool,
    pub(super) wanted: Wanted,
    /// Whether it goes on live after a loss. Otherwise it first gets what is still held.
    pub(super) live_after_loss: bool,
}

/// What a client wants of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All publications, each whole.
    All,
    /// All publications, as deltas.
    Deltas,
    /// The publications that pass [`payload::filter`].
    Selected,
}

impl Wanted {
    fn contains(self, number: u64) -> bool {
        self != Self::Selected || payload::is_selected(number)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Requested(Requested),
    Live,
}

/// What a subscribe requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requested {
    Nothing,
    FirstStored,
    After(Position),
}

impl Requested {
    fn recover(self) -> Option<RecoverFrom> {
        match self {
            Self::Nothing => None,
            Self::FirstStored => Some(RecoverFrom { epoch: String::new(), offset: 0 }),
            Self::After(Position { epoch, offset }) => Some(RecoverFrom { epoch: epoch.to_string(), offset }),
        }
    }
}

impl Client {
    pub(super) fn new(name: String, channel: String, kind: ClientKind) -> Self {
        let (connection, stage, position, reached) = (None, Stage::Idle, None, BTreeSet::new());
        Self {
            name,
            channel,
            kind,
            number: 0,
            connection,
            flag: WakeFlag::new(),
            command: 1,
            stage,
            position,
            deltas: DeltaReader::default(),
            top_at_request: None,
            reached,
        }
    }

    /// Subscribes if it is not subscribed, over a new connection to `worker` if it has none.
    pub(super) fn subscribe(&mut self, worker: &SimulatedWorker, from_first: bool, server: &Server) -> bool {
        if self.stage != Stage::Idle {
            return false;
        }
        let requested = match self.position {
            Some(position) => Requested::After(position),
            None if from_first => Requested::FirstStored,
            None => Requested::Nothing,
        };
        let sent = match self.kind.side {
            SubscriptionSide::Client => self.send_subscribe(worker, requested.recover()),
            SubscriptionSide::Server => self.connect(worker, requested.recover()),
        };
        if sent {
            (self.stage, self.top_at_request) = (Stage::Requested(requested), server.top(&self.channel));
        }
        self.wake();
        sent
    }

    /// Sends a subscribe. False: the connection does not read now.
    fn send_subscribe(&mut self, worker: &SimulatedWorker, recover: Option<RecoverFrom>) -> bool {
        let connection = self.connection.get_or_insert_with(|| {
            let mut connection = SocketlessConnection::new(worker.worker.clone(), self.kind.codec);
            connection.receive(Command {
                id: 1,
                request: Request::Connect(Box::new(ConnectRequest { resolves_numbers: true, ..ConnectRequest::default() })),
            });
            connection
        });
        let ClientKind { is_compact: compact, wanted, .. } = self.kind;
        let delta = if wanted == Wanted::Deltas { "fossil".to_owned() } else { String::new() };
        let tags_filter = (wanted == Wanted::Selected).then(payload::filter);
        let request =
            SubscribeRequest { channel: self.channel.clone(), recover, compact, delta, tags_filter, ..SubscribeRequest::default() };
        let sent = connection.receive(Command { id: self.command + 1, request: Request::Subscribe(Box::new(request)) });
        self.command += u32::from(sent);
        sent
    }

    /// Connects with a token that contains the channel.
    fn connect(&mut self, worker: &SimulatedWorker, recover: Option<RecoverFrom>) -> bool {
        let channel = self.channel.parse().expect("valid");
        let claims = ConnectionClaims { channels: vec![channel], ..ConnectionClaims::of(UserId::anonymous()) };
        let token = worker.worker.node.tokens.sign_connection(&claims, 0).expect("a key");
        let request = ConnectRequest { token: token.into(), subs: vec![(self.channel.clone(), recover)], ..ConnectRequest::default() };
        self.connection
            .insert(SocketlessConnection::new(worker.worker.clone(), self.kind.codec))
            .receive(Command { id: 1, request: Request::Connect(Box::new(request)) })
    }

    pub(super) fn unsubscribe(&mut self) -> bool {
        let may = self.kind.side == SubscriptionSide::Client && self.stage != Stage::Idle;
        let Some(connection) = self.connection.as_mut().filter(|_| may) else { return false };
        let request = Request::Unsubscribe { channel: self.channel.clone() };
        let sent = connection.receive(Command { id: self.command + 1, request });
        if sent {
            (self.command, self.stage) = (self.command + 1, Stage::Idle);
            // Messages sent before the unsubscribe no longer matter.
            if self.take(usize::MAX).iter().any(is_close) {
                self.connection = None;
            }
        }
        self.wake();
        sent
    }

    /// Ends its connection; frames that were not read are lost.
    pub(super) fn drop_connection(&mut self) -> bool {
        self.stage = Stage::Idle;
        self.connection.take().is_some()
    }

    fn wake(&self) {
        self.flag.clone().wake();
    }

    /// Polls the connection, if its waker was called.
    pub(super) fn poll(&mut self) -> bool {
        let Some(connection) = self.connection.as_mut().filter(|_| self.flag.take()) else { return false };
        connection.poll(&mut Context::from_waker(&Waker::from(self.flag.clone())));
        true
    }

    fn take(&mut self, most: usize) -> Vec<Frame> {
        let frames = self.connection.as_mut().map(|connection| connection.take(most)).unwrap_or_default();
        if !frames.is_empty() {
            self.wake();
        }
        frames
    }

    /// Reads up to `most` frames. Returns their number, or the violated guarantee.
    pub(super) fn read(&mut self, most: usize, server: &mut Server) -> Result<usize, String> {
        let frames = self.take(most);
        for frame in &frames {
            if is_close(frame) {
                self.reached.insert(Situation::ConnectionClosed);
                self.drop_connection();
                break;
            }
            let bytes = frame.as_ref();
            let header = match bytes[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            for line in read_replies(self.kind.codec, &bytes[header..])? {
                let line = serde_json::from_value(line.clone()).map_err(|error| format!("{line}: {error}"))?;
                self.line(line, server).map_err(|wrong| format!("{} of {}: {wrong}", self.name, self.channel))?;
            }
        }
        Ok(frames.len())
    }

    fn line(&mut self, line: Line, server: &mut Server) -> Result<(), String> {
        match line {
            Line { id, subscribe: Some(answer), .. } if id == self.command => self.subscribed(answer, server),
            Line { connect: Some(Connected { mut subs }), .. } => {
                subs.remove(&self.channel).map_or(Ok(()), |it| self.subscribed(it, server))
            }
            Line { error: Some(_), .. } if self.kind.side == SubscriptionSide::Server => {
                self.reached.insert(Situation::SubscribeRefused);
                self.drop_connection();
                Ok(())
            }
            Line { id, error: Some(_), .. } if id == self.command => {
                self.reached.insert(Situation::SubscribeRefused);
                self.stage = Stage::Idle;
                Ok(())
            }
            Line { push: Some(push), .. } => self.push(push, server.lineage(&self.channel)),
            _ => Ok(()),
        }
    }

    fn push(&mut self, push: Push, lineage: &Lineage) -> Result<(), String> {
        if self.stage != Stage::Live {
            return Err(format!("a push came in stage {:?}", self.stage));
        }
        let number = if push.publication.is_some() { self.number } else { 0 };
        if push.id != number || push.channel.is_empty() != (number > 0) {
            return Err(format!("a push names the channel {:?} and the number {}, not {number}", push.channel, push.id));
        }
        match push {
            Push { publication: Some(publication), .. } => {
                self.reached.extend((number > 0).then_some(Situation::NumberedPush));
                self.publication(&publication, lineage)
            }
            Push { unsubscribe: Some(_), .. } if self.kind.side == SubscriptionSide::Client => {
                self.reached.insert(Situation::Unsubscribed);
                self.stage = Stage::Idle;
                Ok(())
            }
            Push { subscribe: Some(to), .. } if self.kind.side == SubscriptionSide::Server => self.moved(to.position()?, lineage),
            _ => Err("a push came that does not fit the kind of its subscription".into()),
        }
    }

    /// Handles a push that continues the subscription in another epoch.
    fn moved(&mut self, to: Position, lineage: &Lineage) -> Result<(), String> {
        self.reached.insert(Situation::MovedToEpoch);
        let old = self.position.replace(to).ok_or("a new epoch came before any position")?;
        recovered(old, to, lineage).map_err(|wrong| format!("{wrong}: moved from {old:?} to {to:?}"))
    }

    fn subscribed(&mut self, answer: Subscribed, server: &mut Server) -> Result<(), String> {
        let Stage::Requested(requested) = self.stage else { return Err("an unexpected answer".into()) };
        let at = answer.position()?;
        let first = server.first(&self.channel).filter(|_| server.top(&self.channel).is_some_and(|top| top.epoch == at.epoch));
        let lineage = server.lineage(&self.channel);
        if !lineage.exists(at) {
            return Err(format!("its position is {at:?}, which never existed"));
        }
        if answer.was_recovering != (requested != Requested::Nothing) {
            return Err(format!("the answer does not fit the request {requested:?}"));
        }
        if let Requested::After(old) = requested {
            let checked = match (answer.recovered, self.kind.live_after_loss) {
                (true, _) => recovered(old, at, lineage),
                (false, true) => lost(old, at, lineage).and_then(|()| live(at, self.top_at_request)),
                (false, false) => lost(old, at, lineage).and_then(|()| replayed(old, at, first, lineage)),
            };
            checked.map_err(|wrong| format!("{wrong}: from {old:?} to {at:?}"))?;
            self.reached.insert(match (answer.recovered, old.epoch == at.epoch) {
                (false, _) if self.kind.live_after_loss => Situation::LiveAfterLoss,
                (false, _) => Situation::ReplayedAfterLoss,
                (true, false) => Situation::RecoveredAcrossFork,
                (true, true) => Situation::Recovered,
            });
        }
        if (answer.id > 0) != (self.kind.is_compact && self.kind.side == SubscriptionSide::Client) {
            return Err(format!("the answer has the number {}", answer.id));
        }
        if answer.delta != (self.kind.wanted == Wanted::Deltas) {
            return Err(format!("the answer says {:?}, that publications are deltas: {}", self.kind, answer.delta));
        }
        (self.stage, self.position, self.number, self.deltas) = (Stage::Live, Some(at), answer.id, DeltaReader::default());
        let has_delta = answer.publications.iter().any(|publication| publication["delta"] == true);
        self.reached.extend(has_delta.then_some(Situation::DeltasRecovered));
        answer.publications.iter().try_for_each(|publication| self.publication(publication, lineage))
    }

    // NL-0.1
    fn publication(&mut self, publication: &Value, lineage: &Lineage) -> Result<(), String> {
        let Some(before) = self.position else { return Err("a publication before any position".into()) };
        let target = Position { offset: publication["offset"].as_u64().unwrap_or_default(), ..before };
        let data = match self.kind.wanted {
            Wanted::Deltas => self.deltas.data(self.kind.codec, publication)?,
            Wanted::All | Wanted::Selected => publication["data"].clone(),
        };
        let number = lineage.at(target).filter(|number| payload::as_json(*number) == data);
        let Some(number) = number else {
            return Err(format!("{data} came with position {target:?}, where the store has {:?}", lineage.at(target)));
        };
        if !self.kind.wanted.contains(number) {
            return Err(format!("number {number} does not pass the filter"));
        }
        if target.offset <= before.offset || self.lacks(before, target.offset - 1, lineage) {
            return Err(format!("{} followed {before:?}", target.offset));
        }
        self.reached.extend((target.offset > before.offset + 1).then_some(Situation::FilteredOut));
        self.reached.extend((publication["delta"] == true).then_some(Situation::DeltaApplied));
        self.reached.extend(match payload::content(number) {
            Content::Json(_) => None,
            Content::Text(_) => Some(Situation::TextRead),
            Content::Bytes(_) => Some(Situation::BytesRead),
        });
        self.position = Some(target);
        Ok(())
    }

    /// Whether the client wants a publication after this position, up to the offset `last`.
    fn lacks(&self, after: Position, last: u64, lineage: &Lineage) -> bool {
        let number = |offset| lineage.at(Position { offset, ..after });
        (after.offset + 1..=last).any(|offset| number(offset).is_none_or(|number| self.kind.wanted.contains(number)))
    }

    // NL-0.1, NL-4.7
    /// What the client still lacks when nothing is in flight. `None` if it has everything.
    pub(super) fn missing(&self, server: &mut Server) -> Option<String> {
        let Self { name, channel, stage, position, .. } = self;
        let top = server.top(channel);
        let has_all = match (*position, top) {
            (Some(at), Some(top)) => {
                at.epoch == top.epoch && at.offset <= top.offset && !self.lacks(at, top.offset, server.lineage(channel))
            }
            _ => false,
        };
        (*stage != Stage::Live || !has_all).then(|| format!("{name} of {channel} is {stage:?} at {position:?}, the store at {top:?}"))
    }
}

fn is_close(frame: &Frame) -> bool {
    frame.as_ref()[0] == 0x88
}

// NL-0.2, NL-1.3
/// Checks an answer that says that nothing is missing.
fn recovered(old: Position, at: Position, lineage: &Lineage) -> Result<(), &'static str> {
    if at.offset != old.offset {
        return Err("its offset changed, and no loss was reported");
    }
    lineage.is_part(old, at.epoch).then_some(()).ok_or("its publications are not part of the new epoch, and no loss was reported")
}

// NL-0.2, NL-1.2, NL-5.5
/// Checks an answer that says that publications are missing.
fn lost(old: Position, at: Position, lineage: &Lineage) -> Result<(), &'static str> {
    let is_complete = lineage.trimmed <= old.offset && lineage.remembers(old, at.epoch);
    if is_complete { Err("a loss was reported, and nothing was lost") } else { Ok(()) }
}

// NL-5.6
/// Checks the position after a loss, from which nothing old is sent again. `top` is the newest position when the client subscribed.
fn live(at: Position, top: Option<Position>) -> Result<(), &'static str> {
    let is_old = top.is_some_and(|top| top.epoch == at.epoch && at.offset < top.offset);
    if is_old { Err("publications from before the subscribe follow a loss") } else { Ok(()) }
}

// NL-5.6
/// Checks the position after a loss, from which everything that is still held is sent. `first` is the oldest stored offset, if the epoch is the
/// current one.
fn replayed(old: Position, at: Position, first: Option<u64>, lineage: &Lineage) -> Result<(), &'static str> {
    let before = first.map_or(u64::MAX, |first| first - 1).max(lineage.fork(old.epoch, at.epoch).unwrap_or(0));
    (at.offset <= before).then_some(()).ok_or("stored publications were skipped")
}
