//! A property test: answers, pushes, deliveries and closes in any order.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Event {
    /// Answers one of the commands in flight.
    Answer(usize, Answer),
    Deliver(usize),
    /// A fork of a channel, which the stream crosses.
    Fork(usize),
    Lose(usize),
    Push(usize),
    Close(u16),
}

#[derive(Clone, Copy, Debug)]
enum Answer {
    Good,
    Lost,
    Refused(ErrorCode),
}

fn event() -> impl Strategy<Value = Event> {
    let codes = prop::sample::select(vec![ErrorCode::Internal, ErrorCode::PermissionDenied, ErrorCode::UnknownChannel]);
    let answer = prop_oneof![20 => Just(Answer::Good), 8 => Just(Answer::Lost), 1 => codes.prop_map(Answer::Refused)];
    prop_oneof![
        20 => (0..4usize, answer).prop_map(|(which, answer)| Event::Answer(which, answer)),
        30 => (0..3usize).prop_map(Event::Deliver),
        3 => (0..3usize).prop_map(Event::Fork),
        8 => (0..3usize).prop_map(Event::Lose),
        1 => (0..3usize).prop_map(Event::Push),
        1 => prop::sample::select(vec![3001u16, 3005, 3503, 4000, 4999]).prop_map(Event::Close),
    ]
}

/// A stream, the channels as the hub has them, and what the client may believe.
struct Run {
    page: Page,
    in_flight: Vec<(u32, Option<usize>)>,
    last_command: u32,
    decided: bool,
    accepted: bool,
    closed: bool,
    /// Where each channel is. `None`: it has no history.
    tops: Vec<Option<Position>>,
    /// Which channels are live.
    live: Vec<bool>,
    /// Losses in each channel that the stream has to tell.
    losses: usize,
}

impl Run {
    fn new(begin: Begin, tops: Vec<Option<Position>>) -> Self {
        let names: Vec<_> = ["a", "b", "c"].into_iter().take(tops.len()).collect();
        let is_return = matches!(begin, Begin::After(_));
        let (page, lines) = Page::begin(EventSourceStart { begin, is_return, ..start(&names) });
        let (in_flight, live) = (Vec::new(), vec![false; tops.len()]);
        let mut run = Self { page, in_flight, last_command: 0, decided: false, accepted: false, closed: false, tops, live, losses: 0 };
        run.check(lines);
        run
    }

    fn check(&mut self, lines: Vec<String>) {
        for line in lines {
            assert!(!self.closed, "nothing after the close: {line}");
            if let Some((id, command)) = line.split_once(": ").and_then(|(id, command)| Some((id.parse::<u32>().ok()?, command))) {
                assert_eq!(id, self.last_command + 1);
                self.last_command = id;
                let name = command.strip_prefix("subscribe ").and_then(|rest| rest.split(' ').next());
                self.in_flight.push((id, name.and_then(|name| self.page.channels.iter().position(|it| it.as_str() == name))));
            } else if line == "Accepted" || line.starts_with("Rejected") {
                assert!(!std::mem::replace(&mut self.decided, true), "it is decided once");
                self.accepted = line == "Accepted";
                self.live.fill(self.accepted);
            } else if line.starts_with("close ") {
                assert!(self.decided);
                self.closed = true;
            }
        }
        assert!(self.decided || self.page.sent.is_empty() || self.accepted, "no byte before the decision");
        let ids = read(&self.page.sent);
        if !ids.last_id.is_empty() {
            LastEventId::parse(&ids.last_id, &self.page.channels).expect("an id of the stream");
        }
    }

    fn apply(&mut self, event: &Event) {
        match event {
            Event::Answer(which, answer) if !self.in_flight.is_empty() => {
                let (id, index) = self.in_flight.remove(which % self.in_flight.len());
                let reply = self.reply(index, *answer);
                let lines = self.page.answer(id, reply);
                self.check(lines);
            }
            Event::Deliver(index) if self.is_live(*index) => {
                if let Some(top) = &mut self.tops[*index] {
                    top.offset += 1;
                    let at = *top;
                    self.page.deliver(*index, at);
                }
            }
            Event::Fork(index) if self.is_live(*index) => {
                if let Some(top) = &mut self.tops[*index] {
                    let name = format!("{:08}", top.offset);
                    *top = Position { epoch: Epoch::parse(&name).expect("valid"), offset: top.offset + 1 };
                    let at = *top;
                    self.page.deliver(*index, at);
                }
            }
            Event::Lose(index) if self.is_live(*index) => {
                self.live[*index] = false;
                if let Some(top) = &mut self.tops[*index] {
                    top.offset += 10;
                }
                let channel = self.page.channels[*index].clone();
                self.page.translator.left(&channel, None);
                let lines = self.page.push(Push::Unsubscribe(channel, Unsubscribe::InsufficientState));
                assert_eq!(lines.len(), 1, "it subscribes again");
                self.check(lines);
            }
            Event::Push(index) if *index < self.tops.len() && !self.closed => {
                let lines = self.page.push(Push::Unsubscribe(self.page.channels[*index].clone(), Unsubscribe::Server));
                self.check(lines);
            }
            Event::Close(code) if !self.closed => {
                let lines = self.page.closing(*code, "x");
                self.check(lines);
                self.closed = true;
            }
            _ => {}
        }
    }

    fn is_live(&self, index: usize) -> bool {
        !self.closed && self.live.get(index) == Some(&true)
    }

    fn reply(&mut self, index: Option<usize>, answer: Answer) -> Reply {
        if let Answer::Refused(code) = answer {
            return Reply::Error(code.into());
        }
        let Some(index) = index else { return connected() };
        let top = self.tops[index];
        let recovery = match answer {
            _ if top.is_none() => Recovery::NotRequested,
            Answer::Good if !self.accepted => Recovery::Recovered,
            _ => Recovery::Lost,
        };
        self.losses += usize::from(self.accepted && !self.closed);
        self.live[index] = self.accepted;
        subscribed(top, recovery, &[])
    }

    /// Every prefix of the stream leaves the client at an id from which nothing can be hidden: its position in each channel is that of the last
    /// event of the channel, or of the reset, and never beyond.
    fn check_prefixes(&self) {
        let text = self.page.text();
        let mut known: Vec<Option<u64>> = vec![None; self.tops.len()];
        let mut end = 0;
        for (number, block) in text.split_inclusive("\n\n").enumerate() {
            end += block.len();
            let read = read(&self.page.sent[..end]);
            let LastPositions::Of(all) = (match LastEventId::parse(&read.last_id, &self.page.channels) {
                Ok(last) => last.positions,
                Err(_) => continue,
            }) else {
                continue;
            };
            let name = block.lines().find_map(|line| line.strip_prefix("data: {\"channel\":\"")).and_then(|rest| rest.split('"').next());
            let of_event = name.and_then(|name| self.page.channels.iter().position(|it| it.as_str() == name));
            for (index, at) in all.iter().enumerate() {
                let offset = at.map(|at| at.offset);
                if number > 0 && of_event != Some(index) && self.tops.len() > 1 {
                    assert_eq!(offset, known[index], "only the position of the event's channel changes: {block}");
                }
                known[index] = offset;
            }
        }
    }
}

fn begins() -> impl Strategy<Value = Begin> {
    prop_oneof![
        3 => Just(Begin::Now),
        1 => Just(Begin::After(LastPositions::OfOtherChannels)),
        3 => prop::collection::vec(prop::option::weighted(0.8, 0..20u64), 3)
            .prop_map(|all| Begin::After(LastPositions::Of(all.iter().map(|at| at.map(position)).collect()))),
    ]
}

proptest! {
    #[test]
    fn a_stream_tells_every_loss_and_hides_none(
        begin in begins(),
        tops in prop::collection::vec(prop::option::weighted(0.8, 0..20u64), 1..4),
        events in prop::collection::vec(event(), 0..80),
    ) {
        let begin = match begin {
            Begin::After(LastPositions::Of(all)) => Begin::After(LastPositions::Of(all.iter().take(tops.len()).copied().collect())),
            other => other,
        };
        let mut run = Run::new(begin, tops.iter().map(|top| top.map(position)).collect());
        // The session answers the connect first.
        run.apply(&Event::Answer(0, Answer::Good));
        for event in &events {
            if !run.closed {
                run.apply(event);
            }
        }
        let resets = read(&run.page.sent).events.iter().filter(|event| event.kind == "reset").count();
        prop_assert!(resets >= run.losses, "{resets} resets for {} losses", run.losses);
        run.check_prefixes();
    }
}
