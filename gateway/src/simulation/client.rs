//! A frontend with one subscription, and the guarantees that it checks.

use super::{node::SimulatedWorker, situations::Situation, wake_flag::WakeFlag};
use crate::{
    auth::ConnectionClaims,
    broker::simulated::{Lineage, Server},
    connection::SocketlessConnection,
    hub::Frame,
};
use gateway_core::{
    model::{Epoch, Position, RecoverFrom, SubscriptionSide, UserId},
    protocol::{
        Command, ConnectRequest, Request, SubscribeRequest,
        centrifuge::{Codec, testing::read_replies},
    },
};
use serde::Deserialize;
use std::{
    collections::{BTreeSet, HashMap},
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

/// A message from the gateway.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: u32,
    subscribe: Option<Subscribed>,
    connect: Option<Connected>,
    error: Option<serde::de::IgnoredAny>,
    push: Option<Push>,
}

#[derive(Deserialize)]
struct Connected {
    #[serde(default)]
    subs: HashMap<String, Subscribed>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(default)]
    channel: String,
    #[serde(default)]
    id: u64,
    #[serde(rename = "pub")]
    publication: Option<Publication>,
    unsubscribe: Option<serde::de::IgnoredAny>,
    /// A new epoch, for a server-side subscription.
    subscribe: Option<Subscribed>,
}

#[derive(Deserialize)]
struct Subscribed {
    epoch: String,
    offset: u64,
    #[serde(default)]
    recovered: bool,
    #[serde(default)]
    was_recovering: bool,
    #[serde(default)]
    publications: Vec<Publication>,
    #[serde(default)]
    id: u64,
}

#[derive(Deserialize)]
struct Publication {
    data: u64,
    offset: u64,
}

impl Subscribed {
    fn position(&self) -> Result<Position, &'static str> {
        Ok(Position { epoch: Epoch::parse(&self.epoch).ok_or("no epoch")?, offset: self.offset })
    }
}

impl Client {
    pub(super) fn new(name: String, channel: String, kind: ClientKind) -> Self {
        let (connection, stage, position, reached) = (None, Stage::Idle, None, BTreeSet::new());
        Self { name, channel, kind, number: 0, connection, flag: WakeFlag::new(), command: 1, stage, position, reached }
    }

    /// Subscribes if it is not subscribed, over a new connection to `worker` if it has none.
    pub(super) fn subscribe(&mut self, worker: &SimulatedWorker, from_first: bool) -> bool {
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
            self.stage = Stage::Requested(requested);
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
        let request =
            SubscribeRequest { channel: self.channel.clone(), recover, compact: self.kind.is_compact, ..SubscribeRequest::default() };
        let sent = connection.receive(Command { id: self.command + 1, request: Request::Subscribe(Box::new(request)) });
        self.command += u32::from(sent);
        sent
    }

    /// Connects with a token that contains the channel.
    fn connect(&mut self, worker: &SimulatedWorker, recover: Option<RecoverFrom>) -> bool {
        let channel = self.channel.parse().expect("valid");
        let claims = ConnectionClaims { channels: vec![channel], ..ConnectionClaims::of(UserId::anonymous()) };
        let token = worker.worker.node.tokens.sign_connection(&claims, 0).expect("a key");
        let request = ConnectRequest { token, subs: vec![(self.channel.clone(), recover)], ..ConnectRequest::default() };
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
            let checked = if answer.recovered { recovered(old, at, lineage) } else { lost(old, at, first, lineage) };
            checked.map_err(|wrong| format!("{wrong}: from {old:?} to {at:?}"))?;
            self.reached.insert(match (answer.recovered, old.epoch == at.epoch) {
                (false, _) => Situation::LossReported,
                (true, false) => Situation::RecoveredAcrossFork,
                (true, true) => Situation::Recovered,
            });
        }
        if (answer.id > 0) != (self.kind.is_compact && self.kind.side == SubscriptionSide::Client) {
            return Err(format!("the answer has the number {}", answer.id));
        }
        (self.stage, self.position, self.number) = (Stage::Live, Some(at), answer.id);
        answer.publications.iter().try_for_each(|publication| self.publication(publication, lineage))
    }

    // NL-0.1
    fn publication(&mut self, publication: &Publication, lineage: &Lineage) -> Result<(), String> {
        let Some(position) = &mut self.position else { return Err("a publication before any position".into()) };
        let Publication { data, offset } = *publication;
        let target = Position { offset, ..*position };
        if lineage.at(target) != Some(data) {
            return Err(format!("{data} came with position {target:?}, where the store has {:?}", lineage.at(target)));
        }
        if offset != position.offset + 1 {
            return Err(format!("{offset} followed {position:?}"));
        }
        *position = target;
        Ok(())
    }

    // NL-0.1, NL-4.7
    /// What the client still lacks when nothing is in flight. `None` if it has everything.
    pub(super) fn missing(&self, server: &Server) -> Option<String> {
        let top = server.top(&self.channel);
        (self.stage != Stage::Live || self.position != top).then(|| {
            let Self { name, channel, stage, position, .. } = self;
            format!("{name} of {channel} is {stage:?} at {position:?}, the store at {top:?}")
        })
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
/// Checks an answer that says that publications are missing. `first` is the oldest stored offset, if the epoch is the current one.
fn lost(old: Position, at: Position, first: Option<u64>, lineage: &Lineage) -> Result<(), &'static str> {
    if lineage.trimmed <= old.offset && lineage.remembers(old, at.epoch) {
        return Err("a loss was reported, and nothing was lost");
    }
    let before = first.map_or(u64::MAX, |first| first - 1).max(lineage.fork(old.epoch, at.epoch).unwrap_or(0));
    (at.offset <= before).then_some(()).ok_or("stored publications were skipped")
}
