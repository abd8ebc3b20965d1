//! The entries in the channel of a conversation and in the channel of a stream.

use serde::{Deserialize, Serialize};
use shared_proto::name::check_channel;
use shared_proto::rest::PublicationBody;
use std::fmt;

/// Name of the tag on every publication of a stream. Its value is the channel of the conversation.
pub const CONVERSATION_TAG: &str = "conversation";

/// Prefix of the channels of conversations.
const CONVERSATION_PREFIX: &str = "chat:";
/// Prefix of the channels of streams.
pub const STREAM_PREFIX: &str = "stream:";

/// The channel of the stream `id`.
pub fn stream_channel(id: &str) -> String {
    format!("{STREAM_PREFIX}{id}")
}

/// A publication of a conversation or of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    /// A complete message of a user or of the bot.
    Message {
        /// Unique within the conversation. A streamed message has the id of its stream.
        id: String,
        /// The author; empty for anonymous users.
        from: String,
        /// The text.
        text: String,
        /// The stream in which the message was written.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stream: Option<String>,
        /// Why the stream ended early; absent if it is complete.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<EndReason>,
    },
    /// A user or the bot is typing.
    Typing {
        /// The author.
        from: String,
    },
    /// Announces a stream: a message that is being written in its own channel.
    Stream {
        /// Id of the stream.
        id: String,
        /// The author.
        from: String,
        /// `stream:<id>`
        channel: String,
    },
    /// In a stream: more text. An empty part only shows that the writer is alive.
    Part {
        /// Sequence number: 0, 1, 2 ...
        seq: u64,
        /// The text that continues the earlier parts.
        text: String,
    },
    /// In a stream: the end. Entries after it are ignored.
    End {
        /// Why the stream ended.
        reason: EndReason,
    },
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// The text is complete.
    Done,
    /// A user stopped it, its writer shut down, or its writer died.
    Aborted,
    /// Its writer had an error.
    Failed,
}

impl Entry {
    /// Reads a publication. Returns `None` if its data is not an entry.
    pub fn parse(publication: &PublicationBody) -> Option<Self> {
        serde_json::from_str(publication.data.get()).ok()
    }
}

/// The valid channel name of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conversation(String);

impl Conversation {
    /// Accepts valid channel names in the namespace `chat`.
    pub fn parse(name: &str) -> Option<Self> {
        let fits = name.starts_with(CONVERSATION_PREFIX) && check_channel(name).is_ok();
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

/// Ids of streams that are announced in a conversation and have no complete message. `newest_first` is a page of the history.
pub fn unfinished(newest_first: &[Entry]) -> Vec<String> {
    let complete: Vec<&String> =
        newest_first.iter().filter_map(|entry| if let Entry::Message { stream, .. } = entry { stream.as_ref() } else { None }).collect();
    let announced = newest_first.iter().filter_map(|entry| if let Entry::Stream { id, .. } = entry { Some(id) } else { None });
    announced.filter(|id| !complete.contains(id)).cloned().collect()
}

/// The text of a stream, and why it ended if it has. `oldest_first` is the stream's history.
pub fn assemble(oldest_first: &[Entry]) -> (String, Option<EndReason>) {
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
        let end = Entry::End { reason: EndReason::Aborted };
        assert_eq!(serde_json::to_string(&end).expect("JSON"), r#"{"kind":"end","reason":"aborted"}"#);
        assert_eq!(serde_json::to_string(&part(3, "x")).expect("JSON"), r#"{"kind":"part","seq":3,"text":"x"}"#);
    }

    #[test]
    fn only_channels_of_conversations_are_accepted() {
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
    fn text_after_the_end_is_ignored() {
        let entries = [part(0, ""), part(1, "a "), part(2, "b"), Entry::End { reason: EndReason::Done }, part(3, "c")];
        assert_eq!(assemble(&entries), ("a b".into(), Some(EndReason::Done)));
        assert_eq!(assemble(&entries[..2]), ("a ".into(), None));
    }

    #[test]
    fn streams_without_a_complete_message_are_found() {
        let announced = |id: &str| Entry::Stream { id: id.into(), from: "bot".into(), channel: format!("stream:{id}") };
        let complete = Entry::Message { id: "1".into(), from: "bot".into(), text: String::new(), stream: Some("1".into()), reason: None };
        assert_eq!(unfinished(&[announced("2"), complete, announced("1")]), ["2"]);
    }
}
