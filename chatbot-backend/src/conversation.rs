//! What stands in a conversation's channel and in the channel of a stream.

use serde::{Deserialize, Serialize};
use shared_proto::name::check_channel;
use shared_proto::rest::PublicationBody;
use std::fmt;

/// The tag on every publication of a stream that names its conversation.
pub const CONVERSATION_TAG: &str = "conversation";

/// Namespace of conversations.
const CHAT: &str = "chat:";
/// Namespace of streams.
pub const STREAM: &str = "stream:";

/// A publication of a conversation or of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A finished line of a person or of the bot.
    Message {
        /// Unique within the conversation; of a streamed line, the stream's id.
        id: String,
        /// Who said it; empty for anonymous people.
        from: String,
        /// What was said.
        text: String,
        /// The stream in which the line came to be.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
        /// Why the stream ended, where it was not done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// Somebody is about to say something.
    Typing {
        /// Who.
        from: String,
    },
    /// A line is coming to be, in a channel of its own.
    Stream {
        /// Of the stream.
        id: String,
        /// Who speaks.
        from: String,
        /// `stream:<id>`
        channel: String,
    },
    /// In a stream: more text. An empty one only says that the speaker lives.
    Part {
        /// 0, 1, 2 ...
        seq: u64,
        /// To be added to what was there.
        text: String,
    },
    /// In a stream: the end. What comes behind it does not count.
    End {
        /// Why.
        reason: Reason,
    },
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// All was said.
    Done,
    /// It was stopped, or its speaker died.
    Aborted,
    /// Its speaker ran into an error.
    Failed,
}

impl Entry {
    /// Reads a publication; none where it is something else.
    pub fn of(publication: &PublicationBody) -> Option<Self> {
        serde_json::from_str(publication.data.get()).ok()
    }
}

/// Name of a conversation's channel, checked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversation(String);

impl Conversation {
    /// Accepts names in the namespace `chat`.
    pub fn parse(name: &str) -> Option<Self> {
        let fits = name.starts_with(CHAT) && check_channel(name).is_ok();
        fits.then(|| Self(name.to_owned()))
    }

    /// The channel's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Ids of streams that were announced in a conversation and have no finished line yet; `newest_first` as history gives it.
pub fn unfinished(newest_first: &[Entry]) -> Vec<String> {
    let finished: Vec<&String> =
        newest_first.iter().filter_map(|entry| if let Entry::Message { stream, .. } = entry { stream.as_ref() } else { None }).collect();
    let announced = newest_first.iter().filter_map(|entry| if let Entry::Stream { id, .. } = entry { Some(id) } else { None });
    announced.filter(|id| !finished.contains(id)).cloned().collect()
}

/// The text and the end of a stream; `oldest_first` as history gives it.
pub fn assemble(oldest_first: &[Entry]) -> (String, Option<Reason>) {
    let mut text = String::new();
    for entry in oldest_first {
        match entry {
            Entry::Part { text: more, .. } => text.push_str(more),
            Entry::End { reason } => return (text, Some(*reason)),
            Entry::Message { .. } | Entry::Typing { .. } | Entry::Stream { .. } => {}
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(seq: u64, text: &str) -> Entry {
        Entry::Part { seq, text: text.into() }
    }

    #[test]
    fn entries_have_the_documented_shapes() {
        let line = Entry::Message { id: "1".into(), from: "a".into(), text: "hi".into(), stream: None, reason: None };
        assert_eq!(serde_json::to_string(&line).expect("JSON"), r#"{"kind":"message","id":"1","from":"a","text":"hi"}"#);
        let end = Entry::End { reason: Reason::Aborted };
        assert_eq!(serde_json::to_string(&end).expect("JSON"), r#"{"kind":"end","reason":"aborted"}"#);
        assert_eq!(serde_json::to_string(&part(3, "x")).expect("JSON"), r#"{"kind":"part","seq":3,"text":"x"}"#);
    }

    #[test]
    fn only_conversations_are_accepted() {
        assert!(Conversation::parse("chat:lobby").is_some());
        for bad in [
            "",
            "chat:",
            "news:world",
            "#alice",
            "stream:1",
            "chat:a b",
            "chat:a\nb",
            "chat:ä",
            "chat:{a}",
            "chat:a#b",
            &format!("chat:{}", "x".repeat(251)),
        ] {
            assert!(Conversation::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn text_behind_the_end_does_not_count() {
        let entries = [part(0, ""), part(1, "a "), part(2, "b"), Entry::End { reason: Reason::Done }, part(3, "c")];
        assert_eq!(assemble(&entries), ("a b".into(), Some(Reason::Done)));
        assert_eq!(assemble(&entries[..2]), ("a ".into(), None));
    }

    #[test]
    fn streams_without_a_finished_line_are_found() {
        let announced = |id: &str| Entry::Stream { id: id.into(), from: "bot".into(), channel: format!("stream:{id}") };
        let finished = Entry::Message { id: "1".into(), from: "bot".into(), text: String::new(), stream: Some("1".into()), reason: None };
        assert_eq!(unfinished(&[announced("2"), finished, announced("1")]), ["2"]);
    }
}
