//! A Redis in memory: what the scripts do to streams, connections that subscribe, a replica that lags behind.

use super::lineage::{FORKS, Lineage};
use crate::broker::redis::schema::{codec, keys::Keys, scripts::SCRIPTS};
use gateway_core::model::{Epoch, Position};
use redis::{Arg, Cmd, Value};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};
use tokio::time::Instant;

/// What a server can do wrong. A simulation has to find each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It announces a publication, and stores it when the next one comes.
    AnnouncesFirst,
    /// A failover begins no new timeline.
    OneEpoch,
    /// A new timeline names a later offset than the one that it goes on from.
    ForksLate,
    /// Publish ids are forgotten.
    ForgetsAnswers,
    /// A publish is carried out whenever it comes.
    AcceptsLate,
    /// A publish is carried out although a later one was already.
    StoresOvertaken,
    /// A subscription is confirmed, and takes effect when something else is asked for.
    ConfirmsEarly,
    /// Every tenth announcement reaches nobody.
    LosesAnnouncements,
    /// The node does not look at what was published while it was away. Not the server's fault, but near it.
    UncheckedResume,
}

/// See the module.
pub(crate) struct Server {
    data: Data,
    replica: Data,
    replid: u32,
    epochs: u32,
    outlets: Vec<Outlet>,
    /// What connections for commands that are gone still bring, by their numbers.
    left_behind: VecDeque<(u64, Cmd)>,
    seats: u64,
    scripts: bool,
    /// The code of what it answers to everything, or to the next command.
    refuses: Option<&'static str>,
    refuses_once: bool,
    /// Announcements that it refuses from now on.
    pub(crate) mute: u32,
    pub(crate) flaw: Option<Flaw>,
    /// What must not be. The first one counts.
    pub(crate) wrong: Option<String>,
    lineages: BTreeMap<String, Lineage>,
    keys: Keys,
    start: Instant,
    announced: u32,
    deferred: Option<(String, usize, Vec<u8>)>,
}

/// What a replica has too.
#[derive(Clone, Default)]
struct Data {
    channels: BTreeMap<String, Stream>,
    answers: HashMap<String, Answer>,
}

#[derive(Clone)]
struct Stream {
    position: Position,
    replid: u32,
    forks: Vec<Position>,
    entries: VecDeque<(u64, Vec<u8>)>,
}

#[derive(Clone)]
struct Answer {
    fingerprint: String,
    position: Position,
    until: u64,
}

/// The server's end of a connection that subscribes.
#[derive(Default)]
struct Outlet {
    open: bool,
    deaf: bool,
    lanes: BTreeSet<String>,
    asks: VecDeque<Ask>,
    early: Option<Ask>,
    wire: VecDeque<Item>,
}

/// What a node asks for.
pub(super) enum Ask {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
}

/// On its way to a node.
pub(super) enum Item {
    Message(String, Vec<u8>),
    Confirmation,
}

impl Server {
    pub(crate) fn new(prefix: &str, flaw: Option<Flaw>) -> Self {
        Self {
            data: Data::default(),
            replica: Data::default(),
            replid: 1,
            epochs: 0,
            outlets: Vec::new(),
            left_behind: VecDeque::new(),
            seats: 0,
            scripts: true,
            refuses: None,
            refuses_once: false,
            mute: 0,
            flaw,
            wrong: None,
            lineages: BTreeMap::new(),
            keys: Keys::new(prefix),
            start: Instant::now(),
            announced: 0,
            deferred: None,
        }
    }

    /// Where the channel stands, if anybody ever touched it.
    pub(crate) fn top(&self, channel: &str) -> Option<Position> {
        self.data.channels.get(channel).map(|stream| stream.position)
    }

    /// The first that is held. None, too, as long as nobody has asked since the server became another one.
    pub(crate) fn first(&self, channel: &str) -> Option<u64> {
        let stream = self.data.channels.get(channel).filter(|stream| stream.replid == self.replid)?;
        stream.entries.front().map(|(offset, _)| *offset)
    }

    /// What ever stood in the channel.
    pub(crate) fn lineage(&mut self, channel: &str) -> &mut Lineage {
        self.lineages.entry(channel.to_owned()).or_default()
    }

    pub(in super::super) fn load_scripts(&mut self) {
        self.scripts = true;
    }

    pub(crate) fn forget_scripts(&mut self) {
        self.scripts = false;
    }

    /// The replica has everything now.
    pub(crate) fn replicate(&mut self) {
        self.replica = self.data.clone();
    }

    /// The server is another one: what the replica lacks is lost, if it takes over. All connections break.
    pub(crate) fn replaced(&mut self, by_replica: bool) {
        if by_replica {
            self.data = self.replica.clone();
        }
        self.replid += 1;
        self.scripts = false;
        self.left_behind.clear();
        self.outlets.iter_mut().for_each(Outlet::close);
    }

    /// Takes a connection for commands, and ends the one before it. Answers its number, and the identity of the data.
    pub(in super::super) fn take_seat(&mut self, last: Option<u64>) -> (u64, Arc<str>) {
        self.left_behind.retain(|(number, _)| Some(*number) != last);
        self.seats += 1;
        (self.seats, self.identity().into())
    }

    /// A command of a connection that is gone.
    pub(in super::super) fn left_behind(&mut self, seat: u64, cmd: Cmd) {
        self.left_behind.push_back((seat, cmd));
    }

    pub(crate) fn has_left_behind(&self) -> bool {
        !self.left_behind.is_empty()
    }

    /// Carries out a command of a connection that is gone.
    pub(crate) fn execute_left_behind(&mut self) -> bool {
        let Some((_, cmd)) = self.left_behind.pop_front() else { return false };
        self.execute(&cmd);
        true
    }

    /// Refuses all commands from now on, or one.
    pub(crate) fn refuse(&mut self, code: &'static str, once: bool) {
        (self.refuses, self.refuses_once) = (Some(code), once);
    }

    /// Carries out what comes. Answers whether it did not before.
    pub(crate) fn accept(&mut self) -> bool {
        self.refuses.take().is_some()
    }

    /// Why it does not carry out the next command.
    fn refusal(&mut self) -> Option<&'static str> {
        let refuses = if self.refuses_once { self.refuses.take() } else { self.refuses };
        refuses.or_else(|| (!self.scripts).then_some("NOSCRIPT"))
    }

    fn identity(&self) -> String {
        format!("data{}", self.replid)
    }

    pub(in super::super) fn execute(&mut self, cmd: &Cmd) -> Value {
        if let Some(code) = self.refusal() {
            return error(code);
        }
        let args: Vec<&[u8]> = cmd.args_iter().filter_map(|arg| if let Arg::Simple(arg) = arg { Some(arg) } else { None }).collect();
        match args[..] {
            [b"EVALSHA", hash, keys, ref rest @ ..] if hash == SCRIPTS.publish.get_hash().as_bytes() => {
                let (keys, rest) = rest.split_at(number(keys) as usize);
                self.publish(&keys[2..], rest)
            }
            [b"EVALSHA", hash, b"2", _, stream, ref rest @ ..] if hash == SCRIPTS.read.get_hash().as_bytes() => self.read(stream, rest),
            [b"DEL", stream] => {
                let channel = self.keys.channel_of_stream(text(stream)).expect("a stream").into_owned();
                self.clear(&channel);
                Value::Int(1)
            }
            _ => panic!("not simulated: {:?}", args.iter().map(|arg| String::from_utf8_lossy(arg)).collect::<Vec<_>>()),
        }
    }

    /// `publish.lua`.
    fn publish(&mut self, keys: &[&[u8]], args: &[&[u8]]) -> Value {
        let (key, later) = keys.split_first().expect("its own");
        let &[lane, body, size, _, _, fingerprint, life, _, _, not_after] = args else { panic!("ten arguments") };
        let (now, fingerprint) = (self.start.elapsed().as_millis() as u64, text(fingerprint));
        if let Some(answer) = self.data.answers.get(text(key)).filter(|answer| answer.until > now) {
            return if answer.fingerprint == fingerprint { outcome("replayed", Some(answer.position)) } else { outcome("mismatch", None) };
        }
        if now >= number(not_after) && self.flaw != Some(Flaw::AcceptsLate) {
            return error("LATE");
        }
        let known = |key: &&[u8]| self.data.answers.get(text(key)).is_some_and(|answer| answer.until > now);
        if later.iter().any(known) && self.flaw != Some(Flaw::StoresOvertaken) {
            return error(&format!("OVERTAKEN {}", self.identity()));
        }
        let channel = self.keys.channel(text(lane)).expect("a channel").into_owned();
        self.store_deferred();
        let position = if self.flaw == Some(Flaw::AnnouncesFirst) {
            let position = self.timeline(&channel).position;
            self.deferred = Some((channel, number(size) as usize, body.to_vec()));
            Position { offset: position.offset + 1, ..position }
        } else {
            self.store(&channel, number(size) as usize, body)
        };
        if self.flaw != Some(Flaw::ForgetsAnswers) {
            let answer = Answer { fingerprint: fingerprint.to_owned(), position, until: now + number(life) };
            self.data.answers.insert(text(key).to_owned(), answer);
        }
        if self.mute > 0 {
            self.mute -= 1;
            return outcome("unannounced", Some(position));
        }
        let message = [format!("p{}{} ", position.epoch, position.offset).as_bytes(), body].concat();
        self.announce(text(lane), &message);
        outcome("stored", Some(position))
    }

    fn store_deferred(&mut self) {
        if let Some((channel, size, body)) = self.deferred.take() {
            self.store(&channel, size, &body);
        }
    }

    fn store(&mut self, channel: &str, size: usize, body: &[u8]) -> Position {
        let stream = self.timeline(channel);
        stream.position.offset += 1;
        stream.entries.push_back((stream.position.offset, body.to_vec()));
        let mut trimmed = 0;
        while stream.entries.len() > size
            && let Some((offset, _)) = stream.entries.pop_front()
        {
            trimmed = offset;
        }
        let position = stream.position;
        let what = codec::decode_body(body, None).and_then(|publication| publication.data.get().parse().ok()).expect("a number");
        let lineage = self.lineage(channel);
        lineage.trimmed = lineage.trimmed.max(trimmed);
        if let Some(before) = lineage.store(position, what) {
            self.wrong.get_or_insert(format!("{channel}: {what} was stored at {before} and again at {position:?}"));
        }
        position
    }

    fn announce(&mut self, lane: &str, message: &[u8]) {
        self.announced += 1;
        if self.flaw == Some(Flaw::LosesAnnouncements) && self.announced.is_multiple_of(10) {
            return;
        }
        for outlet in self.outlets.iter_mut().filter(|outlet| outlet.open && !outlet.deaf && outlet.lanes.contains(lane)) {
            outlet.wire.push_back(Item::Message(lane.to_owned(), message.to_vec()));
        }
    }

    /// `read.lua`.
    fn read(&mut self, stream: &[u8], args: &[&[u8]]) -> Value {
        let &[mode, offset, most, ..] = args else { panic!("six arguments") };
        let channel = self.keys.channel_of_stream(text(stream)).expect("a stream").into_owned();
        let (after, most) = (number(offset), number(most) as usize);
        let stream = self.timeline(&channel);
        let entries = stream.entries.iter().filter(|(offset, _)| mode == b"after" && *offset > after).take(most);
        let entries = entries.flat_map(|(offset, body)| [bulk(offset.to_string()), Value::BulkString(body.clone())]).collect();
        let forks: Vec<_> = stream.forks.iter().map(|fork| format!("{}:{}", fork.epoch, fork.offset)).collect();
        let (epoch, top) = (bulk(stream.position.epoch.to_string()), bulk(stream.position.offset.to_string()));
        Value::Array(vec![epoch, top, bulk(forks.join(" ")), Value::Array(entries)])
    }

    /// `timeline.lua`.
    fn timeline(&mut self, channel: &str) -> &mut Stream {
        let (replid, flaw) = (self.replid, self.flaw);
        let before = self.data.channels.get(channel).map(|stream| (stream.position, stream.replid));
        let goes_on = before.is_some_and(|(_, of)| of == replid || flaw == Some(Flaw::OneEpoch));
        if !goes_on {
            self.epochs += 1;
            let epoch = Epoch::parse(&format!("epoch{:03}", self.epochs)).expect("eight letters");
            let left = before.map(|(position, _)| position);
            self.lineage(channel).begin(epoch, left);
            let fresh = Stream { position: Position { epoch, offset: 0 }, replid, forks: Vec::new(), entries: VecDeque::new() };
            let stream = self.data.channels.entry(channel.to_owned()).or_insert(fresh);
            (stream.position.epoch, stream.replid) = (epoch, replid);
            if let Some(left) = left {
                let late = u64::from(flaw == Some(Flaw::ForksLate)) * 2;
                stream.forks.insert(0, Position { offset: left.offset + late, ..left });
                stream.forks.truncate(FORKS);
            }
        }
        self.data.channels.get_mut(channel).expect("it was made")
    }

    pub(crate) fn clear(&mut self, channel: &str) {
        if let Some(stream) = self.data.channels.get_mut(channel) {
            stream.entries.clear();
            let top = stream.position.offset;
            let lineage = self.lineage(channel);
            lineage.trimmed = lineage.trimmed.max(top);
        }
    }

    /// Takes a connection that subscribes. Answers its number.
    pub(super) fn open(&mut self) -> usize {
        self.outlets.push(Outlet { open: true, ..Outlet::default() });
        self.outlets.len() - 1
    }

    pub(super) fn ask(&mut self, outlet: usize, ask: Ask) {
        self.outlets[outlet].asks.push_back(ask);
    }

    pub(super) fn obey(&mut self, outlet: usize) -> bool {
        let early = self.flaw == Some(Flaw::ConfirmsEarly);
        let outlet = &mut self.outlets[outlet];
        let Some(ask) = outlet.asks.pop_front_if(|_| outlet.open) else { return false };
        let effective = if early { outlet.early.replace(ask) } else { Some(ask) };
        match effective {
            Some(Ask::Subscribe(lanes)) => outlet.lanes.extend(lanes),
            Some(Ask::Unsubscribe(lanes)) => lanes.iter().for_each(|lane| {
                outlet.lanes.remove(lane);
            }),
            None => {}
        }
        outlet.wire.push_back(Item::Confirmation);
        true
    }

    pub(super) fn next_item(&mut self, outlet: usize) -> Option<Item> {
        self.outlets[outlet].wire.pop_front()
    }

    pub(super) fn close(&mut self, outlet: usize) -> bool {
        let outlet = &mut self.outlets[outlet];
        let open = outlet.open;
        outlet.close();
        open
    }

    pub(super) fn deafen(&mut self, outlet: usize) -> bool {
        !std::mem::replace(&mut self.outlets[outlet].deaf, true)
    }

    pub(super) fn mislay(&mut self, outlet: usize, lane: &str) -> bool {
        self.outlets[outlet].lanes.remove(lane)
    }

    pub(super) fn is_well(&self, outlet: usize) -> bool {
        self.outlets[outlet].open && !self.outlets[outlet].deaf
    }
}

impl Outlet {
    fn close(&mut self) {
        self.open = false;
        self.lanes.clear();
        self.asks.clear();
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn number(bytes: &[u8]) -> u64 {
    text(bytes).parse().expect("a number")
}

fn bulk(text: impl Into<String>) -> Value {
    Value::BulkString(text.into().into_bytes())
}

fn outcome(what: &str, position: Option<Position>) -> Value {
    let position = position.into_iter().flat_map(|at| [bulk(at.epoch.to_string()), bulk(at.offset.to_string())]);
    Value::Array([bulk(what)].into_iter().chain(position).collect())
}

fn error(code: &str) -> Value {
    redis::parse_redis_value(format!("-{code} simulated\r\n").as_bytes()).expect("an error as Redis sends it")
}
