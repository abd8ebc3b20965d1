//! A property test: commands, outcomes, server commands and time in any order.

use super::*;
use crate::model::Unsubscribe;
use proptest::prelude::*;
use std::collections::HashSet;

const CHANNELS: [&str; 7] = ["open:a", "chat:a", "vip:a", "guarded:a", "#alice", "closed:a", "bad name"];

#[derive(Clone, Debug)]
enum Event {
    Command(usize, usize),
    Done(usize, usize),
    ServerCommand(usize, usize),
    PublicationsLost(usize),
    ControlPong,
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let channel = 0..CHANNELS.len();
    prop_oneof![
        6 => (0..14usize, channel.clone()).prop_map(|(kind, channel)| Event::Command(kind, channel)),
        6 => (0..8usize, 0..6usize).prop_map(|(which, outcome)| Event::Done(which, outcome)),
        2 => (0..12usize, channel.clone()).prop_map(|(kind, channel)| Event::ServerCommand(kind, channel)),
        1 => channel.prop_map(Event::PublicationsLost),
        1 => Just(Event::ControlPong),
        2 => (0..12_000u64).prop_map(Event::Wait),
    ]
}

/// Feeds events to a session and checks its invariants.
struct Run {
    session: Session,
    now: Tick,
    next_id: u32,
    in_flight: Vec<(OpId, &'static str)>,
    answered: HashSet<u32>,
    sent: HashSet<u32>,
    closed: bool,
}

impl Run {
    fn apply(&mut self, event: &Event) {
        let input = match *event {
            Event::Command(kind, channel) => self.command(kind, CHANNELS[channel]),
            Event::Done(which, outcome) => Some(self.outcome(which, outcome)),
            Event::ServerCommand(kind, name) => server_command(kind, CHANNELS[name]),
            Event::PublicationsLost(name) => CHANNELS[name].parse().ok().map(Input::PublicationsLost),
            Event::ControlPong => Some(Input::ControlPong),
            Event::Wait(millis) => {
                self.now = self.now.after(Duration::from_millis(millis));
                Some(Input::Timer)
            }
        };
        if let Some(input) = input {
            self.input(input);
        }
    }

    fn input(&mut self, input: Input) {
        let (mut actions, is_tick) = (Vec::new(), matches!(input, Input::Timer));
        self.session.handle(self.now, input, &mut actions);
        for action in &actions {
            self.check(action);
        }
        assert!(self.in_flight.len() <= 3 + 4, "at most max_in_flight operations of commands, and max_subscriptions attaches of services");
        assert!(self.closed == self.session.deadline().is_none(), "a session has a deadline until it closes");
        assert!(
            !is_tick || self.session.deadline().is_none_or(|next| next > self.now),
            "the deadline is in the future after a timer input"
        );
    }

    fn check(&mut self, action: &Action) {
        assert!(!self.closed, "{action:?} after the close");
        match action {
            Action::Reply(id, _) => {
                assert!(self.sent.contains(id) && self.answered.insert(*id), "{id} was answered twice or is not a command");
            }
            Action::Start(op, what) => self.in_flight.push((*op, kind_of(what))),
            Action::Cancel(op) => {
                let at = self.in_flight.iter().position(|(in_flight, _)| in_flight == op).expect("a cancelled operation is in flight");
                self.in_flight.remove(at);
            }
            Action::Close(code, reason) => {
                assert!((3000..5000).contains(code) && reason.len() <= 123);
                self.closed = true;
            }
            Action::Push(_)
            | Action::ControlPing
            | Action::Limited(_)
            | Action::GoLive(_)
            | Action::Detach(..)
            | Action::SetMeta(_)
            | Action::Register(..)
            | Action::ReplaceToken(_) => {}
        }
    }

    fn command(&mut self, kind: usize, channel: &str) -> Option<Input> {
        let id = self.next_id;
        let body = match kind {
            0 => r#""connect":{}"#.to_owned(),
            1..=4 => format!(r#""subscribe":{{"channel":"{channel}","token":"{}","flag":2}}"#, if kind == 1 { "t" } else { "" }),
            5 => format!(r#""unsubscribe":{{"channel":"{channel}"}}"#),
            6 => format!(r#""publish":{{"channel":"{channel}"}}"#),
            7 => format!(r#""history":{{"channel":"{channel}","limit":-1}}"#),
            8 => format!(r#""presence":{{"channel":"{channel}"}}"#),
            9 => format!(r#""sub_refresh":{{"channel":"{channel}","token":"t"}}"#),
            10 => r#""refresh":{"token":"t"}"#.to_owned(),
            11 => r#""rpc":{"method":"m"}"#.to_owned(),
            12 => return Some(Input::Command(Command { id: 0, request: crate::protocol::Request::Pong })),
            _ => r#""send":{"data":{"service":"s"}}"#.to_owned(),
        };
        self.next_id += 1;
        if kind != 13 {
            self.sent.insert(id);
        }
        let command = decode(&format!(r#"{{"id":{id},{body}}}"#)).next()?.expect("valid");
        Some(Input::Command(command))
    }

    fn outcome(&mut self, which: usize, outcome: usize) -> Input {
        if self.in_flight.is_empty() {
            return Input::Done(OpId(1_000_000), Outcome::Sent);
        }
        let (op, what) = self.in_flight.swap_remove(which % self.in_flight.len());
        let outcome = match (outcome, what) {
            (0, _) => failed(ErrorCode::ServiceUnavailable),
            (1, _) => Outcome::Sent,
            (2, "authenticate" | "subscribe question" | "connect question") => Outcome::Disconnect { code: 4000, reason: "no".into() },
            (3, "authenticate" | "subscribe question" | "connect question") => {
                Outcome::CallFailed { code: 400, message: "no".into(), temporary: which.is_multiple_of(2) }
            }
            (4, "authenticate") => identity("alice"),
            (_, "authenticate" | "connect question") => named_by_service("alice", Some(9)),
            (_, "subscribe question") => allowed(Some(9)),
            (_, "subscriptions") => stored(&[("chat:a", None), ("closed:a", Some(9))]),
            (_, "refresh") => Outcome::Refreshed {
                user: user("alice"),
                issued: None,
                claims: None,
                meta: None,
                expires_in: Some(Duration::from_secs(9)),
                capabilities: None,
            },
            (_, "authorize") => authorized(Some(9)),
            (2, "attach") => recovered(4, Recovery::Lost, &[5]),
            (_, "attach") => recovered(4, Recovery::Recovered, &[5]),
            _ => Outcome::Published,
        };
        Input::Done(op, outcome)
    }
}

fn kind_of(op: &Op) -> &'static str {
    match op {
        Op::Authenticate(_) => "authenticate",
        Op::AskConnect(_) => "connect question",
        Op::AskSubscribe { .. } => "subscribe question",
        Op::Subscriptions(_) => "subscriptions",
        Op::Refresh { .. } => "refresh",
        Op::Authorize { .. } => "authorize",
        Op::Attach(_) => "attach",
        _ => "other",
    }
}

fn server_command(kind: usize, name: &str) -> Option<Input> {
    let channel: ChannelName = name.parse().ok()?;
    Some(Input::Server(match kind {
        0 => ServerCommand::Disconnect { code: 3001, reason: "shutdown".into() },
        1..=5 => subscribe_for(&channel, (kind > 3).then_some(kind as u64)),
        6..=9 => ServerCommand::Unsubscribe { channel, code: Unsubscribe::Server },
        _ => ServerCommand::Message { data: data("1"), queue: None },
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn each_command_is_answered_once_and_nothing_follows_a_close(
        events in proptest::collection::vec(event(), 0..120),
        ping_form in prop_oneof![Just(PingForm::Message), Just(PingForm::ControlFrame)],
        burst in prop_oneof![Just(0), 1..40u64],
    ) {
        let now = Tick(0);
        let config = SessionConfig { rates: TrafficRates { commands: Rate::new(1, burst), bytes: None }, ..config() };
        let session = Session::new(ConnectionId::random(), Arc::new(config), SessionStart { ping_form, ..start(now, 0.3) });
        let mut run =
            Run { session, now, next_id: 1, in_flight: Vec::new(), answered: HashSet::new(), sent: HashSet::new(), closed: false };
        let connect = run.command(0, "").expect("a command");
        run.input(connect);
        for event in &events {
            run.apply(event);
        }
        // When all operations have ended, each command has its reply.
        while let Some((op, _)) = run.in_flight.pop() {
            run.input(Input::Done(op, failed(ErrorCode::Internal)));
        }
        prop_assert!(run.closed || run.sent == run.answered);
    }
}
