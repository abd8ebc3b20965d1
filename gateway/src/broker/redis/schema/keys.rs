//! Names of all keys and pub/sub channels in Redis.
//!
//! In this table, `P` is the prefix in the settings, `C` a channel, and `U` a user. Channels and users are escaped ([`escape`]). The braces
//! put all keys of a channel into one slot of a Redis Cluster, and all keys of a user into another one.
//!
//! | key | type | content | removed when |
//! |---|---|---|---|
//! | `P:{C}` | pub/sub | publications, joins and leaves | |
//! | `P:{C}:meta` | hash | `epoch`, `top`, `forks`, the `replid` of the server that wrote them, and for each partition `N` of ingest that publishes into the channel `ingest:N`: the epoch of its owner and its last entry | not used for `history_ttl` of the channel or `broker.position_ttl`, whichever is longer |
//! | `P:{C}:stream` | stream | the history; ids are offsets | `history_ttl` after the last publish, or a `DELETE` of the history |
//! | `P:{C}:idempotency:S:K` | string | the answer to the publish of API key `S` with idempotency key `K`; `@ingest` in place of `S`: of an entry with that key, `@entry`: of the entry `K` | `idempotency.ttl` after the publish |
//! | `P:{C}:idempotency::I` | string | the answer to the publish with id `I`, which the gateway made | twice `redis.deadline` after the publish |
//! | `P:{C}:producers` | hash | the numbers of the last producers of the channel, at most 64 | no producer published for as long as meta is kept |
//! | `P:{C}:presence` | hash | present connections | the last one leaves |
//! | `P:{C}:users` | hash | for each present user, the number of connections | the last one leaves |
//! | `P:{C}:nodes` | hash | for each generation of a node, the number of present connections | the last one leaves |
//! | `P:{C}:occupancy` | hash | `generation` of the channel's occupation, and for each generation of a node with subscribers whether it began the occupation (1) or not (0), or `vacant`, since when no node has any (ms since 1970); after the end only `vacated`, the last generation | an hour after the end; only with `lifecycle` |
//! | `P:names:{M}` | sorted set | the channel index: names of channels that may be active; `M` is 0 to 15, by the hash of the name | for each name: a list or the sweep finds the channel inactive |
//! | `P:user:{U}` | hash | stored subscriptions of user `U`, by channel | the last one is deleted or has expired |
//! | `P:revoked:{U}` | string | tokens of user `U` issued before this time (seconds since 1970) are revoked; close code and reason | `tokens.revocation_ttl` after the revocation |
//! | `P:revoked:sid:{H}`, `P:revoked:jti:{H}`, `P:revoked:sub:{H}` | string | the same for tokens with this claim, by the digest `H` of issuer, claim and value | as above |
//! | `P:call:{H}` | hash | a call with a key, by the digest `H` of caller, service, method and key: digest of its data, its attempt, and its answer when it is done | `idempotency.ttl` after the answer; without one, when the lease or the grace of the attempt ends |
//! | `P:queue:{Q/N}:entries` | stream | partition `N` of the queue of service `Q`: entries that wait, with the consumer group `gateway` | for each entry: it is acknowledged, becomes a dead letter, or an operator deletes it |
//! | `P:queue:{Q/N}:dead` | stream | its dead letters | for each: an operator replays or drops it |
//! | `P:queue:{Q/N}:owner` | string | the node that owns the partition, and a random generation | `queues.lease` after its last renewal |
//! | `P:queue:{Q/N}:epoch` | string | grows with each new owner | |
//! | `P:queue:{Q/N}:paused` | string | exists while deliveries are paused | the pause ends |
//! | `P:queue:{Q/N}:once:H` | string | an event that its caller may repeat, by the digest `H` of caller, service, method and key: digest of its data, its entry and its id | `idempotency.ttl` after it was stored |
//! | `P:queue:{Q/N}:once:id:I` | string | the same by the id `I` of the event, if it has no key | twice `redis.deadline` after it was stored |
//! | `P:ingest:{N}:stream` | stream | partition `N` of what services publish by streams; `dead`, `owner`, `epoch` and `paused` as above | as above |
//! | `P:assignment` | string | the role of this server among several servers | `cluster.lease` after a node last renewed it |
//! | `P:{nodes}` | hash | the record of each node, by name and generation | the node leaves, or the cleanup after its death has ended |
//! | `P:{nodes}:lease:N G` | string | exists while generation `G` of node `N` is alive | `cluster.lease` after its last renewal |
//! | `P:{nodes}:cleanup:N G` | string | lock: the node that cleans up after this dead node | `cluster.lease` after its last renewal |
//! | `P:{nodes}:sweep` | string | lock: the node that did the last sweep | `cluster.sweep_interval` after the sweep began |
//! | `P:node:N G:presence` | set | connections that this node added to presence, each with its channel | the last one leaves, or the cleanup removes it |
//! | `P:node:N G:connections` | hash | the registry: users of the node's connections, by connection; only if a service wants `disconnected` | the last one ends, or another node has reported it |
//! | `P:node:N G:subscriptions` | hash | the registry: users of the node's subscriptions, by connection, number and channel; only with `lifecycle` and if a service wants `unsubscribed` | the last one ends, or another node has reported it |
//! | `P:node:N G:channels` | set | channels with subscribers on this node (`0` and the channel), and occupations of which it has to announce the end (generation and channel) | the last one ends, or another node has taken it over |
//! | `P:probe:{N}:*` | several | where node `N` checks its rights when it connects | 10 seconds after the check |
//! | `P:writes:N`, with several masters `P:writes:N:{M}` | string | where node `N` checks that a master accepts writes; `M` as in its canary | 10 seconds after the check |
//! | `P:canary:N` | pub/sub | messages of node `N` to itself, which prove that its subscriptions deliver | |
//! | `P:canary:N:{M}` | pub/sub | the same with several masters, one for each: the number `M` is in one of its slots | |
//!
//! With several servers, a sweep also deletes keys at a server to which they do not belong. It never deletes keys of queues, but warns of them.
//!
//! A Redis Cluster uses sharded pub/sub, so that the keys and the pub/sub channel of a channel are in one slot. All keys with `{nodes}` are
//! in one slot. The data of a user, a call, a partition of a queue and the keys `P:node:…` of a node have slots of their own. No command uses
//! keys of two slots.

use super::{
    escape::{escape, unescape},
    node_id::NodeId,
    slot::Slot,
};
use gateway_core::{
    model::{ChannelName, RevocationTarget, UserId},
    queue::{NewEntry, PartitionId, QueueName},
};
use std::borrow::Cow;

/// Makes and reads the names with one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Box<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// The pub/sub channel that carries the channel's deliveries.
    pub(crate) fn pubsub_channel(&self, channel: &str) -> String {
        format!("{}:{{{}}}", self.prefix, escape(channel))
    }

    /// The channel whose deliveries a pub/sub channel carries. None for any other pub/sub channel.
    pub(crate) fn channel<'a>(&self, pubsub_channel: &'a str) -> Option<Cow<'a, str>> {
        unescape(pubsub_channel.strip_prefix(&*self.prefix)?.strip_prefix(":{")?.strip_suffix('}')?)
    }

    /// A key of a channel.
    fn of(&self, channel: &ChannelName, what: &str) -> String {
        format!("{}:{{{}}}:{what}", self.prefix, escape(channel))
    }

    pub(crate) fn meta(&self, channel: &ChannelName) -> String {
        self.of(channel, "meta")
    }

    pub(crate) fn stream(&self, channel: &ChannelName) -> String {
        self.of(channel, "stream")
    }

    /// The channel of a stream's key. None for any other key.
    pub(crate) fn channel_of_stream<'a>(&self, key: &'a str) -> Option<Cow<'a, str>> {
        self.channel(key.strip_suffix(":stream")?)
    }

    /// A pattern for the keys of all streams.
    pub(crate) fn all_streams(&self) -> String {
        format!("{}:{{*}}:stream", literal(&self.prefix))
    }

    /// A pattern for the pub/sub channels of all channels.
    pub(crate) fn all_pubsub_channels(&self) -> String {
        format!("{}:{{*}}", literal(&self.prefix))
    }

    /// The key that stores the answer to a publish. `scope` is the name of the API key. It is empty if the gateway made the idempotency
    /// key.
    pub(crate) fn idempotency(&self, channel: &ChannelName, scope: &str, key: &str) -> String {
        self.of(channel, &format!("idempotency:{scope}:{key}"))
    }

    /// The key that stores the numbers of producers.
    pub(crate) fn producers(&self, channel: &ChannelName) -> String {
        self.of(channel, "producers")
    }

    pub(crate) fn presence(&self, channel: &ChannelName) -> String {
        self.of(channel, "presence")
    }

    pub(crate) fn presence_users(&self, channel: &ChannelName) -> String {
        self.of(channel, "users")
    }

    /// The generations of nodes that have connections in the channel's presence.
    pub(crate) fn presence_nodes(&self, channel: &ChannelName) -> String {
        self.of(channel, "nodes")
    }

    /// The channel of a key of [`Self::presence_nodes`]. None for any other key.
    pub(crate) fn channel_of_presence_nodes<'a>(&self, key: &'a str) -> Option<Cow<'a, str>> {
        self.channel(key.strip_suffix(":nodes")?)
    }

    /// The occupation of a channel, and the nodes that have subscribers.
    pub(crate) fn occupancy(&self, channel: &ChannelName) -> String {
        self.of(channel, "occupancy")
    }

    /// The channel of a key of [`Self::occupancy`]. None for any other key.
    pub(crate) fn channel_of_occupancy<'a>(&self, key: &'a str) -> Option<Cow<'a, str>> {
        self.channel(key.strip_suffix(":occupancy")?)
    }

    /// A pattern for all keys of [`Self::occupancy`].
    pub(crate) fn all_occupancies(&self) -> String {
        format!("{}:{{*}}:occupancy", literal(&self.prefix))
    }

    /// A pattern for all keys of [`Self::presence_nodes`].
    pub(crate) fn all_presence_nodes(&self) -> String {
        format!("{}:{{*}}:nodes", literal(&self.prefix))
    }

    /// A pattern for all keys.
    pub(crate) fn all(&self) -> String {
        format!("{}:*", literal(&self.prefix))
    }

    /// Whether a key belongs to one of several servers, which its slot determines. All other keys of a gateway may exist at every server.
    pub(crate) fn has_place(&self, key: &str) -> bool {
        let name = key.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
        ["{", "names:{", "user:{", "revoked:{", "revoked:sub:{", "revoked:sid:{", "revoked:jti:{", "call:{", "node:"]
            .iter()
            .any(|kind| name.starts_with(kind))
    }

    /// The key of a set of the channel index.
    pub(crate) fn channel_index(&self, shard: u16) -> String {
        format!("{}:names:{{{shard}}}", self.prefix)
    }

    pub(crate) fn user(&self, user: &UserId) -> String {
        format!("{}:user:{{{}}}", self.prefix, escape(user))
    }

    pub(crate) fn revoked(&self, target: &RevocationTarget) -> String {
        match target {
            RevocationTarget::User(user) => format!("{}:revoked:{{{}}}", self.prefix, escape(user)),
            RevocationTarget::Claim(claim, digest) => format!("{}:revoked:{}:{{{digest}}}", self.prefix, claim.name()),
        }
    }

    /// The key of a call that may be repeated. `name`: the digest that identifies it.
    pub(crate) fn call(&self, name: &[u8]) -> String {
        format!("{}:call:{{{}}}", self.prefix, hex(name))
    }

    /// The entries of a partition of a queue.
    pub(crate) fn queue_entries(&self, partition: &PartitionId) -> String {
        let what = if partition.queue == QueueName::Ingest { "stream" } else { "entries" };
        self.of_partition(partition, what)
    }

    /// The dead letters of a partition of a queue.
    pub(crate) fn queue_dead(&self, partition: &PartitionId) -> String {
        self.of_partition(partition, "dead")
    }

    /// The owner of a partition of a queue.
    pub(crate) fn queue_owner(&self, partition: &PartitionId) -> String {
        self.of_partition(partition, "owner")
    }

    /// The number of owners that a partition of a queue has had.
    pub(crate) fn queue_epoch(&self, partition: &PartitionId) -> String {
        self.of_partition(partition, "epoch")
    }

    /// Whether a partition of a queue is paused.
    pub(crate) fn queue_paused(&self, partition: &PartitionId) -> String {
        self.of_partition(partition, "paused")
    }

    /// What the repeats of an event find.
    pub(crate) fn queue_once(&self, partition: &PartitionId, entry: &NewEntry) -> String {
        match &entry.once {
            Some(once) => self.of_partition(partition, &format!("once:{}", hex(&once.name))),
            None => self.of_partition(partition, &format!("once:id:{}", entry.id)),
        }
    }

    /// Whether a key has entries or dead letters of a queue.
    pub(crate) fn has_entries(&self, key: &str) -> bool {
        let name = key.strip_prefix(&*self.prefix).and_then(|rest| rest.strip_prefix(':')).unwrap_or_default();
        ["queue:{", "ingest:{"].iter().any(|kind| name.starts_with(kind))
            && ["}:entries", "}:stream", "}:dead"].iter().any(|what| name.ends_with(what))
    }

    fn of_partition(&self, partition: &PartitionId, what: &str) -> String {
        let number = partition.partition;
        match &partition.queue {
            QueueName::Service(service) => format!("{}:queue:{{{service}/{number}}}:{what}", self.prefix),
            QueueName::Ingest => format!("{}:ingest:{{{number}}}:{what}", self.prefix),
        }
    }

    pub(crate) fn nodes(&self) -> String {
        format!("{}:{{nodes}}", self.prefix)
    }

    pub(crate) fn lease(&self, node: &NodeId) -> String {
        format!("{}:{{nodes}}:lease:{}", self.prefix, node.text())
    }

    pub(crate) fn cleanup(&self, node: &NodeId) -> String {
        format!("{}:{{nodes}}:cleanup:{}", self.prefix, node.text())
    }

    /// The role of a server among several servers. Each server has this key.
    pub(crate) fn assignment(&self) -> String {
        format!("{}:assignment", self.prefix)
    }

    /// The lock for the sweep.
    pub(crate) fn sweep(&self) -> String {
        format!("{}:{{nodes}}:sweep", self.prefix)
    }

    /// The connections that a node added to presence. Members are `connection channel`.
    pub(crate) fn node_presence(&self, node: &NodeId) -> String {
        format!("{}:node:{}:presence", self.prefix, node.text())
    }

    /// The connections in a node's registry.
    pub(crate) fn node_connections(&self, node: &NodeId) -> String {
        format!("{}:node:{}:connections", self.prefix, node.text())
    }

    /// The subscriptions in a node's registry.
    pub(crate) fn node_subscriptions(&self, node: &NodeId) -> String {
        format!("{}:node:{}:subscriptions", self.prefix, node.text())
    }

    /// What a node has to do for channels.
    pub(crate) fn node_channels(&self, node: &NodeId) -> String {
        format!("{}:node:{}:channels", self.prefix, node.text())
    }

    /// The beginning of all keys on which a node checks its rights; `:` and a word follow. No channel has such a key.
    pub(crate) fn probe(&self, node: &str) -> String {
        format!("{}:probe:{{{node}}}", self.prefix)
    }

    /// The pub/sub channel of a node's canary. In a Redis Cluster, `number` selects the slot.
    pub(crate) fn canary(&self, node: &str, number: Option<u32>) -> String {
        match number {
            Some(number) => format!("{}:canary:{node}:{{{number}}}", self.prefix),
            None => format!("{}:canary:{node}", self.prefix),
        }
    }

    /// The key that a node writes to check that a master accepts writes. In a Redis Cluster, `number` selects the slot.
    pub(crate) fn write_probe(&self, node: &str, number: Option<u32>) -> String {
        match number {
            Some(number) => format!("{}:writes:{node}:{{{number}}}", self.prefix),
            None => format!("{}:writes:{node}", self.prefix),
        }
    }

    /// Whether this is the pub/sub channel of a node's canary.
    pub(crate) fn is_canary(&self, pubsub_channel: &[u8]) -> bool {
        pubsub_channel.strip_prefix(self.prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b":canary:"))
    }

    /// A pub/sub channel without messages. When the answer to a command with this name arrives, the answers to all earlier commands have
    /// arrived.
    pub(crate) fn sync_marker(&self, number: u64) -> String {
        format!("{}:sync:{number}", self.prefix)
    }

    pub(crate) fn sync_marker_number(&self, pubsub_channel: &str) -> Option<u64> {
        pubsub_channel.strip_prefix(&*self.prefix)?.strip_prefix(":sync:")?.parse().ok()
    }
}

/// The slot of all keys of a channel.
pub(crate) fn slot(channel: &str) -> Slot {
    Slot::of(escape(channel).as_bytes())
}

/// Two lower-case hex digits for each byte.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// A pattern that matches only this text.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| ['\\', c].into_iter().skip(usize::from(!"*?[]^\\".contains(c)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gateway_core::model::{ClaimDigest, RevocableClaim};
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    #[test]
    fn canaries_and_sync_markers_are_not_channels() {
        let keys = Keys::new("p");
        for name in [keys.canary("n", None), keys.canary("n", Some(7)), keys.sync_marker(3)] {
            assert_eq!(keys.channel(&name), None, "{name}");
        }
        assert!(keys.is_canary(keys.canary("n", Some(7)).as_bytes()) && !keys.is_canary(keys.pubsub_channel("canary").as_bytes()));
        assert_eq!(
            (keys.sync_marker_number(&keys.sync_marker(3)), keys.sync_marker_number(&keys.pubsub_channel("sync:3"))),
            (Some(3), None)
        );
    }

    #[test]
    fn a_channel_can_be_read_from_its_keys() {
        let keys = Keys::new("app:live");
        for name in ["a", "chat:lobby", "#alice", "odd:stream", "a:idempotency:b", "#f:realm:ü {x}", "#}:stream", "#a:{b}:nodes", "a*"] {
            let channel: ChannelName = name.parse().expect("valid");
            assert_eq!(keys.channel(&keys.pubsub_channel(name)).as_deref(), Some(name));
            assert_eq!(keys.channel_of_stream(&keys.stream(&channel)).as_deref(), Some(name));
            assert_eq!(keys.channel_of_presence_nodes(&keys.presence_nodes(&channel)).as_deref(), Some(name));
            assert_eq!(keys.channel_of_stream(&keys.meta(&channel)), None);
        }
        for other in [
            "app:{a}",
            "app:live:canary:n1",
            &format!("{}:stream", keys.probe("n1")),
            "app:live:{a",
            "app:live:{a b}",
            "app:live:{%61}",
            "",
        ] {
            assert_eq!(keys.channel(other), None, "{other}");
        }
    }

    fn of_channel(keys: &Keys, channel: &ChannelName) -> [String; 10] {
        [
            keys.pubsub_channel(channel),
            keys.meta(channel),
            keys.stream(channel),
            keys.producers(channel),
            keys.presence(channel),
            keys.presence_users(channel),
            keys.presence_nodes(channel),
            keys.occupancy(channel),
            keys.idempotency(channel, "dev", "k{}"),
            keys.idempotency(channel, "", "0f"),
        ]
    }

    fn users() -> impl Strategy<Value = String> {
        "[^\\pC\\p{Zl}\\p{Zp}]{1,12}|[a#:%{} *?\\[\\]27BD]{1,12}".prop_filter("a user", |name| name.parse::<UserId>().is_ok())
    }

    proptest! {
        #[test]
        fn all_keys_of_a_channel_are_in_one_slot_and_no_two_are_alike(one in users(), other in users()) {
            let (keys, mut seen) = (Keys::new("p"), HashSet::new());
            let names = BTreeSet::from([one, other]);
            for name in &names {
                let user: UserId = name.parse().expect("valid");
                let channel = ChannelName::personal(&user).expect("not anonymous");
                for key in of_channel(&keys, &channel) {
                    prop_assert_eq!(Slot::of(key.as_bytes()), slot(&channel), "{}", key);
                    prop_assert!(seen.insert(key));
                }
                let (stored, revoked) = (keys.user(&user), keys.revoked(&user.clone().into()));
                prop_assert!([&stored, &revoked, &keys.call(name.as_bytes())].into_iter().all(|key| keys.has_place(key)));
                for claim in RevocableClaim::ALL {
                    let key = keys.revoked(&RevocationTarget::Claim(claim, ClaimDigest::new("i", claim, name)));
                    prop_assert!(keys.has_place(&key) && seen.insert(key));
                }
                prop_assert_eq!(Slot::of(stored.as_bytes()), Slot::of(revoked.as_bytes()));
                prop_assert!(seen.insert(stored) && seen.insert(revoked));
                let pubsub_channel = keys.pubsub_channel(&channel);
                prop_assert_eq!(keys.channel(&pubsub_channel), Some(channel.as_str().into()));
            }
            prop_assert_eq!(seen.len(), 15 * names.len());
        }
    }
}
