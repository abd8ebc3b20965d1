//! The task that keeps a lane going.

use super::{
    branch::{Batch, Done, LaneConnection, MasterLane, Step},
    job::{Job, Target},
    limits::LaneLimits,
    queue::{After, PAUSE, Queue},
};
use crate::broker::redis::servers::{
    health::Health,
    masters::Masters,
    topology::{Master, Topology},
};
use futures_util::{StreamExt as _, future::OptionFuture, stream::FuturesUnordered};
#[cfg(feature = "testing")]
pub(crate) use simulated::Pipe;
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// See the module.
pub(crate) struct Driver {
    jobs: mpsc::Receiver<Job>,
    limits: LaneLimits,
    masters: Arc<Masters>,
    changes: watch::Receiver<Arc<Topology>>,
    /// As this lane goes by it.
    map: Arc<Topology>,
    health: Arc<Health>,
    index: usize,
    branches: BTreeMap<Master, MasterLane>,
    /// Commands of slots that nobody serves, for all that is known.
    unserved: Queue,
    /// Commands that came.
    came: u64,
}

type Steps = FuturesUnordered<Step>;

impl Driver {
    pub(crate) fn new(jobs: mpsc::Receiver<Job>, limits: LaneLimits, masters: Arc<Masters>, health: Arc<Health>, index: usize) -> Self {
        let (changes, map) = (masters.map(), Arc::default());
        let (branches, unserved) = (BTreeMap::new(), Queue::default());
        Self { jobs, limits, masters, changes, map, health, index, branches, unserved, came: 0 }
    }

    /// Runs the lane until cancelled. What still waits then fails.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let (mut steps, mut arrived) = (Steps::new(), Vec::new());
        self.follow(&mut steps);
        loop {
            self.send(&mut steps);
            let (deadline, heartbeat, room) = (self.deadline(), self.heartbeat(), self.room());
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Ok(()) = self.changes.changed() => self.follow(&mut steps),
                Some((master, done)) = steps.next() => self.settle(master, done, &mut steps),
                count = self.jobs.recv_many(&mut arrived, room), if room > 0 => match count {
                    0 => break,
                    _ => arrived.drain(..).for_each(|job| self.push(job)),
                },
                Some(()) = OptionFuture::from(deadline.map(sleep_until)) => self.expire(Instant::now()),
                Some(()) = OptionFuture::from(heartbeat.map(sleep_until)) => self.beat(Instant::now(), &mut steps),
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

    /// Goes by the newest map.
    fn follow(&mut self, steps: &mut Steps) {
        self.map = self.changes.borrow_and_update().clone();
        let map = self.map.clone();
        for master in map.serving().keys().copied() {
            match self.branches.get(&master) {
                // It may have gone and come back meanwhile, and is awaited then.
                Some(branch) if branch.is_up => self.health.well(branch.part),
                _ => self.grow(master, steps),
            }
        }
        self.reroute(steps);
        for master in self.branches.keys().copied().collect::<Vec<_>>() {
            self.prune(master);
        }
    }

    /// A branch to this master, if it can be reached.
    fn grow(&mut self, master: Master, steps: &mut Steps) {
        if self.branches.contains_key(&master) {
            return;
        }
        if let Some(connector) = self.masters.connector(master) {
            let branch = MasterLane::new(master, self.index, connector);
            steps.push(branch.connect());
            self.branches.insert(master, branch);
        }
    }

    /// Gives up a branch to what is no master any more, or serves nothing and cannot be reached, unless something is under way or waits there.
    fn prune(&mut self, master: Master) {
        if !self.map.serves(master)
            && let Some(branch) = self.branches.get(&master)
            && (!branch.is_up || branch.is_idle() && !self.map.masters().contains(&master))
            && branch.len() == 0
        {
            self.health.forget(branch.part);
            self.branches.remove(&master);
        }
    }

    /// A command came.
    fn push(&mut self, mut job: Job) {
        job.number = self.came;
        self.came += 1;
        match self.home(&job) {
            Home::MasterLane(master) => {
                let Some(branch) = self.branches.get(&master) else { return };
                if branch.is_stuck() && self.stuck() >= self.share() {
                    return job.fail(&self.health.why(branch.part));
                }
                self.branches.entry(master).and_modify(|branch| branch.queue.push(job));
            }
            Home::Unserved if self.stuck() < self.share() => self.unserved.push(job),
            Home::Unserved => job.fail(&self.health.why_any()),
            Home::Gone => job.fail(CHANGED),
        }
    }

    fn home(&self, job: &Job) -> Home {
        let master = match job.command.to {
            Target::Master(master) if self.branches.contains_key(&master) => return Home::MasterLane(master),
            Target::Master(_) => return Home::Gone,
            Target::Key => self.map.only().or_else(|| self.map.owner(job.slot())),
        };
        master.filter(|master| self.branches.contains_key(master)).map_or(Home::Unserved, Home::MasterLane)
    }

    /// Lets everything that waits do so where the map says, or where a server said.
    fn reroute(&mut self, steps: &mut Steps) {
        let mut jobs: Vec<(Job, Option<Master>)> = self.unserved.drain().map(|job| (job, None)).collect();
        for (by, branch) in &mut self.branches {
            branch.is_displaced |= !branch.under_way.is_empty();
            let aside = |job: Job| {
                let to = job.aside.as_deref().and_then(|name| self.masters.named(name, *by));
                (job, to)
            };
            jobs.extend(branch.queue.drain().chain(branch.asking_queue.drain()).map(aside));
        }
        jobs.sort_unstable_by_key(|(job, _)| job.number);
        // What is older and of the same order waits at home.
        let mut ahead = HashSet::new();
        for (job, aside) in jobs {
            let aside = aside.filter(|_| job.command.order.is_none_or(|order| !ahead.contains(&order)));
            if let Some(master) = aside {
                self.grow(master, steps);
                if let Some(branch) = self.branches.get_mut(&master) {
                    branch.asking_queue.push(job);
                    continue;
                }
            }
            ahead.extend(job.command.order);
            match self.home(&job) {
                Home::MasterLane(master) => {
                    self.branches.entry(master).and_modify(|branch| branch.queue.push(job));
                }
                Home::Unserved => self.unserved.push(job),
                Home::Gone => job.fail(CHANGED),
            }
        }
    }

    /// Sends what may be sent.
    fn send(&mut self, steps: &mut Steps) {
        while self.room() > 0
            && self.branches.values().any(|branch| branch.is_idle() && branch.len() < self.limits.batch)
            && let Ok(job) = self.jobs.try_recv()
        {
            self.push(job);
        }
        let idle: Vec<_> = self.branches.values().filter(|branch| branch.is_idle()).map(|branch| branch.master).collect();
        for master in idle {
            let (busy, aside) = self.busy_beside(master);
            let Some(branch) = self.branches.get_mut(&master) else { continue };
            if !branch.seat.as_ref().is_some_and(|seat| branch.connector.is_newest(&seat.server)) {
                tracing::warn!(part = ?branch.part, "the address leads to another Redis by now");
                branch.begin();
                steps.push(branch.connect_later());
                continue;
            }
            let (now, most) = (Instant::now(), self.limits.batch);
            let asking_queue = branch.asking_queue.take(most, now, |order| busy.contains(&order));
            let batch = if asking_queue.is_empty() {
                Batch::Home(branch.queue.take(most, now, |order| busy.contains(&order) || aside.contains(&order)))
            } else {
                Batch::Aside(asking_queue)
            };
            if !batch.is_empty()
                && let Some(connection) = branch.begin()
            {
                steps.push(branch.exchange(connection, batch));
            }
        }
    }

    // NL-2.14
    /// Orders of which something is under way at another master although the map has changed; and those of which something waits aside.
    fn busy_beside(&self, master: Master) -> (HashSet<u64>, HashSet<u64>) {
        let others = self.branches.values().filter(|branch| branch.master != master && branch.is_displaced);
        let aside = self.branches.values().flat_map(|branch| branch.asking_queue.orders());
        (others.flat_map(|branch| branch.under_way.iter().copied()).collect(), aside.collect())
    }

    fn settle(&mut self, master: Master, done: Done, steps: &mut Steps) {
        let Some(branch) = self.branches.get_mut(&master) else { return };
        match done {
            Done::Connected(Ok((connection, seat))) => {
                self.health.well(branch.part);
                branch.connected(connection, seat);
            }
            Done::Connected(Err(trouble)) => {
                branch.is_up = false;
                self.health.warn(branch.part, &trouble.to_string());
                self.masters.doubt();
                let gave_up = branch.return_asking();
                steps.push(branch.connect_later());
                if gave_up {
                    self.reroute(steps);
                }
            }
            Done::Paused(connection) => branch.line = LaneConnection::Idle(connection, Instant::now()),
            Done::Exchanged(connection, batch, Ok(answers)) => {
                let (is_aside, sent) = (batch.is_aside(), batch.into_jobs());
                if is_aside {
                    for job in &sent {
                        self.masters.moves(job.slot());
                    }
                }
                let is_displaced = branch.ended();
                let round = branch.queue.answered(sent, answers, Instant::now());
                branch.is_up = matches!(round.after, After::GoOn | After::LoadScripts);
                match round.after {
                    After::GoOn => branch.line = LaneConnection::Idle(connection, Instant::now()),
                    After::LoadScripts => steps.push(branch.load(connection)),
                    After::Pause => steps.push(branch.pause(connection)),
                    After::Reconnect => steps.push(branch.connect_later()),
                }
                if round.is_map_wrong {
                    self.masters.doubt();
                }
                if round.is_map_wrong || is_displaced {
                    self.reroute(steps);
                }
            }
            Done::Exchanged(_, batch, Err(error)) => {
                let sent = batch.into_jobs();
                let address = branch.connector.address();
                self.health.trouble(branch.part, &format!("the connection to Redis at {address} broke: {error}"));
                tracing::warn!(part = ?branch.part, %address, %error, unanswered = sent.len(), "the connection to Redis broke");
                branch.broke(sent);
                steps.push(branch.connect());
                self.masters.doubt();
                self.reroute(steps);
            }
        }
        if !self.map.serves(master) {
            self.reroute(steps);
            self.prune(master);
        }
    }

    /// What waits for masters that cannot be used, or for none.
    fn stuck(&self) -> usize {
        let stuck = self.branches.values().filter(|branch| branch.is_stuck());
        self.unserved.len() + stuck.map(MasterLane::len).sum::<usize>()
    }

    /// What they may have of the queue together, of several; and what one that can be used may have before all others wait for it.
    fn share(&self) -> usize {
        if self.map.only().is_some() { self.limits.queue } else { self.limits.queue / 2 }
    }

    /// How many commands are taken in. A master that keeps up in its time makes all wait for it; one that does not, only its own.
    fn room(&self) -> usize {
        let share = self.share();
        // More than its share may have come back from a connection that broke; that is not to be others' loss.
        let mut waiting = self.stuck().min(share);
        for branch in self.branches.values().filter(|branch| !branch.is_stuck()) {
            waiting += branch.len();
            if branch.len() >= share {
                return 0;
            }
        }
        self.limits.queue.saturating_sub(waiting)
    }

    /// Whether something waits that could be sent, and that nothing else will wake this task for.
    fn holds_back(&self) -> bool {
        self.branches.values().any(|branch| branch.is_idle() && branch.len() > 0)
    }

    fn queues(&mut self) -> impl Iterator<Item = &mut Queue> {
        self.branches.values_mut().flat_map(|branch| [&mut branch.queue, &mut branch.asking_queue]).chain([&mut self.unserved])
    }

    fn deadline(&self) -> Option<Instant> {
        let queues = self.branches.values().flat_map(|branch| [&branch.queue, &branch.asking_queue]).chain([&self.unserved]);
        queues.filter_map(Queue::deadline).min()
    }

    fn expire(&mut self, now: Instant) {
        self.unserved.expire(now, &self.health.why_any());
        for branch in self.branches.values_mut() {
            let why = self.health.why(branch.part);
            branch.queue.expire(now, &why);
            branch.asking_queue.expire(now, &why);
        }
    }

    /// When the connection that has been idle longest is asked whether it still works.
    fn heartbeat(&self) -> Option<Instant> {
        self.branches.values().filter_map(MasterLane::next_heartbeat).min()
    }

    fn beat(&mut self, now: Instant, steps: &mut Steps) {
        for branch in self.branches.values_mut().filter(|branch| branch.next_heartbeat().is_some_and(|next| next <= now)) {
            if let Some(connection) = branch.begin() {
                steps.push(branch.heartbeat(connection));
            }
        }
    }
}

/// Where a command belongs.
enum Home {
    MasterLane(Master),
    Unserved,
    Gone,
}

const CHANGED: &str = "the masters of the Redis Cluster have changed meanwhile";

#[cfg(feature = "testing")]
mod simulated;
#[cfg(test)]
mod tests;
