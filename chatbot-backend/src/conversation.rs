//! The entries in the channel of a conversation and in the channel of a stream.

use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use shared_proto::name::check_channel;
use shared_proto::rest::PublicationBody;
use std::collections::HashSet;
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
        /// When it was published. Absent in entries of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
        /// Why the stream ended early; absent if it is complete.
        #[serde(flatten)]
        ended: Option<EndReason>,
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
        /// The user whose message is answered; empty for anonymous users.
        #[serde(default, rename = "for")]
        caller: String,
        /// When it was published. Absent in entries of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// In a stream: more text. An empty part only shows that the writer is alive.
    Part {
        /// Sequence number: 0, 1, 2 ...
        seq: u64,
        /// The text that continues the earlier parts.
        text: String,
    },
    /// In a stream: the end. Entries after it are ignored.
    End(EndReason),
}

/// Why a stream ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum EndReason {
    /// The text is complete.
    Done,
    /// A user stopped it.
    Stopped {
        /// The user; empty for anonymous users.
        by: String,
    },
    /// Its writer shut down or died.
    Aborted,
    /// Its writer had an error.
    Failed,
}

impl Entry {
    /// Reads a publication. Returns `None` if its data is not an entry.
    pub fn parse(publication: &PublicationBody) -> Option<Self> {
        serde_json::from_str(publication.data.as_ref()?.get()).ok()
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

/// Collects the answers to one user that have no complete message. It takes the entries of a conversation, newest first.
#[derive(Debug)]
pub struct UnfinishedAnswers<'a> {
    caller: &'a str,
    complete: HashSet<String>,
    ids: Vec<String>,
}

impl<'a> UnfinishedAnswers<'a> {
    /// Collects the answers to this user.
    pub fn to(caller: &'a str) -> Self {
        Self { caller, complete: HashSet::new(), ids: Vec::new() }
    }

    /// Takes the next older entry.
    pub fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Message { stream: Some(id), .. } => drop(self.complete.insert(id)),
            Entry::Stream { id, caller, .. } if caller == self.caller && !self.complete.contains(&id) => self.ids.push(id),
            _ => {}
        }
    }

    /// The ids of their streams.
    pub fn into_ids(self) -> Vec<String> {
        self.ids
    }
}

/// The text of a stream, and why it ended if it has. `oldest_first` is the stream's history.
pub fn assemble(oldest_first: Vec<Entry>) -> (String, Option<EndReason>) {
    let mut text = String::new();
    for entry in oldest_first {
        match entry {
            Entry::Part { text: more, .. } => text.push_str(&more),
            Entry::End(reason) => return (text, Some(reason)),
            Entry::Message { .. } | Entry::Typing { .. } | Entry::Stream { .. } => {}
        }
    }
    (text, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn part(seq: u64, text: &str) -> Entry {
        Entry::Part { seq, text: text.into() }
    }

    fn announced(id: &str, caller: &str) -> Entry {
        Entry::Stream { id: id.into(), from: "bot".into(), channel: format!("stream:{id}"), caller: caller.into(), at: None }
    }

    #[test]
    fn entries_have_the_documented_shapes() {
        let at = Some(datetime!(2026-11-28 10:00:00.123 UTC).into());
        let (id, from) = ("1".to_owned(), "bot".to_owned());
        let message = |stream: Option<&str>, ended| Entry::Message {
            id: id.clone(),
            from: from.clone(),
            text: "hi".into(),
            stream: stream.map(str::to_owned),
            at: at.clone(),
            ended,
        };
        let by = || Some(EndReason::Stopped { by: "bob".into() });
        let stream =
            Entry::Stream { id: id.clone(), from: from.clone(), channel: "stream:1".into(), caller: "alice".into(), at: at.clone() };
        for (entry, json) in [
            (message(None, None), r#"{"kind":"message","id":"1","from":"bot","text":"hi","at":"2026-11-28T10:00:00.123Z"}"#),
            (
                message(Some("1"), by()),
                r#"{"kind":"message","id":"1","from":"bot","text":"hi","stream":"1","at":"2026-11-28T10:00:00.123Z","reason":"stopped","by":"bob"}"#,
            ),
            (
                message(Some("1"), Some(EndReason::Failed)),
                r#"{"kind":"message","id":"1","from":"bot","text":"hi","stream":"1","at":"2026-11-28T10:00:00.123Z","reason":"failed"}"#,
            ),
            (stream, r#"{"kind":"stream","id":"1","from":"bot","channel":"stream:1","for":"alice","at":"2026-11-28T10:00:00.123Z"}"#),
            (Entry::End(EndReason::Aborted), r#"{"kind":"end","reason":"aborted"}"#),
            (Entry::End(EndReason::Stopped { by: String::new() }), r#"{"kind":"end","reason":"stopped","by":""}"#),
            (part(3, "x"), r#"{"kind":"part","seq":3,"text":"x"}"#),
        ] {
            assert_eq!(serde_json::to_string(&entry).expect("JSON"), json);
            assert_eq!(serde_json::from_str::<Entry>(json).expect("an entry"), entry);
        }
    }

    #[test]
    fn entries_of_earlier_versions_are_read() {
        let read = |json: &str| serde_json::from_str::<Entry>(json).expect("an entry");
        let stream = read(r#"{"kind":"stream","id":"1","from":"bot","channel":"stream:1"}"#);
        assert_eq!(stream, announced("1", ""));
        let message = read(r#"{"kind":"message","id":"1","from":"a","text":"hi"}"#);
        assert!(matches!(message, Entry::Message { at: None, ended: None, .. }));
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
        let entries = vec![part(0, ""), part(1, "a "), part(2, "b"), Entry::End(EndReason::Done), part(3, "c")];
        assert_eq!(assemble(entries.clone()), ("a b".into(), Some(EndReason::Done)));
        assert_eq!(assemble(entries[..2].to_vec()), ("a ".into(), None));
    }

    #[test]
    fn unfinished_answers_to_one_user_are_found() {
        let complete = Entry::Message {
            id: "1".into(),
            from: "bot".into(),
            text: String::new(),
            stream: Some("1".into()),
            at: None,
            ended: Some(EndReason::Aborted),
        };
        let mut found = UnfinishedAnswers::to("alice");
        for entry in [announced("4", "bob"), announced("3", "alice"), complete, announced("2", "alice"), announced("1", "alice")] {
            found.add(entry);
        }
        assert_eq!(found.into_ids(), ["3", "2"]);
    }
}
