//! A Redis Cluster.

use super::redis::{Redis, free_port, until};
use std::{collections::BTreeMap, ops::RangeInclusive, path::Path};

/// Those that have slots at first.
pub(super) const SERVING: usize = 3;
/// One more, which gets some in time, and loses them again.
const MASTERS: usize = SERVING + 1;
const MEMBERS: usize = 2 * MASTERS;
const SLOTS: u16 = 16384;
/// Keys that move together.
const TOGETHER: usize = 100;

/// See the module.
pub(crate) struct Cluster {
    pub(crate) members: Vec<Redis>,
    /// As it was when it was settled last.
    view: View,
}

/// What a member says of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View(BTreeMap<String, Says>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Says {
    port: u16,
    /// None: it is a master itself.
    master: Option<String>,
    slots: Vec<RangeInclusive<u16>>,
}

impl Cluster {
    pub(super) async fn start(directory: &Path) -> Self {
        let mut members = Vec::new();
        for number in 0..MEMBERS {
            let bus = free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-node-timeout", "3000", "--cluster-require-full-coverage", "no"];
            let more = ["--cluster-allow-replica-migration", "no", "--cluster-port", &bus];
            members.push(Redis::start(directory.join(format!("redis-{number}")), &[&options[..], &more].concat()).await);
            let epoch = (number + 1).to_string();
            members[number].command(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch]).await;
            if number > 0 {
                let port = members[number].address.port().to_string();
                members[0].command(&["CLUSTER", "MEET", "127.0.0.1", &port, &bus]).await;
            }
        }
        for (number, member) in members[..SERVING].iter().enumerate() {
            let border = |number: usize| usize::from(SLOTS) * number / SERVING;
            let (first, last) = (border(number).to_string(), (border(number + 1) - 1).to_string());
            member.command(&["CLUSTER", "ADDSLOTSRANGE", &first, &last]).await;
        }
        let mut cluster = Self { members, view: View::default() };
        cluster.settle().await;
        for number in MASTERS..MEMBERS {
            cluster.replicate(number, number - MASTERS).await;
        }
        cluster.settle().await;
        cluster
    }

    /// Awaits that all agree and that replicas have everything.
    pub(crate) async fn settle(&mut self) {
        until("the cluster settles", async || self.settled().await.is_some()).await;
        if let Some(view) = self.settled().await {
            self.view = view;
        }
    }

    /// Whether all have the parts that they had when it was settled last.
    pub(crate) async fn is_as_it_was(&mut self) -> bool {
        let before = self.view.clone();
        self.settle().await;
        self.view == before
    }

    /// The slot of a channel.
    pub(crate) async fn slot(&self, channel: &str) -> u16 {
        redis::from_redis_value(self.members[0].command(&["CLUSTER", "KEYSLOT", channel]).await).expect("a number")
    }

    /// The member that serves it.
    pub(crate) fn owner(&self, slot: u16) -> usize {
        let says = self.view.0.values().find(|says| says.slots.iter().any(|range| range.contains(&slot)));
        self.number(says.expect("all slots are served"))
    }

    /// Some slot that a member serves.
    pub(crate) fn slot_of(&self, master: usize) -> Option<u16> {
        let port = self.members[master].address.port();
        let says = self.view.0.values().find(|says| says.port == port);
        says.and_then(|says| says.slots.first()).map(|range| *range.start())
    }

    /// Those that serve slots, or may.
    pub(crate) fn masters(&self) -> Vec<usize> {
        self.view.0.values().filter(|says| says.master.is_none()).map(|says| self.number(says)).collect()
    }

    /// The master that has the fewest slots, which may be none.
    pub(crate) fn smallest(&self) -> usize {
        let slots = |says: &&Says| says.slots.iter().map(ExactSizeIterator::len).sum::<usize>();
        let masters = self.view.0.values().filter(|says| says.master.is_none());
        self.number(masters.min_by_key(slots).expect("there are masters"))
    }

    pub(crate) fn replica_of(&self, master: usize) -> usize {
        let id = self.id(master);
        self.number(self.view.0.values().find(|says| says.master.as_ref() == Some(&id)).expect("each has one"))
    }

    /// Lets a replica take over from its master, which waits until it has everything. If that takes too long the two give it up, and are told again.
    pub(crate) async fn fail_over(&self, replica: usize) {
        let replica = &self.members[replica];
        while !replica.replication().await.contains("role:master") {
            // Refused while the last attempt is not given up.
            let _ = replica.try_command(&["CLUSTER", "FAILOVER"]).await;
            let over = until("it takes over", async || replica.replication().await.contains("role:master"));
            let _ = tokio::time::timeout(std::time::Duration::from_secs(6), over).await;
        }
    }

    /// Awaits that a replica takes over by itself.
    pub(crate) async fn takes_over(&self, replica: usize) {
        until("it takes over", async || self.members[replica].replication().await.contains("role:master")).await;
    }

    /// Gives a slot to another master, key by key. `halfway` comes between the announcement and the first key.
    pub(crate) async fn move_slot(&self, slot: u16, to: usize, halfway: impl Future) {
        self.announce_move(slot, to).await;
        halfway.await;
        while self.move_keys(slot, to, TOGETHER).await > 0 {}
        let (number, target) = (slot.to_string(), self.id(to));
        // The new master first: if the old one told the others, nobody would serve it until then.
        for member in [to, self.owner(slot)] {
            self.members[member].command(&["CLUSTER", "SETSLOT", &number, "NODE", &target]).await;
        }
    }

    /// A slot is on the move from now on.
    pub(crate) async fn announce_move(&self, slot: u16, to: usize) {
        let from = self.owner(slot);
        let number = slot.to_string();
        self.members[to].command(&["CLUSTER", "SETSLOT", &number, "IMPORTING", &self.id(from)]).await;
        self.members[from].command(&["CLUSTER", "SETSLOT", &number, "MIGRATING", &self.id(to)]).await;
    }

    /// Moves so many keys, in place of what a move that was broken off left there. Answers how many there were.
    pub(crate) async fn move_keys(&self, slot: u16, to: usize, most: usize) -> usize {
        let (from, port) = (&self.members[self.owner(slot)], self.members[to].address.port().to_string());
        let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), &most.to_string()]).await;
        let keys: Vec<String> = redis::from_redis_value(keys).expect("names");
        if !keys.is_empty() {
            let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "REPLACE", "KEYS"];
            migrate.extend(keys.iter().map(String::as_str));
            from.command(&migrate).await;
        }
        keys.len()
    }

    /// Makes a member that has nothing the replica of another.
    pub(crate) async fn replicate(&self, number: usize, of: usize) {
        let (member, master) = (&self.members[number], self.id(of));
        // It may have to learn first that its slots are another's by now.
        until("it replicates", async || member.try_command(&["CLUSTER", "REPLICATE", &master]).await.is_ok()).await;
        until("it is a replica", async || member.is_linked().await).await;
    }

    fn number(&self, says: &Says) -> usize {
        self.members.iter().position(|member| member.address.port() == says.port).expect("it is a member")
    }

    fn id(&self, number: usize) -> String {
        let port = self.members[number].address.port();
        self.view.0.iter().find(|(_, says)| says.port == port).expect("it is a member").0.clone()
    }

    /// What all say, if all say the same.
    async fn settled(&self) -> Option<View> {
        let mut all = None;
        for member in &self.members {
            let said = member.try_command(&["CLUSTER", "NODES"]).await.ok()?;
            let view = View::read(&redis::from_redis_value::<String>(said).ok()?)?;
            if view.0.len() != MEMBERS || all.as_ref().is_some_and(|all| *all != view) {
                return None;
            }
            let said = member.try_command(&["CLUSTER", "INFO"]).await.ok()?;
            if !redis::from_redis_value::<String>(said).ok()?.contains("cluster_state:ok") {
                return None;
            }
            all = Some(view);
        }
        let view = all?;
        for says in view.0.values().filter(|says| says.master.is_some()) {
            if !self.members[self.number(says)].is_linked().await {
                return None;
            }
        }
        Some(view)
    }
}

impl View {
    /// What `CLUSTER NODES` says; none: somebody is not reached, or not known well.
    fn read(answer: &str) -> Option<Self> {
        let mut view = BTreeMap::new();
        // id ip:port@bus flags master ping pong epoch link slots…
        for line in answer.lines() {
            let words: Vec<_> = line.split(' ').collect();
            let flags: Vec<_> = words.get(2)?.split(',').collect();
            if flags.iter().any(|flag| matches!(*flag, "fail?" | "fail" | "handshake" | "noaddr")) {
                return None;
            }
            let port = words[1].split_once('@')?.0.rsplit_once(':')?.1.parse().ok()?;
            let master = (!flags.contains(&"master")).then(|| words[3].to_owned());
            let slots = words.get(8..)?.iter().filter(|slots| !slots.starts_with('['));
            let range = |text: &&str| {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                Some(first.parse().ok()?..=last.parse().ok()?)
            };
            view.insert(words[0].to_owned(), Says { port, master, slots: slots.map(range).collect::<Option<_>>()? });
        }
        Some(Self(view))
    }
}
