//! Tests of STOMP connections. A page sends frames, the test plays the session, and each step becomes one line of text.

mod acknowledge;
mod bad_input;
mod calls;
mod connect;
mod heart_beats;
mod honoured;
mod memory;
mod publications;
mod random;
mod send;
mod subscribe;
mod transactions;

use super::*;
use crate::{
    model::{
        ChannelName, ClientInfo, Content, Data, Epoch, ErrorCode, Position, Publication, Recovery, Refusal, Tags, Tick, Unsubscribe, UserId,
    },
    protocol::{
        Command, Connected, DeliveryForm, Push, Reply, Request, Subscribed,
        centrifuge::Payload,
        stomp::{
            Framing, MessageForm, MessageSubscription, ParserLimits, Version,
            testing::{Received, read_messages},
        },
    },
};
use std::{sync::Arc, time::Duration};

const CLIENT: &str = "000102030405060708090a0b0c0d0e0f";
const CONNECT: &str = "CONNECT\naccept-version:1.2\n\n";

fn config() -> StompConfig {
    StompConfig {
        destinations: DestinationTable::default(),
        unknown_destination: UnknownDestination::Error,
        server: "Switchboard/1".into(),
        limits: ParserLimits { headers: 20, header_bytes: 1024, body_bytes: 4096 },
        max_subscriptions: 8,
        subscriptions_per_channel: 5,
        max_in_flight: 4,
        transactions: TransactionLimits { open: 2, frames: 6, bytes: 4096 },
        pong_timeout: Duration::from_secs(8),
    }
}

/// A page with a STOMP client, and the clock.
struct Page {
    translator: Translator,
    now: Tick,
    version: Version,
    framing: Framing,
}

impl Page {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut StompConfig)) -> Self {
        let mut config = config();
        change(&mut config);
        Self::begin(config, Framing::WebSocket, None)
    }

    fn begin(config: StompConfig, framing: Framing, token: Option<&str>) -> Self {
        let now = Tick(1000);
        let start = StompStart { framing, token: token.map(Into::into), now };
        Self { translator: Translator::new(Arc::new(config), start), now, version: Version::V1_0, framing }
    }

    /// An anonymous page with this version.
    fn connected(version: Version) -> Self {
        Self::new().sign_in("", &format!("CONNECT\naccept-version:{}\n\n", version.as_str())).0
    }

    /// A page of alice, with STOMP 1.2.
    fn alice() -> Self {
        Self::new().sign_in("alice", CONNECT).0
    }

    /// Connects, and returns what the page gets.
    fn sign_in(mut self, user: &str, connect: &str) -> (Self, Vec<String>) {
        assert_eq!(self.send(connect).len(), 1, "the connect command");
        let user: UserId = user.parse().expect("valid");
        let client = CLIENT.parse().expect("valid");
        self.translator.identified(&Arc::new(ClientInfo { user, client, conn_info: None, chan_info: None }));
        let (time_ms, node) = (0, "n1".into());
        let connected = Connected { client, session: None, time_ms, node, ping: None, pong: true, ttl: None, data: None, subs: Vec::new() };
        let lines = self.answer(1, Reply::Connect(Box::new(connected)));
        let version =
            lines.first().and_then(|line| line.split_once("version:")).map(|(_, rest)| rest.get(..3).unwrap_or_default().to_owned());
        self.version = Version::ALL.into_iter().find(|it| Some(it.as_str()) == version.as_deref()).expect("CONNECTED");
        (self, lines)
    }

    /// Sends frames, which have to be whole or to end the message. The last one gets its NUL here.
    fn send(&mut self, frames: &str) -> Vec<String> {
        let frames = if frames.ends_with('\n') && frames.trim().is_empty() { frames.to_owned() } else { format!("{frames}\0") };
        self.send_raw(frames.as_bytes())
    }

    fn send_raw(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.message(self.now, Payload::Binary(bytes), &mut steps);
        self.lines(steps)
    }

    /// Answers a command as the session does.
    fn answer(&mut self, id: u32, reply: impl Into<Reply>) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.reply(self.now, id, reply.into(), &mut steps);
        self.lines(steps)
    }

    /// The session sends something by itself.
    fn push(&mut self, push: Push) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.push(self.now, push, &mut steps);
        self.lines(steps)
    }

    /// Lets time pass, and the timer run when it is due.
    fn wait(&mut self, millis: u64) -> Vec<String> {
        let (end, mut steps) = (self.now.after(Duration::from_millis(millis)), Vec::new());
        while let Some(due) = self.translator.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.translator.timer(self.now, true, &mut steps);
        }
        self.now = end;
        self.lines(steps)
    }

    /// Subscribes to a destination of a channel; `command` is the id of the command.
    fn subscribed(mut self, id: &str, destination: &str, command: u32) -> Self {
        self.send(&format!("SUBSCRIBE\nid:{id}\ndestination:{destination}\n\n"));
        assert_eq!(self.answer(command, subscribed()), Vec::<String>::new());
        self
    }

    fn lines(&self, steps: Vec<Step>) -> Vec<String> {
        steps.into_iter().flat_map(|step| self.line(step)).collect()
    }

    fn line(&self, step: Step) -> Vec<String> {
        vec![match step {
            Step::Command(Command { id, request }) => format!("{id}: {}", describe(&request)),
            Step::Send(bytes) => {
                let version = if is_connected(&bytes) { Version::V1_0 } else { self.version };
                let messages = read_messages(self.framing, version, &bytes).expect("frames of a server");
                return messages.iter().map(show).collect();
            }
            Step::Form(channel, form) => format!("form {channel}: {}", form.map_or("none".to_owned(), |form| ids(&form))),
            Step::ControlPing => "ping".into(),
            Step::GapUntold(number) => format!("untold {number}"),
            Step::Undelivered => "undelivered".into(),
            Step::Close(code, reason) => format!("close {code} {reason}"),
        }]
    }
}

/// Whether these are the bytes of CONNECTED, which has no escapes.
fn is_connected(bytes: &[u8]) -> bool {
    bytes.windows(9).any(|part| part == b"CONNECTED")
}

fn ids_of(form: &DeliveryForm) -> String {
    let DeliveryForm::Stomp(form) = form else { panic!("not STOMP: {form:?}") };
    ids(form)
}

fn ids(form: &MessageForm) -> String {
    let id = |it: &MessageSubscription| match it.after {
        Some(after) => format!("{} after {after}", it.id),
        None => it.id.to_string(),
    };
    form.subscriptions.iter().map(id).collect::<Vec<_>>().join(" ")
}

/// A frame of the server in one line: command, headers without content-length, body.
fn show(frame: &Received) -> String {
    if frame.command.is_empty() {
        return "beat".into();
    }
    let mut line = frame.command.clone();
    for (name, value) in frame.headers.iter().filter(|(name, _)| name != "content-length") {
        line.extend([" ", name.as_str(), ":", value.as_str()]);
    }
    if !frame.body.is_empty() {
        line.extend([" | ", &*String::from_utf8_lossy(&frame.body)]);
    }
    line
}

fn describe(request: &Request) -> String {
    let published = |channel: &str, content: &Content, tags: &Tags| {
        let tags: String = tags.iter().flat_map(|(name, value)| [" ", name.as_str(), "=", value.as_str()]).collect();
        format!("{channel} {} {}{tags}", content.kind(), String::from_utf8_lossy(content.as_bytes()))
    };
    match request {
        Request::Connect(connect) => {
            let headers: String = connect.headers.iter().flat_map(|(name, value)| [" ", name.as_str(), "=", value.expose()]).collect();
            format!("connect {:?}{headers}", connect.token.expose())
        }
        Request::Subscribe(request) => {
            let from = request.recover.as_ref().map(|from| format!(" from {}-{}", from.epoch, from.offset)).unwrap_or_default();
            format!("subscribe {}{from} for {}", request.channel, request.form.as_ref().map(ids_of).unwrap_or_default())
        }
        Request::Unsubscribe { channel } => format!("unsubscribe {channel}"),
        Request::Publish { channel, content, tags } => format!("publish {}", published(channel, content, tags)),
        Request::PublishReply { channel, content, tags } => format!("reply {}", published(channel, content, tags)),
        Request::Rpc { method, data } => format!("call {method} {}", data.get()),
        Request::Send { data } => format!("event {}", data.get()),
        other => format!("{other:?}"),
    }
}

fn data(text: &str) -> Data {
    Data::parse(serde_json::from_str(text).expect("valid JSON")).expect("shallow")
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("valid")
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::parse("abcd1234").expect("valid"), offset }
}

fn publication(offset: u64, tags: &[(&str, &str)]) -> Arc<Publication> {
    let tags = tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Arc::new(Publication { position: Some(position(offset)), content: data("{}").into(), tags, info: None, time_ms: 0, traceparent: None })
}

fn subscribed() -> Reply {
    Reply::Subscribe(Box::default())
}

/// A subscribe that asked for what it missed.
fn recovered(recovery: Recovery, missed: &[u64]) -> Reply {
    recovered_from(7, recovery, missed)
}

/// A subscribe that begins after this offset.
fn recovered_from(offset: u64, recovery: Recovery, missed: &[u64]) -> Reply {
    let publications = missed.iter().map(|&offset| publication(offset, &[])).collect();
    Reply::Subscribe(Box::new(Subscribed { position: Some(position(offset)), recovery, publications, ..Subscribed::default() }))
}

fn refused(code: ErrorCode, detail: &str) -> Reply {
    Reply::Error(Refusal::new(code, detail))
}

const NOTHING: [&str; 0] = [];
