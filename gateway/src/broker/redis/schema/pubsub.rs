//! The words of publish and subscribe, and what a server says to who subscribes.
//!
//! A Redis Cluster announces within the slot of a channel (`SPUBLISH`, `SSUBSCRIBE`): only there announcements have the order of the scripts, and
//! the cluster's bus stays free of them.

use redis::{Cmd, PushInfo, PushKind, Value, cmd};

/// Which words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PubSub {
    /// One server.
    Whole,
    /// A Redis Cluster.
    Sharded,
}

impl PubSub {
    pub(crate) fn publish(self) -> &'static str {
        match self {
            Self::Whole => "PUBLISH",
            Self::Sharded => "SPUBLISH",
        }
    }

    pub(crate) fn subscribe_word(self) -> &'static str {
        match self {
            Self::Whole => "SUBSCRIBE",
            Self::Sharded => "SSUBSCRIBE",
        }
    }

    pub(crate) fn unsubscribe_word(self) -> &'static str {
        match self {
            Self::Whole => "UNSUBSCRIBE",
            Self::Sharded => "SUNSUBSCRIBE",
        }
    }

    /// Subscribes to all of these.
    pub(crate) fn subscribe(self, lanes: &[String]) -> Vec<Cmd> {
        self.words(self.subscribe_word(), lanes)
    }

    pub(crate) fn unsubscribe(self, lanes: &[String]) -> Vec<Cmd> {
        self.words(self.unsubscribe_word(), lanes)
    }

    /// In a cluster a command that concerns several slots is refused.
    fn words(self, word: &str, lanes: &[String]) -> Vec<Cmd> {
        let together = match self {
            Self::Whole => lanes.len().max(1),
            Self::Sharded => 1,
        };
        lanes.chunks(together).map(|lanes| words(word, lanes)).collect()
    }

    /// Lists what a server announces to somebody.
    pub(crate) fn announced(self, pattern: &str) -> Cmd {
        let mut list = cmd("PUBSUB");
        list.arg(match self {
            Self::Whole => "CHANNELS",
            Self::Sharded => "SHARDCHANNELS",
        });
        list.arg(pattern);
        list
    }

    /// Counts those to whom a server announces each of these.
    pub(crate) fn subscribers(self, lanes: &[String]) -> Cmd {
        let mut count = cmd("PUBSUB");
        count.arg(match self {
            Self::Whole => "NUMSUB",
            Self::Sharded => "SHARDNUMSUB",
        });
        count.arg(lanes);
        count
    }

    /// A command whose answer comes, as [`ReceivedPush::Unsubscribed`], behind those to all commands before it, whatever becomes of them.
    pub(crate) fn sync_marker(lane: &str) -> Cmd {
        words("UNSUBSCRIBE", &[lane.to_owned()])
    }
}

/// Answers to these are pushes, which come by another way.
fn words(word: &str, lanes: &[String]) -> Cmd {
    let mut words = cmd(word);
    words.arg(lanes).set_no_response(true);
    words
}

/// What a server says, without being asked or in answer to a subscription.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceivedPush<'a> {
    /// It was published there.
    Message(&'a [u8], &'a [u8]),
    Subscribed(&'a str),
    /// As asked for; or since the server does not serve the slot any more.
    Unsubscribed(&'a str),
    /// The connection broke.
    End,
}

impl<'a> ReceivedPush<'a> {
    /// None: nothing that matters here.
    pub(crate) fn of(PushInfo { kind, data }: &'a PushInfo) -> Option<Self> {
        match (kind, &data[..]) {
            (PushKind::Message | PushKind::SMessage, [Value::BulkString(lane), Value::BulkString(message)]) => {
                Some(Self::Message(lane, message))
            }
            (PushKind::Subscribe | PushKind::SSubscribe, [Value::BulkString(lane), ..]) => text(lane).map(Self::Subscribed),
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, [Value::BulkString(lane), ..]) => text(lane).map(Self::Unsubscribed),
            (PushKind::Disconnection, _) => Some(Self::End),
            _ => None,
        }
    }
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(commands: &[Cmd]) -> Vec<String> {
        commands
            .iter()
            .map(|cmd| String::from_utf8_lossy(&cmd.get_packed_command()).split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" "))
            .collect()
    }

    fn lanes(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn in_a_cluster_each_command_is_of_one_slot() {
        let both = lanes(&["a", "b"]);
        assert_eq!(sent(&PubSub::Whole.subscribe(&both)), ["SUBSCRIBE a b"]);
        assert_eq!(sent(&PubSub::Sharded.subscribe(&both)), ["SSUBSCRIBE a", "SSUBSCRIBE b"]);
        assert_eq!(sent(&PubSub::Whole.unsubscribe(&both)), ["UNSUBSCRIBE a b"]);
        assert_eq!(sent(&PubSub::Sharded.unsubscribe(&both)), ["SUNSUBSCRIBE a", "SUNSUBSCRIBE b"]);
        for none in [PubSub::Whole.subscribe(&[]), PubSub::Whole.unsubscribe(&[]), PubSub::Sharded.subscribe(&[])] {
            assert!(none.is_empty(), "without a name it would concern all, or nothing");
        }
    }

    #[test]
    fn pushes_of_both_kinds_say_the_same() {
        let bulk = |text: &str| Value::BulkString(text.into());
        let push = |kind, data| PushInfo { kind, data };
        for kind in [PushKind::Message, PushKind::SMessage] {
            assert_eq!(ReceivedPush::of(&push(kind, vec![bulk("a"), bulk("text")])), Some(ReceivedPush::Message(b"a", b"text")));
        }
        for kind in [PushKind::Subscribe, PushKind::SSubscribe] {
            assert_eq!(ReceivedPush::of(&push(kind, vec![bulk("a"), Value::Int(1)])), Some(ReceivedPush::Subscribed("a")));
        }
        for kind in [PushKind::Unsubscribe, PushKind::SUnsubscribe] {
            assert_eq!(ReceivedPush::of(&push(kind, vec![bulk("a"), Value::Int(0)])), Some(ReceivedPush::Unsubscribed("a")));
        }
        assert_eq!(ReceivedPush::of(&push(PushKind::Disconnection, Vec::new())), Some(ReceivedPush::End));
        assert_eq!(ReceivedPush::of(&push(PushKind::Message, vec![Value::Nil])), None);
    }
}
