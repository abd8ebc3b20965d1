//! The task of a lane. It sends batches, requests a new slot map after MOVED or ASK, and moves commands to the master that serves their
//! slot.

use super::{
    job::{Job, Target},
    limits::LaneLimits,
    master_lane::{Batch, Done, LaneConnection, MasterLane, Step},
    queue::{ConnectionAction, PAUSE, Queue},
};
use crate::broker::redis::{
    schema::counters::Counters,
    servers::{
        health::Health,
        masters::Masters,
        topology::{Master, Topology},
    },
};
use futures_util::{StreamExt as _, future::OptionFuture, stream::FuturesUnordered};
#[cfg(feature = "testing")]
pub(crate) use simulated::SimulatedLane;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// The task of a lane. It sends commands to all masters and handles the answers.
pub(crate) struct Driver {
    jobs: mpsc::Receiver<Job>,
    limits: LaneLimits,
    masters: Arc<Masters>,
    changes: watch::Receiver<Arc<Topology>>,
    /// The slot map by which this lane chooses masters now.
    topology: Arc<Topology>,
    health: Arc<Health>,
    counters: Arc<Counters>,
    index: usize,
    master_lanes: BTreeMap<Master, MasterLane>,
    /// Commands for slots that no known master serves.
    unserved: Queue,
    /// Number of commands received.
    received: u64,
}

type Steps = FuturesUnordered<Step>;

impl Driver {
    pub(crate) fn new(
        jobs: mpsc::Receiver<Job>,
        limits: LaneLimits,
        masters: Arc<Masters>,
        health: Arc<Health>,
        counters: Arc<Counters>,
        index: usize,
    ) -> Self {
        let (changes, topology) = (masters.watch_topology(), Arc::default());
        let (master_lanes, unserved) = (BTreeMap::new(), Queue::default());
        Self { jobs, limits, masters, changes, topology, health, counters, index, master_lanes, unserved, received: 0 }
    }

    /// Runs the lane until cancelled. Then all commands that still wait fail.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let (mut steps, mut arrived) = (Steps::new(), Vec::new());
        self.apply_topology(&mut steps);
        loop {
            self.send(&mut steps);
            let (deadline, heartbeat, room) = (self.deadline(), self.heartbeat(), self.room());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.changes.changed() => self.apply_topology(&mut steps),
                Some((master, done)) = steps.next() => self.complete(master, done, &mut steps),
                count = self.jobs.recv_many(&mut arrived, room), if room > 0 => match count {
                    0 => break,
                    _ => arrived.drain(..).for_each(|job| self.push(job)),
                },
                Some(()) = OptionFuture::from(deadline.map(sleep_until)) => self.expire(Instant::now()),
                Some(()) = OptionFuture::from(heartbeat.map(sleep_until)) => self.send_heartbeats(Instant::now(), &mut steps),
                () = sleep(PAUSE), if self.holds_back() => {}
            }
        }
        self.jobs.close();
        while let Some(job) = self.jobs.recv().await {
            self.push(job);
        }
        for queue in self.queues() {
            queue.close("the gateway is stopping");
        }
    }

    /// Applies the newest slot map.
    fn apply_topology(&mut self, steps: &mut Steps) {
        self.topology = self.changes.borrow_and_update().clone();
        let topology = self.topology.clone();
        for master in topology.serving().keys().copied() {
            match self.master_lanes.get(&master) {
                // The master may have left and returned. In that case its health part is not marked as working yet.
                Some(master_lane) if master_lane.is_working => self.health.set_working(master_lane.part),
                _ => self.add_master(master, steps),
            }
        }
        self.reroute(steps);
        for master in self.master_lanes.keys().copied().collect::<Vec<_>>() {
            self.prune(master);
        }
    }

    /// Connects to this master, unless its address is unknown.
    fn add_master(&mut self, master: Master, steps: &mut Steps) {
        if self.master_lanes.contains_key(&master) {
            return;
        }
        if let Some(connector) = self.masters.connector(master) {
            let master_lane = MasterLane::new(master, self.index, connector);
            steps.push(master_lane.connect());
            self.master_lanes.insert(master, master_lane);
        }
    }

    /// Removes a server that is no longer a master, or that serves no slots and does not work. Keeps it while commands wait for it or are
    /// in flight.
    fn prune(&mut self, master: Master) {
        if !self.topology.serves(master)
            && let Some(master_lane) = self.master_lanes.get(&master)
            && (!master_lane.is_working || master_lane.is_idle() && !self.topology.masters().contains(&master))
            && master_lane.len() == 0
        {
            self.health.remove(master_lane.part);
            self.master_lanes.remove(&master);
        }
    }

    /// Queues a new command.
    fn push(&mut self, mut job: Job) {
        job.number = self.received;
        self.received += 1;
        match self.destination(&job) {
            Destination::Master(master) => {
                let Some(master_lane) = self.master_lanes.get(&master) else { return };
                if master_lane.is_stuck() && self.stuck() >= self.quota() {
                    return job.fail(&self.health.problem(master_lane.part));
                }
                self.master_lanes.entry(master).and_modify(|master_lane| master_lane.queue.push(job));
            }
            Destination::Unserved if self.stuck() < self.quota() => self.unserved.push(job),
            Destination::Unserved => job.fail(&self.health.any_problem()),
            Destination::Gone => job.fail(CHANGED),
        }
    }

    fn destination(&self, job: &Job) -> Destination {
        let master = match job.command.to {
            Target::Master(master) if self.master_lanes.contains_key(&master) => return Destination::Master(master),
            Target::Master(_) => return Destination::Gone,
            Target::Key => self.topology.only().or_else(|| self.topology.owner(job.slot())),
        };
        master.filter(|master| self.master_lanes.contains_key(master)).map_or(Destination::Unserved, Destination::Master)
    }

    /// Moves every waiting command to the queue of the master that serves its slot now, or to which a server redirected it.
    fn reroute(&mut self, steps: &mut Steps) {
        let mut jobs: Vec<(Job, Option<Master>)> = self.unserved.drain().map(|job| (job, None)).collect();
        for (reporter, master_lane) in &mut self.master_lanes {
            master_lane.orders_may_wait_elsewhere |= !master_lane.in_flight.is_empty();
            let with_redirect = |job: Job| {
                let to = job.redirect.as_deref().and_then(|name| self.masters.named(name, *reporter));
                (job, to)
            };
            jobs.extend(master_lane.queue.drain().chain(master_lane.redirected_queue.drain()).map(with_redirect));
        }
        jobs.sort_unstable_by_key(|(job, _)| job.number);
        // A redirected command must not overtake an older command of its order that waits for the master of the slot.
        let mut not_redirected = HashSet::new();
        for (job, redirect) in jobs {
            let redirect = redirect.filter(|_| job.command.order.is_none_or(|order| !not_redirected.contains(&order)));
            if let Some(master) = redirect {
                self.add_master(master, steps);
                if let Some(master_lane) = self.master_lanes.get_mut(&master) {
                    master_lane.redirected_queue.push(job);
                    continue;
                }
            }
            not_redirected.extend(job.command.order);
            match self.destination(&job) {
                Destination::Master(master) => {
                    self.master_lanes.entry(master).and_modify(|master_lane| master_lane.queue.push(job));
                }
                Destination::Unserved => self.unserved.push(job),
                Destination::Gone => job.fail(CHANGED),
            }
        }
    }

    /// Starts a batch on every idle connection.
    fn send(&mut self, steps: &mut Steps) {
        while self.room() > 0
            && self.master_lanes.values().any(|master_lane| master_lane.is_idle() && master_lane.len() < self.limits.batch_commands)
            && let Ok(job) = self.jobs.try_recv()
        {
            self.push(job);
        }
        let idle: Vec<_> =
            self.master_lanes.values().filter(|master_lane| master_lane.is_idle()).map(|master_lane| master_lane.master).collect();
        for master in idle {
            let (busy, redirected) = self.busy_orders(master);
            let Some(master_lane) = self.master_lanes.get_mut(&master) else { continue };
            if !master_lane.guard.as_ref().is_some_and(|guard| master_lane.connector.is_newest(&guard.server)) {
                tracing::warn!(part = ?master_lane.part, "the address leads to another Redis now: reconnecting");
                master_lane.begin();
                steps.push(master_lane.connect_later());
                continue;
            }
            let (now, most) = (Instant::now(), self.limits.batch_commands);
            let jobs = master_lane.redirected_queue.take(most, now, |order| busy.contains(&order));
            let batch = if jobs.is_empty() {
                Batch::Direct(master_lane.queue.take(most, now, |order| busy.contains(&order) || redirected.contains(&order)))
            } else {
                Batch::Redirected(jobs)
            };
            if !batch.is_empty()
                && let Some(connection) = master_lane.begin()
            {
                steps.push(master_lane.exchange(connection, batch, self.limits.replicas));
            }
        }
    }

    // NL-2.14
    /// Two sets of orders whose commands must wait at this master: those with commands in flight at another master that may no longer serve
    /// their slot, and those with redirected commands that wait. The second set does not hold back redirected commands.
    fn busy_orders(&self, master: Master) -> (HashSet<u64>, HashSet<u64>) {
        let others = self.master_lanes.values().filter(|master_lane| master_lane.master != master && master_lane.orders_may_wait_elsewhere);
        let redirected = self.master_lanes.values().flat_map(|master_lane| master_lane.redirected_queue.orders());
        (others.flat_map(|master_lane| master_lane.in_flight.iter().copied()).collect(), redirected.collect())
    }

    fn complete(&mut self, master: Master, done: Done, steps: &mut Steps) {
        let Some(master_lane) = self.master_lanes.get_mut(&master) else { return };
        match done {
            Done::Connected(Ok((connection, guard))) => {
                self.health.set_working(master_lane.part);
                master_lane.connected(connection, guard);
            }
            Done::Connected(Err(error)) => {
                master_lane.is_working = false;
                self.health.warn(master_lane.part, &error.to_string());
                self.masters.request_refresh();
                let has_returned = master_lane.return_redirected();
                steps.push(master_lane.connect_later());
                if has_returned {
                    self.reroute(steps);
                }
            }
            Done::Paused(connection) => master_lane.connection = LaneConnection::Idle(connection, Instant::now()),
            Done::Exchanged(connection, batch, Ok(answers)) => {
                let (is_redirected, sent) = (batch.is_redirected(), batch.into_jobs());
                if is_redirected {
                    for job in &sent {
                        self.masters.mark_moving(job.slot());
                    }
                }
                if !answers.are_replicated {
                    self.counters.unconfirmed_batches.add(1);
                }
                master_lane.report_replicas(answers.are_replicated);
                let may_wait_elsewhere = master_lane.finish_batch();
                let result = master_lane.queue.take_answers(sent, answers, Instant::now());
                master_lane.is_working = matches!(result.action, ConnectionAction::Continue | ConnectionAction::LoadScripts);
                match result.action {
                    ConnectionAction::Continue => master_lane.connection = LaneConnection::Idle(connection, Instant::now()),
                    ConnectionAction::LoadScripts => steps.push(master_lane.load(connection)),
                    ConnectionAction::Pause => steps.push(master_lane.pause(connection)),
                    ConnectionAction::Reconnect => steps.push(master_lane.connect_later()),
                }
                if result.is_map_wrong {
                    self.masters.request_refresh();
                }
                if result.is_map_wrong || may_wait_elsewhere {
                    self.reroute(steps);
                }
            }
            Done::Exchanged(_, batch, Err(error)) => {
                let sent = batch.into_jobs();
                let address = master_lane.connector.address();
                self.health.set_failed(master_lane.part, &format!("the connection to Redis at {address} broke: {error}"));
                tracing::warn!(part = ?master_lane.part, %address, %error, unanswered = sent.len(), "the connection to Redis broke");
                master_lane.broke(sent);
                steps.push(master_lane.connect());
                self.masters.request_refresh();
                self.reroute(steps);
            }
        }
        if !self.topology.serves(master) {
            self.reroute(steps);
            self.prune(master);
        }
    }

    /// Number of commands that wait for unusable masters or for slots without a known master.
    fn stuck(&self) -> usize {
        let stuck = self.master_lanes.values().filter(|master_lane| master_lane.is_stuck());
        self.unserved.len() + stuck.map(MasterLane::len).sum::<usize>()
    }

    /// The number of commands that may wait for all unusable masters together. If as many commands wait for one usable master, the lane
    /// accepts no more commands.
    fn quota(&self) -> usize {
        if self.topology.only().is_some() { self.limits.queue_commands } else { self.limits.queue_commands / 2 }
    }

    /// How many commands the lane accepts now. A slow master makes all commands wait; an unusable master only its own.
    fn room(&self) -> usize {
        let quota = self.quota();
        // After a broken connection, more commands than the quota may wait again. They must not take room from other masters.
        let mut waiting = self.stuck().min(quota);
        for master_lane in self.master_lanes.values().filter(|master_lane| !master_lane.is_stuck()) {
            waiting += master_lane.len();
            if master_lane.len() >= quota {
                return 0;
            }
        }
        self.limits.queue_commands.saturating_sub(waiting)
    }

    /// Whether commands wait although the connection to their master is idle. They are paused, or earlier commands of their order wait for
    /// answers of another master. Nothing else wakes this task when that is over.
    fn holds_back(&self) -> bool {
        self.master_lanes.values().any(|master_lane| master_lane.is_idle() && master_lane.len() > 0)
    }

    fn queues(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.master_lanes
            .values_mut()
            .flat_map(|master_lane| [&mut master_lane.queue, &mut master_lane.redirected_queue])
            .chain([&mut self.unserved])
    }

    fn deadline(&self) -> Option<Instant> {
        let queues =
            self.master_lanes.values().flat_map(|master_lane| [&master_lane.queue, &master_lane.redirected_queue]).chain([&self.unserved]);
        queues.filter_map(Queue::deadline).min()
    }

    fn expire(&mut self, now: Instant) {
        self.unserved.expire(now, &self.health.any_problem());
        for master_lane in self.master_lanes.values_mut() {
            let problem = self.health.problem(master_lane.part);
            master_lane.queue.expire(now, &problem);
            master_lane.redirected_queue.expire(now, &problem);
        }
    }

    /// The time of the next heartbeat on an idle connection.
    fn heartbeat(&self) -> Option<Instant> {
        self.master_lanes.values().filter_map(MasterLane::next_heartbeat).min()
    }

    fn send_heartbeats(&mut self, now: Instant, steps: &mut Steps) {
        for master_lane in self.master_lanes.values_mut().filter(|master_lane| master_lane.next_heartbeat().is_some_and(|next| next <= now))
        {
            if let Some(connection) = master_lane.begin() {
                steps.push(master_lane.heartbeat(connection));
            }
        }
    }
}

/// The queue to which a command belongs.
enum Destination {
    Master(Master),
    /// No known master serves its slot.
    Unserved,
    /// The command is for a certain server, which is no longer a master.
    Gone,
}

const CHANGED: &str = "the masters of the Redis Cluster have changed: repeat the request";

#[cfg(feature = "testing")]
mod simulated;
#[cfg(test)]
mod tests;
