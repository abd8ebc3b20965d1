//! A frontend with one subscription, and what it was promised.

use super::{node::SimulatedWorker, wake_flag::Flag};
use crate::{
    auth::ConnectionClaims,
    broker::simulated::{Lineage, Server},
    connection::SocketlessConnection,
    hub::Frame,
};
use gateway_core::{
    model::{Epoch, Position, RecoverFrom, SubscriptionSide, UserId},
    protocol::{Command, ConnectRequest, Request, SubscribeRequest},
};
use serde::Deserialize;
use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Wake, Waker},
};

/// See the module. Its position is what the official SDKs would hold.
pub(super) struct Client {
    pub(super) name: String,
    pub(super) channel: String,
    /// Whether the frontend asks for the subscription, or its token names the channel.
    side: SubscriptionSide,
    connection: Option<SocketlessConnection>,
    flag: Arc<Flag>,
    command: u32,
    stage: Stage,
    position: Option<Position>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    Asked(Asked),
    Live,
}

/// What a subscribe asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Nothing,
    FirstHeld,
    After(Position),
}

impl Asked {
    fn recover(self) -> Option<RecoverFrom> {
        match self {
            Self::Nothing => None,
            Self::FirstHeld => Some(RecoverFrom { epoch: String::new(), offset: 0 }),
            Self::After(Position { epoch, offset }) => Some(RecoverFrom { epoch: epoch.to_string(), offset }),
        }
    }
}

/// A line from the gateway.
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
    #[serde(rename = "pub")]
    publication: Option<Publication>,
    unsubscribe: Option<serde::de::IgnoredAny>,
    /// A new timeline, for a server-side subscription.
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
    pub(super) fn new(name: String, channel: String, side: SubscriptionSide) -> Self {
        Self { name, channel, side, connection: None, flag: Flag::new(), command: 1, stage: Stage::Idle, position: None }
    }

    /// Asks for its channel where it has not, over a new connection to `worker` where it has none.
    pub(super) fn subscribe(&mut self, worker: &SimulatedWorker, from_first: bool) -> bool {
        if self.stage != Stage::Idle {
            return false;
        }
        let asked = match self.position {
            Some(position) => Asked::After(position),
            None if from_first => Asked::FirstHeld,
            None => Asked::Nothing,
        };
        let asks = match self.side {
            SubscriptionSide::Client => self.ask(worker, asked.recover()),
            SubscriptionSide::Server => self.connect(worker, asked.recover()),
        };
        if asks {
            self.stage = Stage::Asked(asked);
        }
        self.wake();
        asks
    }

    /// Asks for the channel. False: the connection does not read now.
    fn ask(&mut self, worker: &SimulatedWorker, recover: Option<RecoverFrom>) -> bool {
        let connection = self.connection.get_or_insert_with(|| {
            let mut connection = SocketlessConnection::new(worker.worker.clone());
            connection.hears(Command { id: 1, request: Request::Connect(Box::default()) });
            connection
        });
        let request = SubscribeRequest { channel: self.channel.clone(), recover, ..SubscribeRequest::default() };
        let asks = connection.hears(Command { id: self.command + 1, request: Request::Subscribe(Box::new(request)) });
        self.command += u32::from(asks);
        asks
    }

    /// Connects with a token that names the channel.
    fn connect(&mut self, worker: &SimulatedWorker, recover: Option<RecoverFrom>) -> bool {
        let channel = self.channel.parse().expect("a valid name");
        let claims = ConnectionClaims { channels: vec![channel], ..ConnectionClaims::of(UserId::anonymous()) };
        let token = worker.worker.node.tokens.sign_connection(&claims, 0).expect("a key");
        let request = ConnectRequest { token, subs: vec![(self.channel.clone(), recover)], ..ConnectRequest::default() };
        self.connection
            .insert(SocketlessConnection::new(worker.worker.clone()))
            .hears(Command { id: 1, request: Request::Connect(Box::new(request)) })
    }

    pub(super) fn unsubscribe(&mut self) -> bool {
        let may = self.side == SubscriptionSide::Client && self.stage != Stage::Idle;
        let Some(connection) = self.connection.as_mut().filter(|_| may) else { return false };
        let request = Request::Unsubscribe { channel: self.channel.clone() };
        let heard = connection.hears(Command { id: self.command + 1, request });
        if heard {
            (self.command, self.stage) = (self.command + 1, Stage::Idle);
            // What was sent before is of no interest any more.
            if self.take(usize::MAX).iter().any(is_close) {
                self.connection = None;
            }
        }
        self.wake();
        heard
    }

    /// Its connection ends, with all that was not taken.
    pub(super) fn drop_connection(&mut self) -> bool {
        self.stage = Stage::Idle;
        self.connection.take().is_some()
    }

    fn wake(&self) {
        self.flag.clone().wake();
    }

    /// A turn of the connection, if something woke it.
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

    /// Takes up to so many frames. Answers how many there were, or what is wrong with them.
    pub(super) fn read(&mut self, most: usize, server: &mut Server) -> Result<usize, String> {
        let frames = self.take(most);
        for frame in &frames {
            if is_close(frame) {
                self.drop_connection();
                break;
            }
            let bytes = frame.as_ref();
            let header = match bytes[1] {
                126 => 4,
                127 => 10,
                _ => 2,
            };
            for line in std::str::from_utf8(&bytes[header..]).expect("text").lines() {
                let line = serde_json::from_str(line).map_err(|error| format!("{line}: {error}"))?;
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
            Line { error: Some(_), .. } if self.side == SubscriptionSide::Server => {
                self.drop_connection();
                Ok(())
            }
            Line { id, error: Some(_), .. } if id == self.command => {
                self.stage = Stage::Idle;
                Ok(())
            }
            Line { push: Some(push), .. } => self.push(push, server.lineage(&self.channel)),
            _ => Ok(()),
        }
    }

    fn push(&mut self, push: Push, lineage: &Lineage) -> Result<(), String> {
        if self.stage != Stage::Live {
            return Err(format!("something was pushed while it was {:?}", self.stage));
        }
        match push {
            Push { publication: Some(publication), .. } => self.publication(&publication, lineage),
            Push { unsubscribe: Some(_), .. } if self.side == SubscriptionSide::Client => {
                self.stage = Stage::Idle;
                Ok(())
            }
            Push { subscribe: Some(to), .. } if self.side == SubscriptionSide::Server => self.moved(to.position()?, lineage),
            _ => Err("something was pushed that is not for its side".into()),
        }
    }

    /// It goes on in another timeline.
    fn moved(&mut self, to: Position, lineage: &Lineage) -> Result<(), String> {
        let held = self.position.replace(to).ok_or("it was moved from nowhere")?;
        recovered(held, to, lineage).map_err(|wrong| format!("{wrong}: moved from {held:?} to {to:?}"))
    }

    fn subscribed(&mut self, answer: Subscribed, server: &mut Server) -> Result<(), String> {
        let Stage::Asked(asked) = self.stage else { return Err("an answer that nobody waits for".into()) };
        let at = answer.position()?;
        let first = server.first(&self.channel).filter(|_| server.top(&self.channel).is_some_and(|top| top.epoch == at.epoch));
        let lineage = server.lineage(&self.channel);
        if !lineage.exists(at) {
            return Err(format!("it was told to be at {at:?}, which nobody was"));
        }
        if answer.was_recovering != (asked != Asked::Nothing) {
            return Err(format!("it asked for {asked:?} and was answered otherwise"));
        }
        if let Asked::After(held) = asked {
            let told = if answer.recovered { recovered(held, at, lineage) } else { lost(held, at, first, lineage) };
            told.map_err(|wrong| format!("{wrong}: from {held:?} to {at:?}"))?;
        }
        (self.stage, self.position) = (Stage::Live, Some(at));
        answer.publications.iter().try_for_each(|publication| self.publication(publication, lineage))
    }

    fn publication(&mut self, publication: &Publication, lineage: &Lineage) -> Result<(), String> {
        let Some(position) = &mut self.position else { return Err("a publication before any position".into()) };
        let Publication { data, offset } = *publication;
        let place = Position { offset, ..*position };
        if lineage.at(place) != Some(data) {
            return Err(format!("{data} came at {place:?}, where {:?} stands", lineage.at(place)));
        }
        if offset != position.offset + 1 {
            return Err(format!("{offset} followed {position:?}"));
        }
        *position = place;
        Ok(())
    }

    /// What it still lacks at rest; none if it has everything.
    pub(super) fn lacks(&self, server: &Server) -> Option<String> {
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

/// It was told that nothing is missing.
fn recovered(held: Position, at: Position, lineage: &Lineage) -> Result<(), &'static str> {
    if at.offset != held.offset {
        return Err("it was moved without being told of a loss");
    }
    lineage.is_part(held, at.epoch).then_some(()).ok_or("what it has was lost, and it was not told")
}

/// It was told that something is missing. `first` is the first that is held now, if the timeline is the current one.
fn lost(held: Position, at: Position, first: Option<u64>, lineage: &Lineage) -> Result<(), &'static str> {
    if lineage.trimmed <= held.offset && lineage.remembers(held, at.epoch) {
        return Err("it was told of a loss, and nothing was lost");
    }
    let before = first.map_or(u64::MAX, |first| first - 1).max(lineage.fork(held.epoch, at.epoch).unwrap_or(0));
    (at.offset <= before).then_some(()).ok_or("what is held was left out")
}
