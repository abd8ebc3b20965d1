//! A worker's hub: its connections, its channels, and the tasks that serve them.
//!
//! No borrow of the state is held while anything else is called.

use super::{
    keys::ConnKey,
    limits::HubParts,
    output::{
        batch::Budget,
        outbox::{Notice, Outbox},
    },
    state::{
        entry::Entry,
        presence_queue::PresenceQueue,
        registry_queue::RegistryQueue,
        resubscribe_queue::ResubscribeQueue,
        table::State,
        wheel::{self, Wheel},
    },
};
use crate::{
    broker::Reads,
    telemetry::{DropCause, Level, OpenTask, WorkerMetrics},
};
use gateway_core::model::{ClientInfo, ConnectionId, PageLimit, Tick, WorkerId};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};

/// See the module.
pub struct Hub {
    pub(super) parts: HubParts,
    pub(super) start: Instant,
    pub(super) budget: Rc<Budget>,
    pub(super) state: RefCell<State>,
    pub(super) presence_queue: PresenceQueue,
    pub(super) restarts: ResubscribeQueue,
    pub(super) revocation_check: Notify,
    pub(super) registry_queue: RegistryQueue,
    /// A batch went out whole.
    pub(super) served: Notify,
    /// The task that delivers, while it waits.
    pub(super) idle: Cell<Option<std::task::Waker>>,
    pub(super) slot_generation: Cell<u32>,
}

impl Hub {
    /// An empty hub. [`Self::run`] makes it live.
    pub fn new(parts: HubParts) -> Rc<Self> {
        let start = Instant::now();
        Rc::new(Self {
            start,
            budget: Budget::new(parts.limits.worker_outbox_bytes),
            state: RefCell::new(State { wheel: Some(Wheel::new(Tick(0))), ..State::default() }),
            presence_queue: PresenceQueue::default(),
            restarts: ResubscribeQueue::default(),
            revocation_check: Notify::new(),
            registry_queue: RegistryQueue::default(),
            served: Notify::new(),
            idle: Cell::new(None),
            slot_generation: Cell::new(0),
            parts,
        })
    }

    /// Now, on this worker's clock.
    pub fn now(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    /// Which worker this is.
    pub fn worker(&self) -> WorkerId {
        self.parts.worker
    }

    /// Bounds of one read of a stream.
    pub fn page(&self) -> PageLimit {
        self.parts.limits.page
    }

    /// Bytes of one answer at most, about: so much always fits into an outbox that has room.
    pub fn answer_bytes(&self) -> usize {
        self.parts.limits.outbox_bytes / 4
    }

    /// A pause, different each time, before a read that failed is tried again.
    pub fn retry(&self) -> Duration {
        self.parts.limits.retry.mul_f32(rand::random_range(0.5..1.5))
    }

    /// Reads of streams.
    pub fn reads(&self) -> &Reads {
        &self.parts.reads
    }

    /// This worker's counts.
    pub fn metrics(&self) -> &Arc<WorkerMetrics> {
        &self.parts.metrics
    }

    /// Memory of this worker's outboxes.
    pub fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.state.borrow().connections.len()
    }

    /// Takes a connection in; it leaves when the answer is dropped.
    pub fn register(self: &Rc<Self>, id: ConnectionId) -> Registered {
        let outbox = Outbox::new(self.parts.limits.outbox_bytes);
        let mut state = self.state.borrow_mut();
        state.generation = state.generation.wrapping_add(1);
        let generation = state.generation;
        let entry = Entry { generation, id, since: self.start.elapsed(), info: None, outbox: outbox.clone(), subscriptions: Vec::new() };
        let index = state.connections.insert(entry) as u32;
        state.ids.insert(id, index);
        self.parts.metrics.set(Level::ConnectionsOpen, state.connections.len() as u64);
        let task = OpenTask::new(&self.parts.metrics);
        Registered { hub: self.clone(), key: ConnKey { index, generation }, outbox, _task: task }
    }

    /// Wakes the connection at this time, or up to a second later, with [`Notice::Tick`].
    pub fn wake_at(&self, at: Tick, key: ConnKey) {
        if let Some(wheel) = &mut self.state.borrow_mut().wheel {
            wheel.insert(at, key);
        }
    }

    /// Tells the hub who is behind a connection.
    pub fn identify(&self, key: ConnKey, info: Arc<ClientInfo>) {
        let mut state = self.state.borrow_mut();
        let user = info.user.clone();
        let Some(entry) = state.entry(key) else { return };
        if entry.info.replace(info).is_none() && !user.is_anonymous() {
            let connections = state.users.entry(user).or_default();
            connections.reserve_exact(usize::from(connections.is_empty()));
            connections.push(key.index);
        }
    }

    fn remove(&self, key: ConnKey) {
        loop {
            let Some(channel) = self.state.borrow_mut().entry(key).map(|entry| entry.subscriptions.last().map(|last| last.slot)) else {
                return;
            };
            let Some(slot) = channel else { break };
            self.leave_slot(key, slot);
        }
        let mut state = self.state.borrow_mut();
        let entry = state.connections.remove(key.index as usize);
        state.ids.remove(&entry.id);
        self.registry_queue.leave(key, entry.id);
        self.parts.metrics.dropped(DropCause::ConnectionClosed, entry.outbox.deliveries() as u64);
        if let Some(info) = &entry.info
            && let Some(connections) = state.users.get_mut(&info.user)
        {
            connections.retain(|index| *index != key.index);
            if connections.is_empty() {
                state.users.remove(&info.user);
            }
        }
        state.shrink();
        self.parts.metrics.set(Level::ConnectionsOpen, state.connections.len() as u64);
        drop(state);
    }

    /// Runs the worker's hands until the hub is dropped with its runtime.
    pub async fn run(self: Rc<Self>) {
        let tick = self.clone().tick();
        let write_presence = self.clone().write_presence();
        let restart = self.clone().restart_all();
        let (look, registry_queue) = (self.clone().look_up_revocations(), self.clone().write_registry());
        let deliver = self.deliver_all();
        futures_util::join!(tick, write_presence, restart, look, registry_queue, deliver);
    }

    async fn tick(self: Rc<Self>) {
        let mut interval = tokio::time::interval(Duration::from_millis(wheel::SLOT_MS));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            let mut due = Vec::new();
            let now = self.now();
            if let Some(wheel) = &mut self.state.borrow_mut().wheel {
                wheel.due(now, |key| due.push(key));
            }
            for key in due {
                let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
                if let Some(outbox) = outbox {
                    outbox.notify(Notice::Tick);
                }
            }
            self.parts.metrics.set(Level::OutboxBytes, self.budget.used() as u64);
        }
    }
}

/// A connection's place in the hub; dropping it leaves every channel, whatever ended the connection.
pub struct Registered {
    hub: Rc<Hub>,
    key: ConnKey,
    outbox: Rc<Outbox>,
    _task: OpenTask,
}

impl Registered {
    /// Its hub.
    pub fn hub(&self) -> &Rc<Hub> {
        &self.hub
    }

    /// Its name in the hub.
    pub fn key(&self) -> ConnKey {
        self.key
    }

    /// What it has to send.
    pub fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.hub.remove(self.key);
    }
}
