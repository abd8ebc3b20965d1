//! A responder with a few rules.

use super::addressee::Addressee;
use super::intent::{Intent, is_command, words};
use super::story::STORY;
use super::types::{Attention, ChatMessage, Lookup, LookupResult, Responder, Response, Step};
use shared_proto::client::link::CallFailure;
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::format_description;

/// The bot counts up to this number.
const COUNT_LIMIT: u32 = 60;
/// Pause between two numbers.
const COUNT_PAUSE: Duration = Duration::from_secs(1);

/// A responder that recognises words and phrases. `name` is the name of the bot.
#[derive(Debug, Clone)]
pub struct RuleResponder {
    name: String,
}

impl RuleResponder {
    /// A responder for a bot with this name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    fn read(&self, text: &str) -> (Attention, Intent) {
        match Addressee::of(text, &self.name) {
            Addressee::Bot { before, after } => (Attention::Always, intent_of_request(before, after)),
            Addressee::SomebodyElse => (Attention::Never, Intent::Other),
            Addressee::Everybody => {
                let words = words(text);
                (if is_command(&words) { Attention::Always } else { Attention::IfAlone }, Intent::of(&words))
            }
        }
    }

    fn intent(&self, message: &ChatMessage) -> Intent {
        self.read(&message.text).1
    }
}

/// What a message with the bot's name asks for. The text after the name counts first: "hey @bot, stop" is no greeting.
fn intent_of_request(before: &str, after: &str) -> Intent {
    match Intent::of(&words(after)) {
        Intent::Other => Intent::of(&[words(before), words(after)].concat()),
        intent => intent,
    }
}

impl Responder for RuleResponder {
    fn refusal(&self, message: &ChatMessage) -> Option<CallFailure> {
        let on_purpose = self.intent(message) == Intent::ErrorOnPurpose;
        on_purpose.then(|| CallFailure::refused(418, "You asked for an error, and here it is. Your connection is fine."))
    }

    fn attention(&self, message: &ChatMessage) -> Attention {
        self.read(&message.text).0
    }

    fn lookup(&self, message: &ChatMessage) -> Lookup {
        match self.intent(message) {
            Intent::WhoIsHere => Lookup::Presence,
            Intent::EarlierMessages | Intent::ContinueCounting => Lookup::History,
            _ => Lookup::Nothing,
        }
    }

    fn respond(&self, message: &ChatMessage, found: &LookupResult) -> Response {
        let you = if message.from.is_empty() { "stranger" } else { &message.from };
        let text = match self.intent(message) {
            Intent::Stop => return Response::Stop,
            Intent::CountTo(last) => return Response::Answer(count(1, last)),
            Intent::ContinueCounting => return Response::Answer(self.continue_counting(found)),
            Intent::Story => return Response::Answer(story()),
            Intent::FailOnPurpose => return Response::Answer(failing_answer()),
            Intent::ErrorOnPurpose => "This message was refused.".to_owned(),
            Intent::Help => help(&self.name),
            Intent::WhoIsHere => who_is_here(found),
            Intent::Time => current_time(OffsetDateTime::now_utc()),
            Intent::EarlierMessages => earlier_messages(&message.from, found),
            Intent::Greeting => format!("Hello {you}! Say \"help\" to see what I can do."),
            Intent::Thanks => format!("You are welcome, {you}."),
            Intent::Farewell => format!("See you, {you}."),
            Intent::HowAreYou => "All links up, nothing dropped. And you?".to_owned(),
            Intent::WhoAreYou => format!("I am {}, a bot with a few rules.", self.name),
            Intent::Other => format!("I do not understand that, {you}: I am a simple bot. Say \"help\" to see what I understand."),
        };
        Response::Answer(vec![Step::Text(text)])
    }
}

impl RuleResponder {
    /// Continues from the last number in the conversation, even if another instance of the bot wrote it.
    fn continue_counting(&self, found: &LookupResult) -> Vec<Step> {
        let LookupResult::History(messages) = found else { return lookup_failed() };
        let own = messages.iter().rev().filter(|message| message.from == self.name);
        let last = own.into_iter().find_map(|message| message.text.split_whitespace().rev().find_map(number));
        match last {
            Some(last) if last < COUNT_LIMIT => count(last + 1, (last + 10).min(COUNT_LIMIT)),
            Some(_) => vec![Step::Text("I have finished counting.".into())],
            None => vec![Step::Text("I was not counting. Say \"count to 10\" first.".into())],
        }
    }
}

fn help(name: &str) -> String {
    format!(
        "My commands: \"who is here\", \"what time is it\", \"count to 10\" (then \"stop\", or later \"go on\"), \"tell me a story\", \
         \"what did I say before\", \"error\" (your call fails), \"fail\" (my answer fails halfway). \
         When others are here, I answer only a message that is exactly a command or contains @{name}."
    )
}

fn number(word: &str) -> Option<u32> {
    word.trim_end_matches(['.', ',']).parse().ok()
}

fn count(first: u32, last: u32) -> Vec<Step> {
    if last < first {
        return vec![Step::Text("There is nothing to count.".into())];
    }
    let end = last.min(COUNT_LIMIT);
    let mut steps = Vec::new();
    for n in first..=end {
        if n > first {
            steps.push(Step::Pause(COUNT_PAUSE));
        }
        let behind = if n == end { "." } else { ", " };
        steps.push(Step::Text(format!("{n}{behind}")));
    }
    if last > end {
        steps.push(Step::Text(" I do not count further.".into()));
    }
    steps
}

fn story() -> Vec<Step> {
    let mut steps = Vec::new();
    for paragraph in STORY {
        steps.push(Step::Text(format!("{paragraph}\n\n")));
        steps.push(Step::Pause(Duration::from_millis(400)));
    }
    steps
}

fn failing_answer() -> Vec<Step> {
    vec![Step::Text("I begin my answer, and in the middle of this sent".into()), Step::Pause(Duration::from_millis(500)), Step::Fail]
}

fn lookup_failed() -> Vec<Step> {
    vec![Step::Text("I cannot read the conversation. Ask me again in a moment.".into())]
}

fn who_is_here(found: &LookupResult) -> String {
    let LookupResult::Presence(people) = found else { return "I cannot find out who is here. Ask me again in a moment.".into() };
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

fn current_time(now: OffsetDateTime) -> String {
    let format = format_description!("[hour]:[minute]:[second]");
    now.format(format).map_or_else(|_| "I do not know the time.".into(), |time| format!("It is {time} UTC."))
}

fn earlier_messages(from: &str, found: &LookupResult) -> String {
    let LookupResult::History(messages) = found else { return "I cannot read the conversation. Ask me again in a moment.".into() };
    let own: Vec<&str> = messages.iter().filter(|message| message.from == from).map(|message| message.text.as_str()).collect();
    match own.as_slice() {
        [] => "I find no earlier message of yours.".into(),
        [last] => format!("You said: \"{last}\"."),
        [.., before, last] => {
            format!("You said \"{last}\", and before that \"{before}\". I find {} messages of yours.", own.len())
        }
    }
}
