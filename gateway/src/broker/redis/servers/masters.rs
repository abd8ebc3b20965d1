//! The current servers: one Redis, several independent servers, or the masters of a Redis Cluster. This module knows which of them serves a
//! slot, and how to reach each.

use super::{
    address::{Address, Peer, ServerAddress},
    connect::{
        connect_error::ConnectError,
        connector::Connector,
        rights::probe::Probe,
        server_assignment::{ServerAssignment, ServerAssignments},
        timing::Timeouts,
    },
    health::{Health, HealthPart},
    topology::{Endpoint, Master, SlotReport, Topology, slot_reports},
};
use crate::broker::redis::schema::{counters::Counters, pubsub::PubSub, slot::Slot};
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

/// Time between two regular queries for the slot map.
const REFRESH_INTERVAL: Duration = Duration::from_secs(3);
/// Minimum time between two queries.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// How long a query waits for further answers after the first one. A server that does not answer must not delay the slot map.
const GRACE: Duration = Duration::from_millis(300);
/// Largest number of servers that get one query.
const MAX_QUERIED: usize = 16;

/// The current servers.
pub(crate) struct Masters {
    pubsub: PubSub,
    table: Mutex<MasterTable>,
    topology: watch::Sender<Arc<Topology>>,
    /// Notified when the slot map may be wrong, for example because a server redirected a command.
    refresh: Notify,
    /// Moving slots in which the new master has executed a command.
    moving: Mutex<BTreeSet<Slot>>,
    moving_changed: Notify,
}

/// Servers by number.
struct MasterTable {
    connectors: HashMap<Master, Arc<Connector>>,
    numbers: HashMap<Endpoint, Master>,
    /// Other addresses of servers, each with the server's address in `numbers`.
    aliases: HashMap<Endpoint, Endpoint>,
    next: u32,
    /// The servers in the settings. They get the query while no known master answers it.
    seeds: Vec<Arc<Connector>>,
    /// Login and TLS for the other servers of a Redis Cluster. None without a Redis Cluster.
    template: Option<Peer>,
    lanes: usize,
    timeouts: Timeouts,
    probe: Probe,
}

impl Masters {
    /// The servers at this address. This does not connect to them yet.
    pub(crate) fn new(
        address: Address,
        lanes: usize,
        timeouts: Timeouts,
        probe: Probe,
        assignments: &ServerAssignments,
    ) -> Result<Self, RedisError> {
        let mut table = MasterTable {
            connectors: HashMap::new(),
            numbers: HashMap::new(),
            aliases: HashMap::new(),
            next: 1,
            seeds: Vec::new(),
            template: None,
            lanes,
            timeouts,
            probe,
        };
        let (pubsub, topology) = match address {
            Address::One(server) => {
                table.add(Master(0), server, assignments.only_server())?;
                (PubSub::Unsharded, Topology::single(Master(0)))
            }
            Address::Several(servers) => {
                let names: Vec<_> = servers.keys().cloned().collect();
                for (number, (name, server)) in (0..).zip(servers) {
                    table.add(Master(number), server, assignments.one_of(&name, &names))?;
                }
                (PubSub::Unsharded, Topology::divided((0..).map(Master).zip(names.iter().map(AsRef::as_ref))))
            }
            Address::Cluster(peers) => {
                table.template = peers.first().cloned();
                let seeds = peers.into_iter().map(|peer| Connector::of_cluster(peer, lanes, timeouts, table.probe.clone()).map(Arc::new));
                table.seeds = seeds.collect::<Result<_, _>>()?;
                (PubSub::Sharded, Topology::default())
            }
        };
        let (topology, moving) = (watch::Sender::new(Arc::new(topology)), Mutex::default());
        Ok(Self { pubsub, table: Mutex::new(table), topology, refresh: Notify::new(), moving, moving_changed: Notify::new() })
    }

    pub(crate) fn pubsub(&self) -> PubSub {
        self.pubsub
    }

    /// The slot map. The receiver gets all later changes.
    pub(crate) fn watch_topology(&self) -> watch::Receiver<Arc<Topology>> {
        self.topology.subscribe()
    }

    /// The current slot map.
    pub(crate) fn topology(&self) -> Arc<Topology> {
        self.topology.borrow().clone()
    }

    /// The connector of a master. None if the server is no longer a master.
    pub(crate) fn connector(&self, master: Master) -> Option<Arc<Connector>> {
        lock(&self.table).connectors.get(&master).cloned()
    }

    /// The master at the address `name`, as the server `reporter` wrote it in a redirection.
    pub(crate) fn named(&self, name: &str, reporter: Master) -> Option<Master> {
        let mut table = lock(&self.table);
        let endpoint = Endpoint::parse(name, table.connectors.get(&reporter)?.host())?;
        let endpoint = table.aliases.get(&endpoint).cloned().unwrap_or(endpoint);
        table.number(&endpoint)
    }

    /// Requests a new query for the slot map, because the map may be wrong.
    pub(crate) fn request_refresh(&self) {
        self.refresh.notify_one();
    }

    /// Records that the new master of a moving slot executed a command. Subscribers at the old master may have missed a publication.
    pub(crate) fn mark_moving(&self, slot: Slot) {
        lock(&self.moving).insert(slot);
        self.moving_changed.notify_one();
        self.request_refresh();
    }

    /// Waits until [`Self::mark_moving`] has recorded slots, and takes them.
    pub(crate) async fn next_moving(&self) -> BTreeSet<Slot> {
        loop {
            let moving = std::mem::take(&mut *lock(&self.moving));
            if !moving.is_empty() {
                return moving;
            }
            self.moving_changed.notified().await;
        }
    }

    /// Registers the parts that must work at the start.
    pub(crate) fn require_parts(&self, health: &Health) {
        let table = lock(&self.table);
        match table.seeds.first() {
            Some(seed) => health.require(HealthPart::SlotMap, &seed.address()),
            None => table.update_health(&Topology::default(), &self.topology(), health),
        }
    }

    /// Runs until cancelled. For a Redis Cluster, keeps the slot map current. Otherwise, follows sentinels and keeps the assignments.
    pub(crate) async fn run(&self, health: &Health, counters: &Counters, stop: CancellationToken) {
        let _ = match self.pubsub {
            PubSub::Unsharded => stop.run_until_cancelled(self.run_servers(health, counters)).await,
            PubSub::Sharded => stop.run_until_cancelled(self.run_cluster(health)).await,
        };
    }

    async fn run_servers(&self, health: &Health, counters: &Counters) {
        let all: Vec<_> = lock(&self.table).connectors.iter().map(|(master, connector)| (*master, connector.clone())).collect();
        let each = all.iter().map(|(master, connector)| {
            join(connector.follow_sentinels(), connector.keep_assignment(HealthPart::ServerAssignment(*master), health, counters))
        });
        join_all(each).await;
    }

    async fn run_cluster(&self, health: &Health) {
        for round in 0.. {
            match self.query(round).await {
                Ok(reports) => self.apply(reports, health),
                Err(error) => health.warn(HealthPart::SlotMap, &error.to_string()),
            }
            sleep(MIN_INTERVAL).await;
            let _ = timeout(REFRESH_INTERVAL, self.refresh.notified()).await;
        }
    }

    /// Queries the known masters for their reports. If none of them answers, queries the servers in the settings.
    async fn query(&self, round: usize) -> Result<Vec<SlotReport>, ConnectError> {
        let (mut masters, seeds) = {
            let table = lock(&self.table);
            (table.connectors.values().cloned().collect::<Vec<_>>(), table.seeds.clone())
        };
        if masters.len() > MAX_QUERIED {
            let first = round * MAX_QUERIED % masters.len();
            masters.rotate_left(first);
            masters.truncate(MAX_QUERIED);
        }
        match query(masters).await {
            Ok(reports) if !reports.is_empty() => Ok(reports),
            _ => query(seeds).await,
        }
    }

    /// Makes a new slot map from these reports, and publishes it.
    pub(crate) fn apply(&self, reports: Vec<SlotReport>, health: &Health) {
        let mut table = lock(&self.table);
        table.aliases = reports.iter().filter_map(SlotReport::alias).map(|(other, used)| (other.clone(), used.clone())).collect();
        let topology = Topology::merge(reports, |endpoint| table.number(endpoint));
        table.retain(topology.masters());
        table.update_health(&self.topology(), &topology, health);
        drop(table);
        match topology.unserved() {
            Some(Slot(slot)) => {
                health.warn(
                    HealthPart::SlotMap,
                    &format!("no master of the Redis Cluster serves slot {slot}: see 'redis-cli --cluster check'"),
                );
            }
            None => health.set_working(HealthPart::SlotMap),
        }
        self.topology.send_if_modified(|current| {
            let has_changed = **current != topology;
            if has_changed {
                tracing::info!(masters = topology.masters().len(), "the slot map of the Redis Cluster has changed");
                *current = Arc::new(topology);
            }
            has_changed
        });
    }
}

impl MasterTable {
    fn add(&mut self, master: Master, server: ServerAddress, assignment: ServerAssignment) -> Result<(), RedisError> {
        let connector = Connector::new(server, assignment, self.lanes, self.timeouts, self.probe.clone())?;
        self.connectors.insert(master, Arc::new(connector));
        Ok(())
    }

    /// The master at this address, with a new number if it is not known yet. None if the address is unusable.
    fn number(&mut self, endpoint: &Endpoint) -> Option<Master> {
        if let Some(master) = self.numbers.get(endpoint) {
            return Some(*master);
        }
        let peer = self.template.as_ref()?.at(endpoint.host.to_string(), endpoint.port);
        let connector = Connector::of_cluster(peer, self.lanes, self.timeouts, self.probe.clone()).ok()?;
        let master = Master(self.next);
        self.next += 1;
        self.connectors.insert(master, Arc::new(connector));
        self.numbers.insert(endpoint.clone(), master);
        Some(master)
    }

    /// Registers the parts that the new slot map requires, and removes those that it no longer requires.
    fn update_health(&self, before: &Topology, after: &Topology, health: &Health) {
        let (before, after) = (self.parts(before), self.parts(after));
        for (part, master) in &after {
            if let Some(connector) = self.connectors.get(master).filter(|_| !before.contains_key(part)) {
                health.require(*part, &connector.address());
            }
        }
        before.into_keys().filter(|part| !after.contains_key(part)).for_each(|part| health.remove(part));
    }

    fn parts(&self, topology: &Topology) -> BTreeMap<HealthPart, Master> {
        let of = |master: Master| {
            let lanes = (0..self.lanes).map(move |lane| HealthPart::Lane(master, lane));
            let assignment = self.template.is_none().then_some(HealthPart::ServerAssignment(master));
            let parts =
                lanes.chain([HealthPart::Subscriber(master), HealthPart::Canary(master), HealthPart::Writes(master)]).chain(assignment);
            parts.map(move |part| (part, master))
        };
        topology.serving().keys().copied().flat_map(of).collect()
    }

    fn retain(&mut self, masters: &[Master]) {
        self.numbers.retain(|_, master| masters.contains(master));
        self.connectors.retain(|master, _| masters.contains(master));
    }
}

/// Queries these servers. Returns the reports of those that answer in time.
async fn query(servers: Vec<Arc<Connector>>) -> Result<Vec<SlotReport>, ConnectError> {
    let one = async |server: Arc<Connector>| server.nodes().await.map(|answer| slot_reports(&answer, server.host()).unwrap_or_default());
    let mut answers: FuturesUnordered<_> = servers.into_iter().map(one).collect();
    let (mut found, mut failure, mut until) = (Vec::new(), None, None);
    loop {
        tokio::select! {
            answer = answers.next() => match answer {
                Some(Ok(reports)) => {
                    found.extend(reports);
                    until.get_or_insert_with(|| Instant::now() + GRACE);
                }
                Some(Err(error)) => failure = Some(error),
                None => break,
            },
            () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => break,
        }
    }
    match failure {
        Some(error) if found.is_empty() => Err(error),
        _ => Ok(found),
    }
}
