//! Which master serves which slots. Sans-I/O: [`super::masters`] asks, and this makes a map of the answers.
//!
//! Servers that know nothing of each other have each a share of the slots, by their names. Those of a Redis Cluster say themselves who has what.
//! They learn of each other's slots by gossip, so that some know less than others: the claim with the highest configuration epoch holds, which is the rule by
//! which they settle it among themselves.

use crate::broker::redis::schema::slot::{SLOTS, Slot};
use gateway_core::model::rendezvous;
use std::{collections::BTreeMap, fmt};

/// A server that takes writes, as long as this process runs. Numbers are not used again; [`super::masters`] knows whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Master(pub(crate) u32);

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint {
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Endpoint {
    /// `host:port`. A server that does not know its own host leaves it out; it is then that of the server that says so.
    pub(crate) fn parse(text: &str, said_by: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() { said_by } else { host };
        Some(Self { host: host.into(), port: port.parse().ok().filter(|port| *port != 0)? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    masters: Vec<Master>,
    /// Where another master than before begins, in the order of slots.
    borders: Vec<(Slot, Option<Master>)>,
    /// The first slot of each master that serves any.
    serving: BTreeMap<Master, Slot>,
}

impl Topology {
    /// One server has everything.
    pub(crate) fn whole(master: Master) -> Self {
        Self::of(vec![master], vec![(Slot(0), Some(master))])
    }

    /// Servers that know nothing of each other, by their names: each slot is for one of them to serve, whatever their order. One that is added takes
    /// its share from all others, and one that is taken away leaves it to them.
    pub(crate) fn shared<'a>(servers: impl IntoIterator<Item = (Master, &'a str)>) -> Self {
        let mut servers: Vec<_> = servers.into_iter().collect();
        servers.sort_unstable();
        let owner = |slot: u16| servers.iter().max_by_key(|(_, name)| rendezvous(name, slot.to_be_bytes())).map(|(master, _)| *master);
        let owners = (0..SLOTS).map(owner).collect();
        Self::by_owner(servers.iter().map(|(master, _)| *master).collect(), owners)
    }

    /// What servers said, put together. `number` names a master; those that it does not name are left out.
    pub(crate) fn merge(mut claims: Vec<SlotReport>, mut number: impl FnMut(&Endpoint) -> Option<Master>) -> Self {
        claims.sort_by_key(|claim| claim.epoch);
        let mut owners = vec![None; usize::from(SLOTS)];
        let mut masters = BTreeMap::new();
        for claim in claims {
            let master = *masters.entry(claim.endpoint).or_insert_with_key(&mut number);
            for (first, last) in claim.slots {
                owners[usize::from(first)..=usize::from(last)].fill(master);
            }
        }
        let mut masters: Vec<_> = masters.into_values().flatten().collect();
        masters.sort_unstable();
        Self::by_owner(masters, owners)
    }

    fn by_owner(masters: Vec<Master>, owners: Vec<Option<Master>>) -> Self {
        let mut borders: Vec<_> = (0..SLOTS).map(Slot).zip(owners).collect();
        borders.dedup_by_key(|(_, owner)| *owner);
        Self::of(masters, borders)
    }

    fn of(masters: Vec<Master>, borders: Vec<(Slot, Option<Master>)>) -> Self {
        let serving = borders.iter().rev().filter_map(|(first, owner)| Some(((*owner)?, *first))).collect();
        Self { masters, borders, serving }
    }

    /// Who serves a slot; none: nobody, for all that is known.
    pub(crate) fn owner(&self, slot: Slot) -> Option<Master> {
        let behind = self.borders.partition_point(|(first, _)| *first <= slot);
        self.borders.get(behind.checked_sub(1)?)?.1
    }

    /// The only master, if it serves everything: no slot has to be found out then.
    pub(crate) fn only(&self) -> Option<Master> {
        match self.borders[..] {
            [(_, only)] => only,
            _ => None,
        }
    }

    /// All masters, those as well that serve nothing: they may be on the way in, or dead.
    pub(crate) fn masters(&self) -> &[Master] {
        &self.masters
    }

    pub(crate) fn serves(&self, master: Master) -> bool {
        self.serving.contains_key(&master)
    }

    /// The first slot of each master that serves any.
    pub(crate) fn serving(&self) -> &BTreeMap<Master, Slot> {
        &self.serving
    }

    /// A slot that nobody serves.
    pub(crate) fn unserved(&self) -> Option<Slot> {
        if self.borders.is_empty() {
            return Some(Slot(0));
        }
        self.borders.iter().find(|(_, owner)| owner.is_none()).map(|(first, _)| *first)
    }
}

/// What a server says of a master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotReport {
    endpoint: Endpoint,
    epoch: u64,
    /// First and last of each range.
    slots: Vec<(u16, u16)>,
}

#[cfg(test)]
impl SlotReport {
    pub(crate) fn new(endpoint: Endpoint, epoch: u64, slots: Vec<(u16, u16)>) -> Self {
        Self { endpoint, epoch, slots }
    }
}

/// What an answer to `CLUSTER NODES`, given by the server at `said_by`, says of masters that can be reached. None: it is no such answer.
pub(crate) fn claims(answer: &str, said_by: &str) -> Option<Vec<SlotReport>> {
    let mut claims = Vec::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let flags = line.split(' ').nth(2)?;
        let has = |wanted: &[&str]| flags.split(',').any(|flag| wanted.contains(&flag));
        if has(&["master"]) && !has(&["noaddr", "handshake"]) {
            claims.push(claim(line, said_by)?);
        }
    }
    Some(claims)
}

/// `id ip:port@bus[,hostname] flags master ping pong epoch link slots…`
fn claim(line: &str, said_by: &str) -> Option<SlotReport> {
    let mut words = line.split(' ');
    let place = words.nth(1)?;
    let epoch = words.nth(4)?.parse().ok()?;
    let (_, slots) = (words.next()?, words.filter(|slots| !slots.is_empty() && !slots.starts_with('[')));
    let (address, names) = place.split_once('@')?;
    let mut endpoint = Endpoint::parse(address, said_by)?;
    // A server that was given a name is to be called by it: certificates show names.
    if let Some(name) = names.split(',').nth(1).filter(|name| !name.is_empty() && !name.contains('=')) {
        endpoint.host = name.into();
    }
    Some(SlotReport { endpoint, epoch, slots: slots.map(range).collect::<Option<_>>()? })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < SLOTS).then_some((first, last))
}

#[cfg(test)]
mod tests;
