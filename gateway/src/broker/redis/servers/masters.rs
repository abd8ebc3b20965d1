//! The servers that hold the data: one Redis, several that know nothing of each other, or the masters of a Redis Cluster; which of them serves a slot
//! now, and how each is reached.

use super::{
    address::{Address, Peer, Site},
    connect::{
        connect_error::ConnectError,
        connector::Connector,
        probe::Probe,
        server_assignment::{ServerAssignment, ServerAssignments},
        timing::Timeouts,
    },
    health::{Health, HealthPart},
    topology::{Endpoint, Master, SlotReport, Topology, claims},
};
use crate::broker::redis::schema::{pubsub::PubSub, slot::Slot};
use futures_util::{
    StreamExt as _,
    future::{join, join_all},
    stream::FuturesUnordered,
};
use gateway_core::model::lock;
use redis::RedisError;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// Between two looks at a cluster's map that nobody asked for.
const EVERY: Duration = Duration::from_secs(3);
/// Between two looks at least.
const PAUSE: Duration = Duration::from_millis(100);
/// After the first answer others are awaited for so long: who does not answer must not hold up the map.
const GRACE: Duration = Duration::from_millis(300);
/// Servers that are asked at a time.
const ASKED: usize = 16;

/// See the module.
pub(crate) struct Masters {
    pubsub: PubSub,
    known: Mutex<MasterTable>,
    map: watch::Sender<Arc<Topology>>,
    /// Somebody found the map to be wrong.
    doubted: Notify,
    /// Slots on the move, in which something was published at their new place.
    moving: Mutex<BTreeSet<Slot>>,
    moved: Notify,
}

/// Servers by number.
struct MasterTable {
    connectors: HashMap<Master, Arc<Connector>>,
    numbers: HashMap<Endpoint, Master>,
    next: u32,
    /// Where a cluster is looked for as long as no master is known that answers.
    seeds: Vec<Arc<Connector>>,
    /// How others of a cluster are spoken with.
    like: Option<Peer>,
    lanes: usize,
    timeouts: Timeouts,
    probe: Probe,
}

impl Masters {
    /// Those that are found there. Connects to nothing yet.
    pub(crate) fn new(
        address: Address,
        lanes: usize,
        timeouts: Timeouts,
        probe: Probe,
        claims: &ServerAssignments,
    ) -> Result<Self, RedisError> {
        let mut known = MasterTable {
            connectors: HashMap::new(),
            numbers: HashMap::new(),
            next: 1,
            seeds: Vec::new(),
            like: None,
            lanes,
            timeouts,
            probe,
        };
        let (pubsub, map) = match address {
            Address::One(site) => {
                known.add(Master(0), site, claims.whole())?;
                (PubSub::Whole, Topology::whole(Master(0)))
            }
            Address::Several(sites) => {
                let names: Vec<_> = sites.keys().cloned().collect();
                for (number, (name, site)) in (0..).zip(sites) {
                    known.add(Master(number), site, claims.of(&name, &names))?;
                }
                (PubSub::Whole, Topology::shared((0..).map(Master).zip(names.iter().map(AsRef::as_ref))))
            }
            Address::Cluster(peers) => {
                known.like = peers.first().cloned();
                let seeds = peers.into_iter().map(|peer| Connector::of_cluster(peer, lanes, timeouts, known.probe.clone()).map(Arc::new));
                known.seeds = seeds.collect::<Result<_, _>>()?;
                (PubSub::Sharded, Topology::default())
            }
        };
        let (map, moving) = (watch::Sender::new(Arc::new(map)), Mutex::default());
        Ok(Self { pubsub, known: Mutex::new(known), map, doubted: Notify::new(), moving, moved: Notify::new() })
    }

    pub(crate) fn pubsub(&self) -> PubSub {
        self.pubsub
    }

    /// Who serves what, now and from now on.
    pub(crate) fn map(&self) -> watch::Receiver<Arc<Topology>> {
        self.map.subscribe()
    }

    /// Who serves what now.
    pub(crate) fn now(&self) -> Arc<Topology> {
        self.map.borrow().clone()
    }

    /// How a master is reached; none: it is one no more.
    pub(crate) fn connector(&self, master: Master) -> Option<Arc<Connector>> {
        lock(&self.known).connectors.get(&master).cloned()
    }

    /// The master that a server names so.
    pub(crate) fn named(&self, name: &str, by: Master) -> Option<Master> {
        let mut known = lock(&self.known);
        let endpoint = Endpoint::parse(name, known.connectors.get(&by)?.host())?;
        known.number(&endpoint)
    }

    /// Something speaks against the map: it is looked at anew.
    pub(crate) fn doubt(&self) {
        self.doubted.notify_one();
    }

    /// Something was published at a place that a slot is on the move to: who subscribed at the old one did not hear of it.
    pub(crate) fn moves(&self, slot: Slot) {
        lock(&self.moving).insert(slot);
        self.moved.notify_one();
        self.doubt();
    }

    /// The next slots of which [`Self::moves`] told.
    pub(crate) async fn moving(&self) -> BTreeSet<Slot> {
        loop {
            let moving = std::mem::take(&mut *lock(&self.moving));
            if !moving.is_empty() {
                return moving;
            }
            self.moved.notified().await;
        }
    }

    /// Tells of the parts that have to begin to work.
    pub(crate) fn expect(&self, health: &Health) {
        let known = lock(&self.known);
        match known.seeds.first() {
            Some(seed) => health.expect(HealthPart::Map, &seed.address()),
            None => known.expect(&Topology::default(), &self.now(), health),
        }
    }

    /// Keeps the map of a cluster, or its claims and an eye on sentinels, until cancelled.
    pub(crate) async fn run(&self, health: &Health, stop: CancellationToken) {
        let _ = match self.pubsub {
            PubSub::Whole => stop.run_until_cancelled(self.hold(health)).await,
            PubSub::Sharded => stop.run_until_cancelled(self.keep(health)).await,
        };
    }

    async fn hold(&self, health: &Health) {
        let all: Vec<_> = lock(&self.known).connectors.iter().map(|(master, connector)| (*master, connector.clone())).collect();
        let each = all
            .iter()
            .map(|(master, connector)| join(connector.follow(), connector.renew_assignment(HealthPart::ServerAssignment(*master), health)));
        join_all(each).await;
    }

    async fn keep(&self, health: &Health) {
        for turn in 0.. {
            match self.look(turn).await {
                Ok(claims) => self.adopt(claims, health),
                Err(trouble) => health.warn(HealthPart::Map, &trouble.to_string()),
            }
            sleep(PAUSE).await;
            let _ = timeout(EVERY, self.doubted.notified()).await;
        }
    }

    /// What servers say: the masters, or else those that the settings name.
    async fn look(&self, turn: usize) -> Result<Vec<SlotReport>, ConnectError> {
        let (mut masters, seeds) = {
            let known = lock(&self.known);
            (known.connectors.values().cloned().collect::<Vec<_>>(), known.seeds.clone())
        };
        if masters.len() > ASKED {
            let first = turn * ASKED % masters.len();
            masters.rotate_left(first);
            masters.truncate(ASKED);
        }
        match ask(masters).await {
            Ok(claims) if !claims.is_empty() => Ok(claims),
            _ => ask(seeds).await,
        }
    }

    /// Goes by what servers said.
    pub(crate) fn adopt(&self, claims: Vec<SlotReport>, health: &Health) {
        let mut known = lock(&self.known);
        let map = Topology::merge(claims, |endpoint| known.number(endpoint));
        known.forget_all_but(map.masters());
        known.expect(&self.now(), &map, health);
        drop(known);
        match map.unserved() {
            Some(Slot(slot)) => {
                health
                    .warn(HealthPart::Map, &format!("no master of the Redis Cluster serves slot {slot}: see 'redis-cli --cluster check'"));
            }
            None => health.well(HealthPart::Map),
        }
        self.map.send_if_modified(|now| {
            let is_news = **now != map;
            if is_news {
                tracing::info!(masters = map.masters().len(), "the Redis Cluster's slots are served anew");
                *now = Arc::new(map);
            }
            is_news
        });
    }
}

impl MasterTable {
    fn add(&mut self, master: Master, site: Site, share: ServerAssignment) -> Result<(), RedisError> {
        let connector = Connector::new(site, share, self.lanes, self.timeouts, self.probe.clone())?;
        self.connectors.insert(master, Arc::new(connector));
        Ok(())
    }

    /// None: it cannot be connected to.
    fn number(&mut self, endpoint: &Endpoint) -> Option<Master> {
        if let Some(master) = self.numbers.get(endpoint) {
            return Some(*master);
        }
        let peer = self.like.as_ref()?.at(endpoint.host.to_string(), endpoint.port);
        let connector = Connector::of_cluster(peer, self.lanes, self.timeouts, self.probe.clone()).ok()?;
        let master = Master(self.next);
        self.next += 1;
        self.connectors.insert(master, Arc::new(connector));
        self.numbers.insert(endpoint.clone(), master);
        Some(master)
    }

    /// Tells of the parts that are needed, and not any more, with another map.
    fn expect(&self, before: &Topology, now: &Topology, health: &Health) {
        let (before, now) = (self.parts(before), self.parts(now));
        for (part, master) in &now {
            if let Some(connector) = self.connectors.get(master).filter(|_| !before.contains_key(part)) {
                health.expect(*part, &connector.address());
            }
        }
        before.into_keys().filter(|part| !now.contains_key(part)).for_each(|part| health.forget(part));
    }

    fn parts(&self, map: &Topology) -> BTreeMap<HealthPart, Master> {
        let of = |master: Master| {
            let lanes = (0..self.lanes).map(move |lane| HealthPart::Lane(master, lane));
            let share = self.like.is_none().then_some(HealthPart::ServerAssignment(master));
            lanes
                .chain([HealthPart::Listener(master), HealthPart::Canary(master), HealthPart::Writes(master)])
                .chain(share)
                .map(move |part| (part, master))
        };
        map.serving().keys().copied().flat_map(of).collect()
    }

    fn forget_all_but(&mut self, masters: &[Master]) {
        self.numbers.retain(|_, master| masters.contains(master));
        self.connectors.retain(|master, _| masters.contains(master));
    }
}

/// What those say that answer in time.
async fn ask(servers: Vec<Arc<Connector>>) -> Result<Vec<SlotReport>, ConnectError> {
    let one = async |server: Arc<Connector>| server.nodes().await.map(|answer| claims(&answer, server.host()).unwrap_or_default());
    let mut answers: FuturesUnordered<_> = servers.into_iter().map(one).collect();
    let (mut found, mut trouble, mut until) = (Vec::new(), None, None);
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                Some(Ok(claims)) => {
                    found.extend(claims);
                    until.get_or_insert_with(|| Instant::now() + GRACE);
                }
                Some(Err(why)) => trouble = Some(why),
                None => break,
            },
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
        }
    }
    match trouble {
        Some(trouble) if found.is_empty() => Err(trouble),
        _ => Ok(found),
    }
}
