//! A brain of a few rules.

use super::story::STORY;
use super::{Brain, Facts, Line, Needs, Step, Thought};
use shared_proto::client::link::CallFailure;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// Furthest that it counts.
const COUNT_LIMIT: u32 = 60;
/// Between two numbers.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

const HELP: &str = "I can do a few things. Try: \"who is here\", \"what time is it\", \"count to 10\" (then \"stop\", or later \"go on\"), \
\"tell me a story\", \"what did I say before\", \"error\" (your call fails), \"fail\" (I break down while I speak). \
A line that begins with @name is for that person, and I keep out of it.";

/// A small rule-based bot called `name`.
#[derive(Debug, Clone)]
pub struct Rules {
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Intent {
    ForSomebodyElse,
    Help,
    WhoIsHere,
    Time,
    CountTo(u32),
    GoOn,
    Story,
    Stop,
    ErrorOnPurpose,
    FailOnPurpose,
    WhatDidISay,
    Greeting,
    Thanks,
    Farewell,
    HowAreYou,
    WhoAreYou,
    Other,
}

impl Rules {
    /// Speaks under `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn intent(&self, text: &str) -> Intent {
        let lower = text.trim().to_lowercase();
        let Some(addressed) = self.addressed(&lower) else { return Intent::ForSomebodyElse };
        let words: Vec<&str> = addressed.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
        by_words(&words)
    }

    /// The line without a leading `@name`; none where it is for another name.
    fn addressed<'a>(&self, text: &'a str) -> Option<&'a str> {
        let Some(rest) = text.strip_prefix('@') else { return Some(text) };
        let (name, line) = rest.split_once(|c: char| c.is_whitespace() || c == ',' || c == ':').unwrap_or((rest, ""));
        (name == self.name.to_lowercase()).then_some(line)
    }
}

fn by_words(words: &[&str]) -> Intent {
    let has = |word: &str| words.contains(&word);
    let says = |phrase: &[&str]| words.windows(phrase.len()).any(|window| window == phrase);
    match words {
        ["stop" | "enough" | "quiet", ..] => Intent::Stop,
        ["help" | "commands", ..] => Intent::Help,
        ["error"] => Intent::ErrorOnPurpose,
        ["fail"] => Intent::FailOnPurpose,
        ["continue", ..] | ["go", "on", ..] => Intent::GoOn,
        _ if has("count") => Intent::CountTo(words.iter().find_map(|word| word.parse().ok()).unwrap_or(10)),
        _ if has("story") => Intent::Story,
        _ if says(&["who", "is", "here"]) || says(&["who", "s", "here"]) || says(&["who", "else", "is"]) => Intent::WhoIsHere,
        _ if says(&["did", "i", "say"]) || (has("remember") && has("i")) => Intent::WhatDidISay,
        _ if says(&["what", "time"]) || says(&["the", "time"]) || words == ["time"] => Intent::Time,
        _ if says(&["how", "are", "you"]) => Intent::HowAreYou,
        _ if says(&["who", "are", "you"]) || says(&["your", "name"]) => Intent::WhoAreYou,
        _ if has("thanks") || says(&["thank", "you"]) => Intent::Thanks,
        ["bye" | "goodbye", ..] => Intent::Farewell,
        ["hi" | "hello" | "hey" | "good", ..] => Intent::Greeting,
        _ => Intent::Other,
    }
}

impl Brain for Rules {
    fn objection(&self, line: &Line) -> Option<CallFailure> {
        let on_purpose = self.intent(&line.text) == Intent::ErrorOnPurpose;
        on_purpose.then(|| CallFailure::refused(418, "You asked for an error, and here it is. Your connection is fine."))
    }

    fn needs(&self, line: &Line) -> Needs {
        match self.intent(&line.text) {
            Intent::WhoIsHere => Needs::Presence,
            Intent::WhatDidISay | Intent::GoOn => Needs::Conversation,
            _ => Needs::Nothing,
        }
    }

    fn answer(&self, line: &Line, facts: &Facts) -> Thought {
        let you = if line.from.is_empty() { "stranger" } else { &line.from };
        let text = match self.intent(&line.text) {
            Intent::ForSomebodyElse => return Thought::Silence,
            Intent::Stop => return Thought::Stop,
            Intent::CountTo(last) => return Thought::Speak(count(1, last)),
            Intent::GoOn => return Thought::Speak(self.go_on(facts)),
            Intent::Story => return Thought::Speak(story()),
            Intent::FailOnPurpose => return Thought::Speak(break_down()),
            Intent::ErrorOnPurpose => "That was refused already.".to_owned(),
            Intent::Help => HELP.to_owned(),
            Intent::WhoIsHere => who_is_here(facts),
            Intent::Time => what_time(OffsetDateTime::now_utc()),
            Intent::WhatDidISay => what_was_said(&line.from, facts),
            Intent::Greeting => format!("Hello {you}! Say \"help\" to see what I can do."),
            Intent::Thanks => format!("You are welcome, {you}."),
            Intent::Farewell => format!("See you, {you}."),
            Intent::HowAreYou => "All links up, nothing dropped. And you?".to_owned(),
            Intent::WhoAreYou => format!("I am {}, a few rules behind a gateway.", self.name),
            Intent::Other => format!("I heard you, {you}, but I am a simple bot. Say \"help\" to see what I understand."),
        };
        Thought::Speak(vec![Step::Say(text)])
    }
}

impl Rules {
    /// Counts on from the last number that the bot said, whichever instance of it that was.
    fn go_on(&self, facts: &Facts) -> Vec<Step> {
        let Facts::Before(lines) = facts else { return cannot_remember() };
        let own = lines.iter().rev().filter(|line| line.from == self.name);
        let last = own.into_iter().find_map(|line| line.text.split_whitespace().rev().find_map(number));
        match last {
            Some(last) if last < COUNT_LIMIT => count(last + 1, (last + 10).min(COUNT_LIMIT)),
            Some(_) => vec![Step::Say("I was done counting.".into())],
            None => vec![Step::Say("I was not counting. Say \"count to 10\" first.".into())],
        }
    }
}

fn number(word: &str) -> Option<u32> {
    word.trim_end_matches(['.', ',']).parse().ok()
}

fn count(first: u32, last: u32) -> Vec<Step> {
    if last < first {
        return vec![Step::Say("That is a short way to count: done.".into())];
    }
    let end = last.min(COUNT_LIMIT);
    let mut steps = Vec::new();
    for n in first..=end {
        if n > first {
            steps.push(Step::Pause(COUNT_PAUSE));
        }
        let behind = if n == end { "." } else { ", " };
        steps.push(Step::Say(format!("{n}{behind}")));
    }
    if last > end {
        steps.push(Step::Say(" Further I do not count in one go.".into()));
    }
    steps
}

fn story() -> Vec<Step> {
    let mut steps = Vec::new();
    for paragraph in STORY {
        steps.push(Step::Say(format!("{paragraph}\n\n")));
        steps.push(Step::Pause(Duration::from_millis(400)));
    }
    steps
}

fn break_down() -> Vec<Step> {
    vec![Step::Say("I begin to speak, and in the middle of this sent".into()), Step::Pause(Duration::from_millis(500)), Step::Fail]
}

fn cannot_remember() -> Vec<Step> {
    vec![Step::Say("I cannot look it up just now. Ask me again in a moment.".into())]
}

fn who_is_here(facts: &Facts) -> String {
    let Facts::Present(people) = facts else { return "I cannot see just now who is here.".into() };
    let mut names: Vec<&str> = people.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let anonymous = people.len() - names.len();
    names.sort_unstable();
    names.dedup();
    let strangers = match anonymous {
        0 => String::new(),
        1 => "1 stranger".to_owned(),
        n => format!("{n} strangers"),
    };
    if !strangers.is_empty() {
        names.push(&strangers);
    }
    match names.as_slice() {
        [] => "Nobody but me.".into(),
        names => format!("Here now: {}.", names.join(", ")),
    }
}

fn what_time(now: OffsetDateTime) -> String {
    let format = format_description!("[hour]:[minute]:[second]");
    now.format(format).map_or_else(|_| "I have lost my watch.".into(), |time| format!("It is {time} UTC."))
}

fn what_was_said(from: &str, facts: &Facts) -> String {
    let Facts::Before(lines) = facts else { return "I cannot look it up just now. Ask me again in a moment.".into() };
    let said: Vec<&str> = lines.iter().filter(|line| line.from == from).map(|line| line.text.as_str()).collect();
    match said.as_slice() {
        [] => "You have said nothing yet that I could remember.".into(),
        [last] => format!("You said: \"{last}\"."),
        [.., before, last] => {
            format!("You said \"{last}\", and before that \"{before}\". In all I remember {} lines of yours.", said.len())
        }
    }
}
