//! A Redis in memory: streams on which commands have the same effects as the scripts, subscriber connections, and a replica that lags
//! behind.

use super::{
    flaw::Flaw,
    lineage::{FORKS, Lineage},
    payload,
};
use crate::broker::redis::schema::{codec, keys::Keys, scripts::SCRIPTS};
use gateway_core::{
    channel::{Judgement, Producers},
    model::{Epoch, Position, ProducerNumber, Span},
};
use redis::{Arg, Cmd, Value};
use shared_proto::producer::Producer;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};
use tokio::time::Instant;

/// The simulated server.
pub(crate) struct Server {
    data: Data,
    replica: Data,
    replid: u32,
    epochs: u32,
    subscribers: Vec<Subscriber>,
    /// Commands of closed connections that the server may still execute, by client id.
    left_behind: VecDeque<(u64, Cmd)>,
    clients: u64,
    scripts: bool,
    /// The error code with which the server refuses every command, or only the next one.
    refuses: Option<&'static str>,
    refuses_once: bool,
    /// Number of further publishes that the server will store but not send to subscribers.
    pub(crate) unannounced: u32,
    pub(crate) flaw: Option<Flaw>,
    /// The error codes with which the publish script has refused publishes.
    pub(crate) refusals: BTreeSet<&'static str>,
    /// A description of the first violation of an invariant.
    pub(crate) wrong: Option<String>,
    lineages: BTreeMap<String, Lineage>,
    keys: Keys,
    start: Instant,
    messages: u32,
    deferred: Option<(String, usize, Vec<u8>)>,
}

/// The data that a replica copies.
#[derive(Clone, Default)]
struct Data {
    channels: BTreeMap<String, Stream>,
    answers: HashMap<String, Answer>,
    producers: BTreeMap<String, Producers>,
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

/// The server's end of a subscriber connection.
#[derive(Default)]
struct Subscriber {
    open: bool,
    /// The server delivers no more messages to it.
    is_silent: bool,
    channels: BTreeSet<String>,
    requests: VecDeque<Request>,
    delayed: Option<Request>,
    in_flight: VecDeque<Item>,
}

/// A command of a subscriber connection.
pub(super) enum Request {
    Subscribe(Vec<String>),
    Unsubscribe(Vec<String>),
}

/// A push on its way to a node.
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
            subscribers: Vec::new(),
            left_behind: VecDeque::new(),
            clients: 0,
            scripts: true,
            refuses: None,
            refuses_once: false,
            unannounced: 0,
            flaw,
            refusals: BTreeSet::new(),
            wrong: None,
            lineages: BTreeMap::new(),
            keys: Keys::new(prefix),
            start: Instant::now(),
            messages: 0,
            deferred: None,
        }
    }

    /// The top of a channel, if the channel was ever used.
    pub(crate) fn top(&self, channel: &str) -> Option<Position> {
        self.data.channels.get(channel).map(|stream| stream.position)
    }

    /// The first offset in the history. None if the history is empty, or if no command has used the channel since a restart or failover.
    pub(crate) fn first(&self, channel: &str) -> Option<u64> {
        let stream = self.data.channels.get(channel).filter(|stream| stream.replid == self.replid)?;
        stream.entries.front().map(|(offset, _)| *offset)
    }

    /// The full history of a channel.
    pub(crate) fn lineage(&mut self, channel: &str) -> &mut Lineage {
        self.lineages.entry(channel.to_owned()).or_default()
    }

    pub(in super::super) fn load_scripts(&mut self) {
        self.scripts = true;
    }

    pub(crate) fn forget_scripts(&mut self) {
        self.scripts = false;
    }

    /// Copies all data to the replica.
    pub(crate) fn replicate(&mut self) {
        self.replica = self.data.clone();
    }

    /// Restarts the server, or replaces it with its replica. All connections break.
    pub(crate) fn replaced(&mut self, by_replica: bool) {
        if by_replica {
            self.data = self.replica.clone();
        }
        self.replid += 1;
        self.scripts = false;
        self.left_behind.clear();
        self.subscribers.iter_mut().for_each(Subscriber::close);
    }

    /// Accepts a connection for commands and ends its predecessor. Returns the client id and the identity of the data.
    pub(in super::super) fn replace_client(&mut self, last: Option<u64>) -> (u64, Arc<str>) {
        self.left_behind.retain(|(client, _)| Some(*client) != last);
        self.clients += 1;
        (self.clients, self.identity().into())
    }

    /// Stores a command of a closed connection, which the server may execute later.
    pub(in super::super) fn left_behind(&mut self, client: u64, cmd: Cmd) {
        self.left_behind.push_back((client, cmd));
    }

    pub(crate) fn has_left_behind(&self) -> bool {
        !self.left_behind.is_empty()
    }

    /// Executes a command of a closed connection.
    pub(crate) fn execute_left_behind(&mut self) -> bool {
        let Some((_, cmd)) = self.left_behind.pop_front() else { return false };
        self.execute(&cmd);
        true
    }

    /// From now on, refuses all commands, or only the next one.
    pub(crate) fn refuse(&mut self, code: &'static str, once: bool) {
        (self.refuses, self.refuses_once) = (Some(code), once);
    }

    /// Accepts commands again. Returns whether it refused them before.
    pub(crate) fn accept(&mut self) -> bool {
        self.refuses.take().is_some()
    }

    /// The error code if the server refuses the next command.
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
            [b"EVALSHA", hash, keys, ref rest @ ..]
                if [&SCRIPTS.publish, &SCRIPTS.publish_with_producer].iter().any(|script| hash == script.get_hash().as_bytes()) =>
            {
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

    /// Does the same as `publish.lua`.
    fn publish(&mut self, keys: &[&[u8]], args: &[&[u8]]) -> Value {
        let &[pubsub_channel, size, _, _, fingerprint, lifetime, _, _, producer, body, not_after] = args else { panic!("one body") };
        let producer = producer_number(text(producer));
        let (key, later) = keys[usize::from(producer.is_some())..].split_first().expect("its own");
        let (now, fingerprint) = (self.start.elapsed().as_millis() as u64, text(fingerprint));
        if let Some(answer) = self.data.answers.get(text(key)).filter(|answer| answer.until > now) {
            return if answer.fingerprint == fingerprint { outcome("replayed", Some(answer.position)) } else { outcome("mismatch", None) };
        }
        if now >= number(not_after) && self.flaw != Some(Flaw::AcceptsLate) {
            self.refusals.insert("LATE");
            return error("LATE");
        }
        let known = |key: &&[u8]| self.data.answers.get(text(key)).is_some_and(|answer| answer.until > now);
        if later.iter().any(known) && self.flaw != Some(Flaw::StoresOutOfOrder) {
            self.refusals.insert("OUTOFORDER");
            return error(&format!("OUTOFORDER {}", self.identity()));
        }
        let channel = self.keys.channel(text(pubsub_channel)).expect("a channel").into_owned();
        self.store_deferred();
        if let Some(number) = &producer
            && let Some(answer) = self.judge(&channel, number)
        {
            return answer;
        }
        let position = if self.flaw == Some(Flaw::DeliversBeforeStoring) {
            let position = self.timeline(&channel).position;
            self.deferred = Some((channel.clone(), number(size) as usize, body.to_vec()));
            Position { offset: position.offset + 1, ..position }
        } else {
            self.store(&channel, number(size) as usize, body)
        };
        if let Some(number) = &producer {
            self.data.producers.entry(channel).or_default().record(number, position.into());
        }
        if self.flaw != Some(Flaw::ForgetsAnswers) {
            let answer = Answer { fingerprint: fingerprint.to_owned(), position, until: now + number(lifetime) };
            self.data.answers.insert(text(key).to_owned(), answer);
        }
        if self.unannounced > 0 {
            self.unannounced -= 1;
            return outcome("unannounced", Some(position));
        }
        let message = [format!("p{}{} ", position.epoch, position.offset).as_bytes(), &self.announced(body)].concat();
        self.deliver(text(pubsub_channel), &message);
        outcome("stored", Some(position))
    }

    /// Does the same as `judge` in `producer.lua`.
    fn judge(&mut self, channel: &str, number: &ProducerNumber) -> Option<Value> {
        let top = self.timeline(channel).position.offset;
        let answer =
            match self.data.producers.get(channel).map_or_else(|| Producers::default().judge(number, top), |it| it.judge(number, top)) {
                Judgement::Next => return None,
                Judgement::Gap(_) | Judgement::Fenced(_) if self.flaw == Some(Flaw::IgnoresGaps) => return None,
                Judgement::Done(span) => vec![bulk("done")].into_iter().chain(span.into_iter().flat_map(span_parts)).collect(),
                Judgement::Gap(expected) => vec![bulk("gap"), bulk(expected.to_string())],
                Judgement::Fenced(epoch) => vec![bulk("fenced"), bulk(epoch.to_string())],
            };
        Some(Value::Array(answer))
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
        let what = codec::decode_body(body, None).and_then(|publication| payload::number(&publication.content)).expect("a number");
        let lineage = self.lineage(channel);
        lineage.trimmed = lineage.trimmed.max(trimmed);
        if let Some(before) = lineage.store(position, what) {
            self.wrong.get_or_insert(format!("{channel}: {what} was stored at {before} and again at {position:?}"));
        }
        position
    }

    /// The body as it is announced.
    fn announced<'a>(&self, body: &'a [u8]) -> Cow<'a, [u8]> {
        if self.flaw == Some(Flaw::LosesTags) && self.messages.is_multiple_of(3) {
            let mut publication = codec::decode_body(body, None).expect("a body");
            payload::remove_class(&mut publication.tags);
            return codec::encode_body(&publication).into();
        }
        body.into()
    }

    fn deliver(&mut self, pubsub_channel: &str, message: &[u8]) {
        self.messages += 1;
        if self.flaw == Some(Flaw::LosesMessages) && self.messages.is_multiple_of(10) {
            return;
        }
        let receives = |subscriber: &&mut Subscriber| subscriber.works() && subscriber.channels.contains(pubsub_channel);
        for subscriber in self.subscribers.iter_mut().filter(receives) {
            subscriber.in_flight.push_back(Item::Message(pubsub_channel.to_owned(), message.to_vec()));
        }
    }

    /// Does the same as `read.lua`.
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

    /// Does the same as `timeline.lua`.
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

    /// Accepts a subscriber connection. Returns its number.
    pub(super) fn open(&mut self) -> usize {
        self.subscribers.push(Subscriber { open: true, ..Subscriber::default() });
        self.subscribers.len() - 1
    }

    pub(super) fn request(&mut self, subscriber: usize, request: Request) {
        self.subscribers[subscriber].requests.push_back(request);
    }

    /// Executes the next request of a subscriber connection.
    pub(super) fn execute_request(&mut self, subscriber: usize) -> bool {
        let delays = self.flaw == Some(Flaw::ConfirmsEarly);
        let subscriber = &mut self.subscribers[subscriber];
        let Some(request) = subscriber.requests.pop_front_if(|_| subscriber.open) else { return false };
        let effective = if delays { subscriber.delayed.replace(request) } else { Some(request) };
        match effective {
            Some(Request::Subscribe(channels)) => subscriber.channels.extend(channels),
            Some(Request::Unsubscribe(channels)) => channels.iter().for_each(|channel| {
                subscriber.channels.remove(channel);
            }),
            None => {}
        }
        subscriber.in_flight.push_back(Item::Confirmation);
        true
    }

    pub(super) fn next_item(&mut self, subscriber: usize) -> Option<Item> {
        self.subscribers[subscriber].in_flight.pop_front()
    }

    pub(super) fn close(&mut self, subscriber: usize) -> bool {
        let subscriber = &mut self.subscribers[subscriber];
        let open = subscriber.open;
        subscriber.close();
        open
    }

    pub(super) fn stop_delivering(&mut self, subscriber: usize) -> bool {
        !std::mem::replace(&mut self.subscribers[subscriber].is_silent, true)
    }

    pub(super) fn forget_channel(&mut self, subscriber: usize, pubsub_channel: &str) -> bool {
        self.subscribers[subscriber].channels.remove(pubsub_channel)
    }

    pub(super) fn works(&self, subscriber: usize) -> bool {
        self.subscribers[subscriber].works()
    }
}

impl Subscriber {
    fn works(&self) -> bool {
        self.open && !self.is_silent
    }

    fn close(&mut self) {
        self.open = false;
        self.channels.clear();
        self.requests.clear();
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
    let is_first = (what != "replayed" && what != "mismatch").then(|| bulk("0"));
    Value::Array([bulk(what)].into_iter().chain(position).chain(is_first).collect())
}

fn span_parts(span: Span) -> [Value; 3] {
    [bulk(span.epoch.to_string()), bulk(span.first.to_string()), bulk(span.last.to_string())]
}

/// Reads "|epoch number id".
fn producer_number(text: &str) -> Option<ProducerNumber> {
    let mut parts = text.strip_prefix('|')?.splitn(3, ' ');
    let (epoch, seq, id) = (parts.next()?, parts.next()?, parts.next()?);
    let producer = Producer { id: id.into(), epoch: number(epoch.as_bytes()), seq: number(seq.as_bytes()) };
    Some(ProducerNumber::new(producer).expect("valid"))
}

fn error(code: &str) -> Value {
    redis::parse_redis_value(format!("-{code} simulated\r\n").as_bytes()).expect("an error as Redis sends it")
}
