//! Commands for publish and subscribe, and the pushes of a server to a subscriber.
//!
//! In a Redis Cluster the gateway uses sharded pub/sub (`SPUBLISH`, `SSUBSCRIBE`). There, only sharded messages arrive in the order in
//! which the scripts published them. They also do not load the cluster bus.

use redis::{Cmd, PushInfo, PushKind, Value, cmd};

/// The two families of commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PubSub {
    /// For one server: `PUBLISH`, `SUBSCRIBE`.
    Unsharded,
    /// For a Redis Cluster: `SPUBLISH`, `SSUBSCRIBE`.
    Sharded,
}

impl PubSub {
    pub(crate) fn publish(self) -> &'static str {
        match self {
            Self::Unsharded => "PUBLISH",
            Self::Sharded => "SPUBLISH",
        }
    }

    pub(crate) fn subscribe_command(self) -> &'static str {
        match self {
            Self::Unsharded => "SUBSCRIBE",
            Self::Sharded => "SSUBSCRIBE",
        }
    }

    pub(crate) fn unsubscribe_command(self) -> &'static str {
        match self {
            Self::Unsharded => "UNSUBSCRIBE",
            Self::Sharded => "SUNSUBSCRIBE",
        }
    }

    /// Commands that subscribe to all of these pub/sub channels.
    pub(crate) fn subscribe(self, names: &[String]) -> Vec<Cmd> {
        self.commands(self.subscribe_command(), names)
    }

    pub(crate) fn unsubscribe(self, names: &[String]) -> Vec<Cmd> {
        self.commands(self.unsubscribe_command(), names)
    }

    /// One command for all names. A Redis Cluster refuses a command with names of several slots, so there each name gets a command of its
    /// own.
    fn commands(self, command: &str, names: &[String]) -> Vec<Cmd> {
        let per_command = match self {
            Self::Unsharded => names.len().max(1),
            Self::Sharded => 1,
        };
        names.chunks(per_command).map(|names| without_response(command, names)).collect()
    }

    /// A command that lists the pub/sub channels with subscribers at a server.
    pub(crate) fn list_channels(self, pattern: &str) -> Cmd {
        let mut list = cmd("PUBSUB");
        list.arg(match self {
            Self::Unsharded => "CHANNELS",
            Self::Sharded => "SHARDCHANNELS",
        });
        list.arg(pattern);
        list
    }

    /// A command that counts the subscribers of each of these pub/sub channels at a server.
    pub(crate) fn count_subscribers(self, names: &[String]) -> Cmd {
        let mut count = cmd("PUBSUB");
        count.arg(match self {
            Self::Unsharded => "NUMSUB",
            Self::Sharded => "SHARDNUMSUB",
        });
        count.arg(names);
        count
    }

    /// A command whose answer ([`ReceivedPush::Unsubscribed`]) arrives after the answers to all commands before it, even if those fail.
    pub(crate) fn sync_marker(name: &str) -> Cmd {
        without_response("UNSUBSCRIBE", &[name.to_owned()])
    }
}

/// A command to which the client library expects no response, because the server answers with pushes.
fn without_response(command: &str, names: &[String]) -> Cmd {
    let mut cmd = cmd(command);
    cmd.arg(names).set_no_response(true);
    cmd
}

/// A push of a server: a message, or the answer to a subscription command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReceivedPush<'a> {
    /// A pub/sub channel and the message that was published to it.
    Message(&'a [u8], &'a [u8]),
    Subscribed(&'a str),
    /// The node unsubscribed from the pub/sub channel, or the server no longer serves its slot.
    Unsubscribed(&'a str),
    /// The connection broke.
    Disconnected,
}

impl<'a> ReceivedPush<'a> {
    /// Reads a push. None if it has no meaning for the gateway.
    pub(crate) fn of(PushInfo { kind, data }: &'a PushInfo) -> Option<Self> {
        match (kind, &data[..]) {
            (PushKind::Message | PushKind::SMessage, [Value::BulkString(name), Value::BulkString(message)]) => {
                Some(Self::Message(name, message))
            }
            (PushKind::Subscribe | PushKind::SSubscribe, [Value::BulkString(name), ..]) => text(name).map(Self::Subscribed),
            (PushKind::Unsubscribe | PushKind::SUnsubscribe, [Value::BulkString(name), ..]) => text(name).map(Self::Unsubscribed),
            (PushKind::Disconnection, _) => Some(Self::Disconnected),
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

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn in_a_cluster_each_command_has_one_slot() {
        let both = owned(&["a", "b"]);
        assert_eq!(sent(&PubSub::Unsharded.subscribe(&both)), ["SUBSCRIBE a b"]);
        assert_eq!(sent(&PubSub::Sharded.subscribe(&both)), ["SSUBSCRIBE a", "SSUBSCRIBE b"]);
        assert_eq!(sent(&PubSub::Unsharded.unsubscribe(&both)), ["UNSUBSCRIBE a b"]);
        assert_eq!(sent(&PubSub::Sharded.unsubscribe(&both)), ["SUNSUBSCRIBE a", "SUNSUBSCRIBE b"]);
        for none in [PubSub::Unsharded.subscribe(&[]), PubSub::Unsharded.unsubscribe(&[]), PubSub::Sharded.subscribe(&[])] {
            assert!(none.is_empty(), "without a name a command would mean all channels");
        }
    }

    #[test]
    fn pushes_of_both_families_are_read_alike() {
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
        assert_eq!(ReceivedPush::of(&push(PushKind::Disconnection, Vec::new())), Some(ReceivedPush::Disconnected));
        assert_eq!(ReceivedPush::of(&push(PushKind::Message, vec![Value::Nil])), None);
    }
}
