//! Any order of commands, outcomes, server commands and time.

use super::*;
use crate::model::Unsubscribe;
use proptest::prelude::*;
use std::collections::HashSet;

const CHANNELS: [&str; 6] = ["open:a", "chat:a", "vip:a", "#alice", "closed:a", "bad name"];

#[derive(Clone, Debug)]
enum Event {
    Command(usize, usize),
    Done(usize, usize),
    Serve(usize, usize),
    Lost(usize),
    Wait(u64),
}

fn event() -> impl Strategy<Value = Event> {
    let channel = 0..CHANNELS.len();
    prop_oneof![
        6 => (0..14usize, channel.clone()).prop_map(|(kind, channel)| Event::Command(kind, channel)),
        6 => (0..8usize, 0..6usize).prop_map(|(which, outcome)| Event::Done(which, outcome)),
        2 => (0..12usize, channel.clone()).prop_map(|(kind, channel)| Event::Serve(kind, channel)),
        1 => channel.prop_map(Event::Lost),
        2 => (0..12_000u64).prop_map(Event::Wait),
    ]
}

/// Plays events against a session and watches what must always hold.
struct Game {
    session: Session,
    now: Tick,
    next_id: u32,
    flying: Vec<(OpId, &'static str)>,
    answered: HashSet<u32>,
    asked: HashSet<u32>,
    closed: bool,
}

impl Game {
    fn play(&mut self, event: &Event) {
        let input = match *event {
            Event::Command(kind, channel) => self.command(kind, CHANNELS[channel]),
            Event::Done(which, outcome) => Some(self.outcome(which, outcome)),
            Event::Serve(kind, name) => serve(kind, CHANNELS[name]),
            Event::Lost(name) => CHANNELS[name].parse().ok().map(Input::Lost),
            Event::Wait(millis) => {
                self.now = self.now.after(Duration::from_millis(millis));
                Some(Input::Tick)
            }
        };
        if let Some(input) = input {
            self.give(input);
        }
    }

    fn give(&mut self, input: Input) {
        let (mut actions, is_tick) = (Vec::new(), matches!(input, Input::Tick));
        self.session.handle(self.now, input, &mut actions);
        for action in &actions {
            self.watch(action);
        }
        assert!(self.flying.len() <= 3 + 4, "at most what commands may start and what the server subscribes to");
        assert!(self.closed == self.session.deadline().is_none(), "an open session has a deadline");
        assert!(!is_tick || self.session.deadline().is_none_or(|next| next > self.now), "a tick does not ask for itself again");
    }

    fn watch(&mut self, action: &Action) {
        assert!(!self.closed, "{action:?} after the close");
        match action {
            Action::Reply(id, _) => assert!(self.asked.contains(id) && self.answered.insert(*id), "{id} was answered again or not asked"),
            Action::Start(op, what) => self.flying.push((*op, fitting(what))),
            Action::Cancel(op) => {
                let at = self.flying.iter().position(|(flying, _)| flying == op).expect("what is cancelled is in flight");
                self.flying.remove(at);
            }
            Action::Close(code, reason) => {
                assert!((3000..5000).contains(code) && reason.len() <= 123);
                self.closed = true;
            }
            Action::Push(_) | Action::GoLive(_) | Action::Leave(_) | Action::Identify(_) => {}
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
            self.asked.insert(id);
        }
        let command = centrifuge::decode(&format!(r#"{{"id":{id},{body}}}"#)).next()?.expect("a good frame");
        Some(Input::Command(command))
    }

    fn outcome(&mut self, which: usize, outcome: usize) -> Input {
        if self.flying.is_empty() {
            return Input::Done(OpId(1_000_000), Outcome::Sent);
        }
        let (op, what) = self.flying.swap_remove(which % self.flying.len());
        let outcome = match (outcome, what) {
            (0, _) => failed(ErrorCode::ServiceUnavailable),
            (1, _) => Outcome::Sent,
            (_, "authenticate") => identity("alice"),
            (_, "subscriptions") => stored(&[("chat:a", None), ("closed:a", Some(9))]),
            (_, "refresh") => Outcome::Refreshed { user: user("alice"), issued: None, expires_in: Some(Duration::from_secs(9)) },
            (_, "authorize") => authorized(Some(9)),
            (2, "attach") => recovered(4, Recovery::Lost, &[5]),
            (_, "attach") => recovered(4, Recovery::Recovered, &[5]),
            _ => Outcome::Published,
        };
        Input::Done(op, outcome)
    }
}

fn fitting(op: &Op) -> &'static str {
    match op {
        Op::Authenticate { .. } => "authenticate",
        Op::Subscriptions { .. } => "subscriptions",
        Op::Refresh { .. } => "refresh",
        Op::Authorize { .. } => "authorize",
        Op::Attach(_) => "attach",
        _ => "other",
    }
}

fn serve(kind: usize, name: &str) -> Option<Input> {
    let channel: ChannelName = name.parse().ok()?;
    Some(Input::Server(match kind {
        0 => ServerCommand::Disconnect { code: 3001, reason: "shutdown".into() },
        1..=5 => subscribe_for(&channel, (kind > 3).then_some(kind as u64)),
        6..=9 => ServerCommand::Unsubscribe { channel, code: Unsubscribe::Server },
        _ => ServerCommand::Message(data("1")),
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_command_is_answered_once_and_a_close_is_the_end(events in proptest::collection::vec(event(), 0..120)) {
        let now = Tick(0);
        let session = Session::new(ConnectionId::random(), Arc::new(rules()), now, 0.3);
        let mut game =
            Game { session, now, next_id: 1, flying: Vec::new(), answered: HashSet::new(), asked: HashSet::new(), closed: false };
        let connect = game.command(0, "").expect("a command");
        game.give(connect);
        for event in &events {
            game.play(event);
        }
        // Whatever is under way ends: then no answer is owed.
        while let Some((op, _)) = game.flying.pop() {
            game.give(Input::Done(op, failed(ErrorCode::Internal)));
        }
        prop_assert!(game.closed || game.asked == game.answered);
    }
}
