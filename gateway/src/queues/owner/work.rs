//! What the owner of a partition does during one ownership.

use super::{
    handles::Delivery,
    held_lease::HeldLease,
    pause::Pause,
    requests::{NotOwner, Payload, ReadResult, Requests, Unread},
    task_parts::Owner,
};
use crate::queues::store::QueueStore;
use futures_util::{
    FutureExt as _, StreamExt as _,
    future::{BoxFuture, OptionFuture},
    stream::FuturesUnordered,
};
use gateway_core::{
    model::Tick,
    queue::{
        DeadLetter, DeadLettered,
        owner::{Backlog, Handout, Report, Ticket},
    },
};
use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    pin::pin,
    time::Duration,
};
use tokio::time::{Instant, sleep_until};

/// Entries that are acknowledged together, numbers of tries that are stored together, and reports that are taken together.
const BATCH: usize = 256;
/// How long an owner that leaves waits for reports about what was delivered.
const LEAVE: Duration = Duration::from_secs(5);

/// How an ownership ended.
pub(super) enum Left {
    /// This node is not the owner any more.
    Lost,
    /// Nothing is left to do. This node is still the owner.
    Done,
}

/// One ownership.
pub(super) struct Work<'a, S> {
    owner: &'a mut Owner<S>,
    held_lease: &'a HeldLease<S>,
    requests: Requests<S>,
    backlog: Backlog<Payload>,
    /// Tick 0.
    start: Instant,
    pause: Pause,
    read: Option<BoxFuture<'static, (ReadResult, Pause)>>,
    write: Option<BoxFuture<'static, Result<usize, NotOwner>>>,
    dead_letter_moves: FuturesUnordered<BoxFuture<'static, Result<(DeadLetter, DeadLettered), NotOwner>>>,
    arrival: Option<BoxFuture<'static, ()>>,
    /// Until when it waits for reports before it leaves. None: it does not leave.
    leaves: Option<Instant>,
}

/// Something that happened.
enum Happened {
    Read(ReadResult, Pause),
    Written(Result<usize, NotOwner>),
    DeadLettered(Result<(DeadLetter, DeadLettered), NotOwner>),
    Arrived,
    Leave,
    Reported(Ticket, Report),
    /// A renewal, room for a delivery, or time.
    Other,
}

impl<'a, S: QueueStore> Work<'a, S> {
    pub(super) fn new(owner: &'a mut Owner<S>, held_lease: &'a HeldLease<S>) -> Self {
        let (start, store_ms) = held_lease.clock();
        let backlog = Backlog::new(owner.config.limits, owner.generation, seed(owner), Tick(0), store_ms);
        let requests = Requests::new(held_lease, owner.stats.clone());
        let dead_letter_moves = FuturesUnordered::new();
        let pause = Pause::default();
        Self { owner, held_lease, requests, backlog, start, pause, read: None, write: None, dead_letter_moves, arrival: None, leaves: None }
    }

    /// Works until the ownership ends. `leave` ends when it has to.
    pub(super) async fn run(&mut self, leave: impl Future<Output = ()>) -> Left {
        let mut leave = pin!(leave.fuse());
        loop {
            self.follow_lease();
            self.take_reports();
            self.backlog.tick(self.now());
            self.hand_out();
            self.ask_store();
            self.owner.stats.take(&mut self.backlog);
            if self.is_done() {
                return Left::Done;
            }
            let happened = tokio::select! {
                biased;
                () = &mut leave => Happened::Leave,
                happened = self.next() => happened,
            };
            if self.apply(happened).is_err() {
                return Left::Lost;
            }
        }
    }

    fn now(&self) -> Tick {
        Tick(u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    fn tick_of(&self, at: Instant) -> Tick {
        Tick(u64::try_from(at.saturating_duration_since(self.start).as_millis()).unwrap_or(u64::MAX))
    }

    fn follow_lease(&mut self) {
        self.backlog.set_paused(self.held_lease.is_paused());
        let (at, store_ms) = self.held_lease.clock();
        self.backlog.set_clock(self.tick_of(at), store_ms);
        if self.leaves.is_none() {
            self.owner.guard.allow(self.owner.generation, self.held_lease.until());
        }
    }

    fn take_reports(&mut self) {
        for _ in 0..BATCH {
            let Ok((ticket, report)) = self.owner.reported.try_recv() else { return };
            self.backlog.report(ticket, report, self.now());
        }
    }

    /// Hands out deliveries, as many as there is room for.
    fn hand_out(&mut self) {
        let now = self.now();
        while self.may_deliver() && self.backlog.has_delivery(now) {
            let Ok(room) = self.owner.deliver.try_reserve() else { return };
            let Some(handout) = self.backlog.next_delivery(now) else { return };
            let Handout { ticket, key, expires, payload: Payload { id, event } } = handout;
            let key = key.as_deref().unwrap_or_default().into();
            let expires = expires.and_then(|tick| self.start.checked_add(Duration::from_millis(tick.0)));
            room.send(Delivery { ticket, partition: self.owner.partition.partition, id, key, event, expires });
        }
    }

    // NL-8.5
    fn may_deliver(&self) -> bool {
        self.leaves.is_none() && self.held_lease.is_valid()
    }

    fn ask_store(&mut self) {
        let now = self.now();
        if self.write.is_none() {
            let (done, tried) = (self.backlog.take_done(BATCH), self.backlog.take_tried(BATCH));
            self.write = (!done.is_empty() || !tried.is_empty()).then(|| self.requests.write(done, tried));
        }
        while let Some(letter) = self.backlog.next_dead_letter() {
            self.dead_letter_moves.push(self.requests.move_to_dead_letters(letter));
        }
        if self.leaves.is_some() {
            return;
        }
        if self.read.is_none()
            && let Some(read) = self.backlog.next_read(now)
        {
            self.read = Some(self.requests.read(read, std::mem::take(&mut self.pause)));
        }
        match self.backlog.awaits_arrival() {
            None => self.arrival = None,
            Some(after) if self.arrival.is_none() => self.arrival = Some(self.requests.arrival(after)),
            Some(_) => {}
        }
    }

    /// Whether it has left, and nothing is worth waiting for.
    fn is_done(&self) -> bool {
        self.leaves.is_some_and(|until| {
            let is_idle = self.backlog.in_flight() == 0 && self.write.is_none() && self.dead_letter_moves.is_empty();
            is_idle || Instant::now() >= until
        })
    }

    /// Waits until something happens.
    async fn next(&mut self) -> Happened {
        let wakes = [self.backlog.deadline().map(|tick| self.start + Duration::from_millis(tick.0)), self.leaves];
        let wakes = wakes.into_iter().flatten().min();
        let waits_for_room = self.may_deliver() && self.backlog.has_delivery(self.now());
        let Self { read, write, dead_letter_moves, arrival, owner, held_lease, .. } = self;
        let Owner { deliver, reported, .. } = &mut **owner;
        tokio::select! {
            biased;
            (result, pause) = of(read) => Happened::Read(result, pause),
            result = of(write) => Happened::Written(result),
            Some(result) = dead_letter_moves.next() => Happened::DeadLettered(result),
            () = of(arrival) => Happened::Arrived,
            Some((ticket, report)) = reported.recv() => Happened::Reported(ticket, report),
            Ok(_) = deliver.reserve(), if waits_for_room => Happened::Other,
            () = held_lease.renewed() => Happened::Other,
            Some(()) = OptionFuture::from(wakes.map(sleep_until)) => Happened::Other,
        }
    }

    fn apply(&mut self, happened: Happened) -> Result<(), NotOwner> {
        let now = self.now();
        match happened {
            Happened::Read(result, pause) => {
                self.pause = pause;
                match result? {
                    Ok(entries) => self.backlog.read(entries, now),
                    Err(Unread) => self.backlog.read_failed(),
                }
            }
            Happened::Written(result) => self.backlog.confirmed(result?),
            Happened::DeadLettered(result) => {
                let (letter, dead_lettered) = result?;
                if dead_lettered == DeadLettered::Moved {
                    self.owner.stats.add_dead_lettered(letter.reason);
                }
                self.backlog.dead_lettered(letter.id, dead_lettered, now);
            }
            Happened::Arrived => self.backlog.arrived(),
            Happened::Leave => {
                self.leaves = Some(Instant::now() + LEAVE);
                self.owner.guard.close();
            }
            Happened::Reported(ticket, report) => self.backlog.report(ticket, report, now),
            Happened::Other => {}
        }
        Ok(())
    }
}

/// Waits for a request, if there is one.
async fn of<T>(request: &mut Option<BoxFuture<'static, T>>) -> T {
    match request {
        Some(running) => {
            let result = running.await;
            *request = None;
            result
        }
        None => std::future::pending().await,
    }
}

/// Spreads the pauses. Nodes, partitions and ownerships have different ones; a simulation always has the same.
fn seed<S>(owner: &Owner<S>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&owner.config.node, &owner.partition, owner.generation).hash(&mut hasher);
    hasher.finish()
}
