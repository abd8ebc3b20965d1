//! Names of all that a cluster keeps in Redis.
//!
//! `P` is the prefix of the settings, `C` a channel and `U` a user, both with `% { } * ? [ ] \` and spaces written as `%xx` ([`escape`]). The braces make
//! Redis Cluster keep all keys of a channel together, and all of a user.
//!
//! | key | type | what | what ends its life |
//! |---|---|---|---|
//! | `P:{C}` | pub/sub | publications, joins and leaves as they happen | |
//! | `P:{C}:meta` | hash | `epoch`, `top`, `forks`, and the `replid` of the server that they are from | the longer of the history's `history_ttl` and `broker.meta_ttl`, from the last publish or read |
//! | `P:{C}:stream` | stream | held publications; ids are offsets | `history_ttl` from the last publish; a `DELETE` of the history |
//! | `P:{C}:once:S:K` | string | the answer to the publish of API key `S` with idempotency key `K` | `idempotency.ttl` |
//! | `P:{C}:once::I` | string | the same, for an id that the gateway made | twice `redis.publish_deadline` |
//! | `P:{C}:who` | hash | who is present, by connection | the last one that leaves |
//! | `P:{C}:users` | hash | number of connections of each user that is present | the last one that leaves |
//! | `P:{C}:held` | hash | number of connections of each node's generation that is present | the last one that leaves |
//! | `P:names:{M}` | sorted set | names of channels that may be active, in order; `M` is 0 to 15, by the name's hash | each: a list or the sweep finds it inactive |
//! | `P:user:{U}` | hash | stored subscriptions of user `U`, by channel | the last one that is deleted, or found to have ended |
//! | `P:revoked:{U}` | string | until when tokens of user `U` were revoked, in seconds since 1970; close code and reason of their connections | `tokens.revocation_ttl` |
//! | `P:share` | string | which of several servers this one is to the nodes | `cluster.lease` from the last node's claim |
//! | `P:{nodes}` | hash | what each node said of itself, by name and generation | it leaves, or was cleared away after its death |
//! | `P:{nodes}:lease:N G` | string | generation `G` of node `N` lives | `cluster.lease` from its last heartbeat |
//! | `P:{nodes}:cleanup:N G` | string | which node clears away what a dead one left | `cluster.lease` |
//! | `P:{nodes}:sweep` | string | which node looked last through all that are present | `cluster.sweep` |
//! | `P:node:N G:who` | set | connections that a node has made present, with their channels | the last one that leaves, or is cleared away |
//! | `P:node:N G:roll` | hash | users of a node's connections, by connection; only where a service asks for `disconnected` | the last one that ends, or is told for a dead node; the node's next life |
//! | `P:probe:{N}:*` | several | what node `N` tries its rights on when it connects | 10 seconds |
//! | `P:writes:N`, in a Redis Cluster `P:writes:N:{M}` | string | what node `N` writes to see that a master accepts writes; `M` as in its canary | 10 seconds |
//! | `P:canary:N` | pub/sub | what node `N` sends itself, to see that its subscriptions work | |
//! | `P:canary:N:{M}` | pub/sub | the same in a Redis Cluster, for each master: the number `M` is in one of its slots | |
//!
//! In a Redis Cluster pub/sub is sharded pub/sub, so that everything of a channel is in one slot; everything with `{nodes}` is in another. What is kept of
//! a user, and what a node has made present or holds, has slots of its own. No command touches two of them.

use super::{
    escape::{escape, unescape},
    node_id::NodeId,
    slot::Slot,
};
use gateway_core::model::{ChannelName, UserId};
use std::borrow::Cow;

/// The names, for one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Box<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    /// Where a channel's deliveries are announced.
    pub(crate) fn lane(&self, channel: &str) -> String {
        format!("{}:{{{}}}", self.prefix, escape(channel))
    }

    /// The channel that is announced there.
    pub(crate) fn channel<'a>(&self, lane: &'a str) -> Option<Cow<'a, str>> {
        unescape(lane.strip_prefix(&*self.prefix)?.strip_prefix(":{")?.strip_suffix('}')?)
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

    /// The channel whose stream this key is.
    pub(crate) fn channel_of_stream<'a>(&self, key: &'a str) -> Option<Cow<'a, str>> {
        self.channel(key.strip_suffix(":stream")?)
    }

    /// A pattern for the keys of all streams.
    pub(crate) fn all_streams(&self) -> String {
        format!("{}:{{*}}:stream", literal(&self.prefix))
    }

    /// A pattern for the places where all channels are announced.
    pub(crate) fn all_lanes(&self) -> String {
        format!("{}:{{*}}", literal(&self.prefix))
    }

    pub(crate) fn once(&self, channel: &ChannelName, scope: &str, key: &str) -> String {
        self.of(channel, &format!("once:{scope}:{key}"))
    }

    pub(crate) fn who(&self, channel: &ChannelName) -> String {
        self.of(channel, "who")
    }

    pub(crate) fn users(&self, channel: &ChannelName) -> String {
        self.of(channel, "users")
    }

    /// Which nodes hold those who are present.
    pub(crate) fn held(&self, channel: &ChannelName) -> String {
        self.of(channel, "held")
    }

    /// The channel of such a key.
    pub(crate) fn channel_of_held<'a>(&self, key: &'a str) -> Option<Cow<'a, str>> {
        self.channel(key.strip_suffix(":held")?)
    }

    /// A pattern for all of them.
    pub(crate) fn all_held(&self) -> String {
        format!("{}:{{*}}:held", literal(&self.prefix))
    }

    /// Names of channels.
    pub(crate) fn names(&self, shard: u16) -> String {
        format!("{}:names:{{{shard}}}", self.prefix)
    }

    pub(crate) fn user(&self, user: &UserId) -> String {
        format!("{}:user:{{{}}}", self.prefix, escape(user))
    }

    pub(crate) fn revoked(&self, user: &UserId) -> String {
        format!("{}:revoked:{{{}}}", self.prefix, escape(user))
    }

    pub(crate) fn nodes(&self) -> String {
        format!("{}:{{nodes}}", self.prefix)
    }

    pub(crate) fn lease(&self, node: &NodeId) -> String {
        format!("{}:{{nodes}}:lease:{}", self.prefix, node.text())
    }

    pub(crate) fn cleanup(&self, node: &NodeId) -> String {
        format!("{}:{{nodes}}:heir:{}", self.prefix, node.text())
    }

    /// What nodes take a server for. Each server has one.
    pub(crate) fn share(&self) -> String {
        format!("{}:share", self.prefix)
    }

    /// Who sweeps.
    pub(crate) fn sweep(&self) -> String {
        format!("{}:{{nodes}}:sweep", self.prefix)
    }

    /// What a node has made present: `connection channel`.
    pub(crate) fn registered(&self, node: &NodeId) -> String {
        format!("{}:node:{}:who", self.prefix, node.text())
    }

    /// Who is connected to a node.
    pub(crate) fn roll(&self, node: &NodeId) -> String {
        format!("{}:node:{}:roll", self.prefix, node.text())
    }

    /// Ahead of the names on which a node tries its rights; `:` and a word follow. No channel has such a name.
    pub(crate) fn probe(&self, node: &str) -> String {
        format!("{}:probe:{{{node}}}", self.prefix)
    }

    /// `number`: in the slot of that number.
    pub(crate) fn canary(&self, node: &str, number: Option<u32>) -> String {
        match number {
            Some(number) => format!("{}:canary:{node}:{{{number}}}", self.prefix),
            None => format!("{}:canary:{node}", self.prefix),
        }
    }

    /// What a node writes to see that a master accepts writes. `number`: in the slot of that number.
    pub(crate) fn write_probe(&self, node: &str, number: Option<u32>) -> String {
        match number {
            Some(number) => format!("{}:writes:{node}:{{{number}}}", self.prefix),
            None => format!("{}:writes:{node}", self.prefix),
        }
    }

    /// Whether some node's canary is announced there.
    pub(crate) fn is_canary(&self, lane: &[u8]) -> bool {
        lane.strip_prefix(self.prefix.as_bytes()).is_some_and(|rest| rest.starts_with(b":canary:"))
    }

    /// What nothing is ever announced to. An answer that names it tells that those to all questions before it have come.
    pub(crate) fn sync_marker(&self, number: u64) -> String {
        format!("{}:fence:{number}", self.prefix)
    }

    pub(crate) fn sync_marker_number(&self, lane: &str) -> Option<u64> {
        lane.strip_prefix(&*self.prefix)?.strip_prefix(":fence:")?.parse().ok()
    }
}

/// Where all keys of a channel are kept: its name is what their braces hold.
pub(crate) fn slot(channel: &str) -> Slot {
    Slot::of(escape(channel).as_bytes())
}

/// The text as a pattern that matches nothing else.
fn literal(text: &str) -> String {
    text.chars().flat_map(|c| ['\\', c].into_iter().skip(usize::from(!"*?[]^\\".contains(c)))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeSet, HashSet};

    #[test]
    fn canaries_and_fences_are_told_from_channels() {
        let keys = Keys::new("p");
        for lane in [keys.canary("n", None), keys.canary("n", Some(7)), keys.sync_marker(3)] {
            assert_eq!(keys.channel(&lane), None, "{lane}");
        }
        assert!(keys.is_canary(keys.canary("n", Some(7)).as_bytes()) && !keys.is_canary(keys.lane("canary").as_bytes()));
        assert_eq!((keys.sync_marker_number(&keys.sync_marker(3)), keys.sync_marker_number(&keys.lane("fence:3"))), (Some(3), None));
    }

    #[test]
    fn a_channel_is_found_again_in_its_names() {
        let keys = Keys::new("app:live");
        for name in ["a", "chat:lobby", "#alice", "odd:stream", "a:once:b", "#f:realm:ü {x}", "#}:stream", "#a:{b}:held", "a*"] {
            let channel: ChannelName = name.parse().expect("valid");
            assert_eq!(keys.channel(&keys.lane(name)).as_deref(), Some(name));
            assert_eq!(keys.channel_of_stream(&keys.stream(&channel)).as_deref(), Some(name));
            assert_eq!(keys.channel_of_held(&keys.held(&channel)).as_deref(), Some(name));
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

    fn of_channel(keys: &Keys, channel: &ChannelName) -> [String; 8] {
        let once = [keys.once(channel, "dev", "k{}"), keys.once(channel, "", "0f")];
        let [named, made_up] = once;
        [
            keys.lane(channel),
            keys.meta(channel),
            keys.stream(channel),
            keys.who(channel),
            keys.users(channel),
            keys.held(channel),
            named,
            made_up,
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
                let (stored, revoked) = (keys.user(&user), keys.revoked(&user));
                prop_assert_eq!(Slot::of(stored.as_bytes()), Slot::of(revoked.as_bytes()));
                prop_assert!(seen.insert(stored) && seen.insert(revoked));
                let lane = keys.lane(&channel);
                prop_assert_eq!(keys.channel(&lane), Some(channel.as_str().into()));
            }
            prop_assert_eq!(seen.len(), 10 * names.len());
        }
    }
}
