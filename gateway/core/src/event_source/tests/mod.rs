//! Tests of event streams. The test plays the session and the hub, and each step becomes lines of text.

mod begin;
mod endings;
mod losses;
mod random;
mod rejections;

use super::*;
use crate::{
    model::{ChannelName, Data, Disconnect, Epoch, ErrorCode, Position, Publication, RecoverFrom, Recovery, Refusal, Tags, Unsubscribe},
    protocol::{
        Command, Connected, DeliveryForm, DeliveryTemplate, Push, Reply, Request, Subscribed,
        event_stream::{ChannelList, LastEventId, LastPositions, end_id, position_id, testing::read},
    },
};
use std::{sync::Arc, time::Duration};

/// The gateway's side of a stream.
struct Page {
    translator: Translator,
    channels: ChannelList,
    /// The forms of the channels, once the session got the subscribes.
    forms: Vec<Option<DeliveryForm>>,
    /// Everything that was sent.
    sent: Vec<u8>,
}

fn start(channels: &[&str]) -> EventSourceStart {
    EventSourceStart {
        channels: list(channels),
        token: "t".into(),
        begin: Begin::Now,
        has_envelope: false,
        is_return: false,
        retry: Duration::from_secs(3),
    }
}

/// A request of a client whose last event had this id.
fn returning(channels: &[&str], id: &str) -> EventSourceStart {
    let last = LastEventId::parse(id, &list(channels)).expect("an id");
    EventSourceStart { begin: Begin::After(last.positions), is_return: true, ..start(channels) }
}

impl Page {
    fn begin(start: EventSourceStart) -> (Self, Vec<String>) {
        let (channels, mut steps) = (start.channels.clone(), Vec::new());
        let translator = Translator::begin(start, &mut steps);
        let mut page = Self { translator, forms: vec![None; channels.len()], channels, sent: Vec::new() };
        let lines = page.lines(steps);
        (page, lines)
    }

    /// A page whose connect command is answered, and what that causes.
    fn connected(start: EventSourceStart) -> (Self, Vec<String>) {
        let (mut page, lines) = Self::begin(start);
        assert_eq!(lines, ["1: connect \"t\""]);
        let lines = page.answer(1, connected());
        (page, lines)
    }

    /// An open stream of channels that begin at these positions.
    fn open(channels: &[&str], positions: &[Option<Position>]) -> Self {
        let (mut page, _) = Self::connected(start(channels));
        for (index, position) in positions.iter().enumerate() {
            page.answer(index as u32 + 2, subscribed(*position, Recovery::NotRequested, &[]));
        }
        assert!(page.text().starts_with(": "), "it is open");
        page
    }

    /// Answers a command as the session does.
    fn answer(&mut self, id: u32, reply: impl Into<Reply>) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.reply(id, reply.into(), &mut steps);
        self.lines(steps)
    }

    /// The session sends something by itself.
    fn push(&mut self, push: Push) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.push(push, &mut steps);
        self.lines(steps)
    }

    /// The session closes the connection.
    fn closing(&mut self, code: u16, reason: &str) -> Vec<String> {
        let mut steps = Vec::new();
        self.translator.closing(code, reason, &mut steps);
        self.lines(steps)
    }

    /// The hub delivers a publication.
    fn deliver(&mut self, index: usize, at: Position) {
        let form = self.forms[index].clone().expect("subscribed");
        let publication = publication(Some(at));
        form.append(&DeliveryTemplate::new(&form, &publication, 0), &publication, &mut self.sent);
    }

    fn text(&self) -> String {
        String::from_utf8(self.sent.clone()).expect("UTF-8")
    }

    /// The id of the last event that the client has.
    fn last_id(&self) -> String {
        read(&self.sent).last_id
    }

    /// Where the client is after everything that was sent.
    fn last_positions(&self) -> LastPositions {
        LastEventId::parse(&self.last_id(), &self.channels).expect("an id").positions
    }

    fn lines(&mut self, steps: Vec<Step>) -> Vec<String> {
        steps.into_iter().flat_map(|step| self.line(step)).collect()
    }

    fn line(&mut self, step: Step) -> Vec<String> {
        vec![match step {
            Step::Command(Command { id, request }) => format!("{id}: {}", self.describe(request)),
            Step::Send(bytes) => {
                let before = self.last_id();
                self.sent.extend_from_slice(&bytes);
                return self.show(&bytes, &before);
            }
            Step::Decided(decision) => format!("{decision:?}"),
            Step::Undelivered => "undelivered".into(),
            Step::Close(code, reason) => format!("close {code} {reason}"),
        }]
    }

    /// The events in some bytes: type, data, and the offsets of the id, if it is new.
    fn show(&self, bytes: &[u8], before: &str) -> Vec<String> {
        let mut last = before.to_owned();
        let mut at = |id: &str| {
            let is_new = std::mem::replace(&mut last, id.to_owned()) != id;
            if is_new { format!(" at {}", self.offsets(id)) } else { String::new() }
        };
        let blocks = String::from_utf8_lossy(bytes).into_owned();
        let mut lines = Vec::new();
        for block in blocks.split_inclusive("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            let (id, data, kind) = (field("id: "), field("data: "), field("event: "));
            let at = id.map(|id| at(&id)).unwrap_or_default();
            match data {
                Some(data) => lines.push(format!("{}{data}{at}", kind.map(|kind| kind + " ").unwrap_or_default())),
                None => lines.push(format!("opening{at}")),
            }
        }
        lines
    }

    fn offsets(&self, id: &str) -> String {
        if id.is_empty() {
            return "nothing".into();
        }
        let LastEventId { is_end, positions } = LastEventId::parse(id, &self.channels).expect("an id");
        let offset = |at: &Option<Position>| at.map_or("-".to_owned(), |at| at.offset.to_string());
        let all = match positions {
            LastPositions::Of(all) => all.iter().map(offset).collect::<Vec<_>>().join(" "),
            LastPositions::OfOtherChannels => "other".into(),
        };
        if is_end { all + " end" } else { all }
    }

    fn describe(&mut self, request: Request) -> String {
        match request {
            Request::Connect(connect) => format!("connect {:?}", connect.token.expose()),
            Request::Subscribe(request) => {
                let from = request.recover.as_ref().map(|from| format!(" from {}-{}", from.epoch, from.offset)).unwrap_or_default();
                let index = self.channels.iter().position(|channel| **channel == *request.channel).expect("a channel of the request");
                self.forms[index] = request.form;
                format!("subscribe {}{from}", request.channel)
            }
            other => format!("{other:?}"),
        }
    }
}

fn channel(name: &str) -> ChannelName {
    name.parse().expect("valid")
}

fn list(names: &[&str]) -> ChannelList {
    ChannelList::new(names.iter().map(|name| channel(name)).collect()).expect("valid")
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::parse("abcd1234").expect("valid"), offset }
}

fn publication(position: Option<Position>) -> Publication {
    let data = Data::parse(serde_json::from_str("{}").expect("JSON")).expect("shallow");
    Publication { position, content: data.into(), tags: Tags::new(), info: None, time_ms: 0, traceparent: None }
}

fn connected() -> Reply {
    let client = "000102030405060708090a0b0c0d0e0f".parse().expect("valid");
    Reply::Connect(Box::new(Connected {
        client,
        time_ms: 0,
        node: "n1".into(),
        ping: None,
        pong: false,
        session: None,
        ttl: None,
        data: None,
        subs: Vec::new(),
    }))
}

/// A subscribe that begins at a position, and what the client missed.
fn subscribed(position: Option<Position>, recovery: Recovery, missed: &[u64]) -> Reply {
    let publications = missed.iter().map(|&offset| Arc::new(publication(Some(self::position(offset))))).collect();
    Reply::Subscribe(Box::new(Subscribed { position, recovery, publications, ..Subscribed::default() }))
}

const NOTHING: [&str; 0] = [];
