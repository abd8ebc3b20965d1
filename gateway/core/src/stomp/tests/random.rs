//! A property test: frames, answers, pushes and time in any order.

use super::*;
use proptest::prelude::*;
use std::collections::{HashMap, HashSet};

const DESTINATIONS: [&str; 8] = ["/topic/a", "/queue/a", "/topic/b", "/user/queue/x", "/app/s/m", "/app/bad", "/other/a", "/topic/*"];

#[derive(Clone, Debug)]
enum Event {
    Frame(usize, usize, usize),
    Answer(usize, usize),
    Push(usize),
    Wait(u64),
    Pong,
    Bytes(Vec<u8>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        30 => (0..11usize, 0..5usize, 0..4usize).prop_map(|(kind, destination, name)| Event::Frame(kind, destination, name)),
        1 => (0..12usize, 0..8usize, 0..4usize).prop_map(|(kind, destination, name)| Event::Frame(kind, destination, name)),
        25 => (0..6usize, 1..12usize).prop_map(|(which, reply)| Event::Answer(which, reply)),
        1 => (0..6usize, Just(0usize)).prop_map(|(which, reply)| Event::Answer(which, reply)),
        2 => (0..7usize).prop_map(Event::Push),
        1 => (0..20_000u64).prop_map(Event::Wait),
        1 => Just(Event::Pong),
        1 => proptest::collection::vec(prop_oneof![10 => Just(b'\n'), 5 => Just(0u8), 1 => Just(b'x')], 0..3).prop_map(Event::Bytes),
    ]
}

/// Feeds events to a connection and checks its invariants.
struct Run {
    page: Page,
    in_flight: Vec<(u32, &'static str)>,
    last_command: u32,
    /// Receipts that were asked for, and those that were answered.
    asked: HashSet<String>,
    answered: HashMap<String, usize>,
    closed: bool,
    /// Whether the connection was closed because the client was silent. Then nobody waits for answers.
    gone: bool,
    /// The number of frames written.
    written: usize,
    /// The transaction that was begun last.
    transaction: usize,
    /// Frames that the client holds back while the connection is not read.
    unsent: Vec<Vec<u8>>,
}

impl Run {
    fn apply(&mut self, event: &Event) {
        let mut steps = Vec::new();
        let translator = &mut self.page.translator;
        match event {
            Event::Frame(kind, destination, name) => {
                let frame = self.frame(*kind, DESTINATIONS[*destination], *name);
                self.unsent.push(frame);
            }
            Event::Bytes(bytes) => self.unsent.push(bytes.clone()),
            Event::Answer(which, reply) => self.answer(*which, *reply),
            Event::Push(kind) => {
                translator.push(self.page.now, push(*kind), &mut steps);
                self.check(steps);
            }
            Event::Wait(millis) => {
                self.page.now = self.page.now.after(Duration::from_millis(*millis));
                translator.timer(self.page.now, true, &mut steps);
                let now = self.page.now;
                assert!(translator.deadline().is_none_or(|next| next > now), "the deadline is in the future after the timer");
                self.check(steps);
            }
            Event::Pong => translator.control_pong(self.page.now),
        }
        self.read();
    }

    /// A frame of this kind, with a receipt. Most are good.
    fn frame(&mut self, kind: usize, destination: &str, name: usize) -> Vec<u8> {
        self.written += 1;
        let (number, transaction) = (self.written, self.transaction);
        let head = match kind {
            0..=2 => format!("SEND\ndestination:{destination}\n"),
            3 if transaction == 0 => format!("SEND\ndestination:{destination}\n"),
            3 => format!("SEND\ndestination:{destination}\ntransaction:{transaction}\n"),
            4 | 5 => {
                let position = ["", "x-position:\n", "x-position:abcd1234-1\n", "x-position:otherone-3\n"].get(name).unwrap_or(&"");
                format!("SUBSCRIBE\nid:{number}\ndestination:{destination}\n{position}")
            }
            6 => format!("UNSUBSCRIBE\nid:{}\n", number.saturating_sub(name)),
            7 if transaction == 0 => {
                self.transaction = number;
                format!("BEGIN\ntransaction:{number}\n")
            }
            8 if transaction != 0 => {
                self.transaction = 0;
                format!("COMMIT\ntransaction:{transaction}\n")
            }
            9 if transaction != 0 && name == 0 => {
                self.transaction = 0;
                format!("ABORT\ntransaction:{transaction}\n")
            }
            7..=10 => format!("ACK\nid:{name}\n"),
            _ => "ABORT\ntransaction:0\n".to_owned(),
        };
        let body = if kind <= 3 { "{}" } else { "" };
        format!("{head}receipt:r{number}\n\n{body}\0").into_bytes()
    }

    /// Lets the connection read what the client wrote, as long as it wants to.
    fn read(&mut self) {
        while !self.closed && self.page.translator.wants_input() && !self.unsent.is_empty() {
            let bytes = self.unsent.remove(0);
            let text = String::from_utf8_lossy(&bytes);
            let receipt = text.lines().find_map(|line| line.strip_prefix("receipt:"));
            if self.page.translator.is_open() {
                self.asked.extend(receipt.map(str::to_owned));
            }
            let mut steps = Vec::new();
            self.page.translator.message(self.page.now, Payload::Binary(&bytes), &mut steps);
            self.check(steps);
        }
    }

    fn answer(&mut self, which: usize, reply: usize) {
        if self.in_flight.is_empty() {
            return;
        }
        let (id, kind) = self.in_flight.remove(which % self.in_flight.len());
        let reply = match (reply, kind) {
            (0, _) => refused(ErrorCode::Overloaded, "Full. Wait."),
            (1, "call") => Reply::CallFailed { code: 400, message: "no".into(), temporary: false },
            (2, "subscribe") => recovered(Recovery::Lost, &[1]),
            (_, "subscribe") => recovered(Recovery::Recovered, &[1, 2]),
            (3, "call") => Reply::Rpc(Data::null()),
            (_, "call") => Reply::Rpc(data("{}")),
            (_, "unsubscribe") => Reply::Unsubscribe,
            _ => Reply::Publish,
        };
        if kind == "unsubscribe" {
            let at = Some(position(5)).filter(|_| which.is_multiple_of(2));
            for name in ["a", "b", "#alice"] {
                self.page.translator.left(&channel(name), at);
            }
        }
        let mut steps = Vec::new();
        self.page.translator.reply(self.page.now, id, reply, &mut steps);
        self.check(steps);
    }

    fn check(&mut self, steps: Vec<Step>) {
        for step in steps {
            assert!(!self.closed, "{step:?} after the close");
            match &step {
                Step::Command(Command { id, request }) => {
                    assert!(*id == self.last_command + 1, "ids are consecutive");
                    self.last_command = *id;
                    self.in_flight.push((*id, kind_of(request)));
                }
                Step::Close(code, reason) => {
                    assert!(matches!(code, 1000 | 1002 | 3012) && reason.len() <= 123);
                    (self.closed, self.gone) = (true, *code == 3012);
                }
                Step::Send(bytes) => {
                    for frame in read_messages(Framing::WebSocket, Version::V1_2, bytes).expect("frames") {
                        if let Some(receipt) = frame.get("receipt-id") {
                            *self.answered.entry(receipt.to_owned()).or_default() += 1;
                        }
                    }
                }
                Step::Form(..) | Step::ControlPing | Step::GapUntold(_) | Step::Undelivered => {}
            }
        }
        let publishes = self.in_flight.iter().filter(|(_, kind)| *kind != "subscribe").count();
        assert!(publishes <= 4, "at most max_in_flight");
        assert!(self.answered.iter().all(|(receipt, times)| self.asked.contains(receipt) && *times == 1), "{:?}", self.answered);
    }
}

fn kind_of(request: &Request) -> &'static str {
    match request {
        Request::Subscribe(_) => "subscribe",
        Request::Unsubscribe { .. } => "unsubscribe",
        Request::Rpc { .. } => "call",
        _ => "publish",
    }
}

fn push(kind: usize) -> Push {
    match kind {
        0 => Push::Message { data: data("1"), queue: Some("x".into()) },
        1 => Push::Message { data: data("1"), queue: None },
        2 => Push::Unsubscribe(channel("b"), Unsubscribe::Server),
        3 => Push::Subscribe(channel("a"), Subscribed { recovery: Recovery::Lost, ..Subscribed::default() }),
        4 => Push::Publication(channel("a"), publication(3, &[])),
        _ => Push::Unsubscribe(channel("a"), Unsubscribe::InsufficientState),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn each_receipt_is_answered_once_and_nothing_follows_a_close(events in proptest::collection::vec(event(), 0..80)) {
        let page = Page::new().sign_in("alice", "CONNECT\naccept-version:1.2\nheart-beat:10000,10000\n\n").0;
        let page = page.subscribed("errors", "/user/queue/errors", 2);
        let (in_flight, unsent, asked, answered) = (Vec::new(), Vec::new(), HashSet::new(), HashMap::new());
        let mut run = Run { page, in_flight, last_command: 2, asked, answered, closed: false, gone: false, written: 0, transaction: 0, unsent };
        for event in &events {
            if !run.closed {
                run.apply(event);
            }
        }
        // When all commands are answered, each frame that counts has its RECEIPT, or its ERROR, or the MESSAGE in its place.
        while !run.closed && !run.in_flight.is_empty() {
            run.answer(0, 5);
            run.read();
        }
        prop_assert!(run.gone || run.asked.iter().all(|receipt| run.answered.contains_key(receipt)), "{:?} {:?}", run.asked, run.answered);
    }
}
