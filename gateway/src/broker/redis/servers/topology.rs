//! Which master serves which slots. Sans-I/O: [`super::masters`] queries the servers, and this module builds the slot map from their
//! answers.
//!
//! Several independent servers divide the slots by their names. The servers of a Redis Cluster report which master serves which slots. They
//! learn this from each other by gossip, so some reports are older than others. The report with the highest configuration epoch wins, which
//! is also the rule of Redis Cluster itself.

use crate::broker::redis::schema::slot::{SLOTS, Slot};
use gateway_core::model::rendezvous_score;
use std::{collections::BTreeMap, fmt};

/// The number of a server that accepts writes. It is valid while this process runs, and is never used for another server.
/// [`super::masters`] knows the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Master(pub(crate) u32);

/// The address of a server.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Endpoint {
    pub(crate) host: Box<str>,
    pub(crate) port: u16,
}

impl Endpoint {
    /// Reads `host:port`. A server that does not know the host omits it or writes `?`. Then the host is that of `reporter`, the server that
    /// gave this answer.
    pub(crate) fn parse(text: &str, reporter: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if matches!(host, "" | "?") { reporter } else { host };
        Some(Self { host: host.into(), port: port.parse().ok().filter(|port| *port != 0)? })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The slot map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology {
    masters: Vec<Master>,
    /// The first slot of each range, with its master, in the order of slots.
    borders: Vec<(Slot, Option<Master>)>,
    /// The first slot of each master that serves slots.
    serving: BTreeMap<Master, Slot>,
}

impl Topology {
    /// A slot map with one server, which serves all slots.
    pub(crate) fn single(master: Master) -> Self {
        Self::of(vec![master], vec![(Slot(0), Some(master))])
    }

    /// A slot map of several independent servers. Their names decide the slots of each; their order does not matter. An added server takes
    /// slots evenly from all others. The slots of a removed server go to all others.
    pub(crate) fn divided<'a>(servers: impl IntoIterator<Item = (Master, &'a str)>) -> Self {
        let mut servers: Vec<_> = servers.into_iter().collect();
        servers.sort_unstable();
        let owner =
            |slot: u16| servers.iter().max_by_key(|(_, name)| rendezvous_score(name, slot.to_be_bytes())).map(|(master, _)| *master);
        let owners = (0..SLOTS).map(owner).collect();
        Self::by_owner(servers.iter().map(|(master, _)| *master).collect(), owners)
    }

    /// Merges the reports of servers into a slot map. `number` gives a master its number. Leaves out a master for which it returns None.
    pub(crate) fn merge(mut reports: Vec<SlotReport>, mut number: impl FnMut(&Endpoint) -> Option<Master>) -> Self {
        reports.sort_by_key(|report| report.epoch);
        let mut owners = vec![None; usize::from(SLOTS)];
        let mut masters = BTreeMap::new();
        for report in reports {
            let master = *masters.entry(report.endpoint).or_insert_with_key(&mut number);
            for (first, last) in report.slots {
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

    /// The master that serves a slot, if one is known.
    pub(crate) fn owner(&self, slot: Slot) -> Option<Master> {
        let behind = self.borders.partition_point(|(first, _)| *first <= slot);
        self.borders.get(behind.checked_sub(1)?)?.1
    }

    /// The master that serves all slots, if there is one. The caller then need not compute a slot.
    pub(crate) fn only(&self) -> Option<Master> {
        match self.borders[..] {
            [(_, only)] => only,
            _ => None,
        }
    }

    /// All masters, including those without slots, which may have just joined, or may be dead.
    pub(crate) fn masters(&self) -> &[Master] {
        &self.masters
    }

    pub(crate) fn serves(&self, master: Master) -> bool {
        self.serving.contains_key(&master)
    }

    /// The first slot of each master that serves slots.
    pub(crate) fn serving(&self) -> &BTreeMap<Master, Slot> {
        &self.serving
    }

    /// The first slot that no master serves, if there is one.
    pub(crate) fn unserved(&self) -> Option<Slot> {
        if self.borders.is_empty() {
            return Some(Slot(0));
        }
        self.borders.iter().find(|(_, owner)| owner.is_none()).map(|(first, _)| *first)
    }
}

/// What a server reports of one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SlotReport {
    endpoint: Endpoint,
    /// The address of the same server with its IP, as redirections may name it. None if [`Self::endpoint`] is this address.
    by_ip: Option<Endpoint>,
    epoch: u64,
    /// The first and the last slot of each range.
    slots: Vec<(u16, u16)>,
}

#[cfg(test)]
impl SlotReport {
    pub(crate) fn new(endpoint: Endpoint, epoch: u64, slots: Vec<(u16, u16)>) -> Self {
        Self { endpoint, by_ip: None, epoch, slots }
    }
}

impl SlotReport {
    /// The server's address by IP, and the address that the slot map uses for it. None if they are the same.
    pub(crate) fn alias(&self) -> Option<(&Endpoint, &Endpoint)> {
        self.by_ip.as_ref().map(|by_ip| (by_ip, &self.endpoint))
    }
}

/// Reads the answer of the server `reporter` to `CLUSTER NODES`. Returns one report for each reachable master, or None if the answer is
/// malformed.
pub(crate) fn slot_reports(answer: &str, reporter: &str) -> Option<Vec<SlotReport>> {
    let mut reports = Vec::new();
    for line in answer.lines().filter(|line| !line.is_empty()) {
        let flags = line.split(' ').nth(2)?;
        let has = |wanted: &[&str]| flags.split(',').any(|flag| wanted.contains(&flag));
        if has(&["master"]) && !has(&["noaddr", "handshake"]) {
            reports.push(slot_report(line, reporter)?);
        }
    }
    Some(reports)
}

/// Reads one line: `id ip:port@bus[,hostname] flags master ping pong epoch link slots…`.
fn slot_report(line: &str, reporter: &str) -> Option<SlotReport> {
    let mut words = line.split(' ');
    let place = words.nth(1)?;
    let epoch = words.nth(4)?.parse().ok()?;
    let (_, slots) = (words.next()?, words.filter(|slots| !slots.is_empty() && !slots.starts_with('[')));
    let (address, names) = place.split_once('@')?;
    let mut endpoint = Endpoint::parse(address, reporter)?;
    let mut by_ip = None;
    // A host name has priority over the IP address, because certificates contain names.
    if let Some(name) = names.split(',').nth(1).filter(|name| !name.is_empty() && !name.contains('=')) {
        let port = endpoint.port;
        by_ip = Some(std::mem::replace(&mut endpoint, Endpoint { host: name.into(), port }));
    }
    Some(SlotReport { endpoint, by_ip, epoch, slots: slots.map(range).collect::<Option<_>>()? })
}

fn range(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < SLOTS).then_some((first, last))
}

#[cfg(test)]
mod tests;
