//! One worker's connections and subscriptions, and the hands that carry publications to them. Nothing here is shared between workers.
//!
//! - [`outbox`]: what a connection has still to send; [`batch`]: bytes encoded once for everyone
//! - [`slot`], [`members`]: a channel's subscribers on this worker
//! - [`subscribe`]: join, go live, leave; [`crossing`], [`restart`]: when a stream goes on in a new timeline, or was lost in part
//! - [`deliver`]: from the mailbox to the slots; [`fan_out`]: from the slots to the outboxes, in slices
//! - [`backfill`]: reads of the stream that close gaps
//! - [`attendance`]: presence, joins and leaves, in order
//! - [`control`]: commands of services, questions, drain; [`missed`]: those that this node may not have heard
//! - [`roll`]: who is connected here, for other nodes
//! - deadlines of connections: [`wheel`]
//!
//! No borrow of the hub is held while anything else is called.

mod attendance;
mod backfill;
mod batch;
mod control;
mod crossing;
mod deliver;
mod encode;
mod fan_out;
mod members;
mod missed;
mod outbox;
mod restart;
mod roll;
mod slot;
mod subscribe;
mod wheel;

#[cfg(test)]
mod tests;

use crate::broker::NameHasher;
use crate::{
    broker::{Broker, Mailbox, Reads, mailbox::ConnectionSummary},
    telemetry::{DropCause, Level, OpenTask, WorkerMetrics},
};
use attendance::Attendance;
pub use batch::{Batch, Budget};
pub use encode::{frame, message};
use gateway_core::{
    channel::{GapBufferBudget, Namespaces},
    model::{ChannelName, ClientInfo, ConnectionId, PageLimit, Tick, UserId, WorkerId},
};
use missed::Missed;
pub use outbox::{Frame, Leave, Notice, Outbox, Overflow, SlotKey, Written};
use restart::Restarts;
use roll::Roll;
use slab::Slab;
use slot::Slot;
use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};
pub use subscribe::{Advance, Live};
use tokio::{sync::Notify, time::Instant};
use wheel::Wheel;

/// Bounds of a hub.
#[derive(Clone, Debug)]
pub struct HubLimits {
    /// Bytes that one connection's outbox may hold.
    pub outbox_bytes: usize,
    /// Bytes that all outboxes of the worker may hold.
    pub worker_outbox_bytes: usize,
    /// Bytes of publications that go out as one message.
    pub batch_bytes: usize,
    /// Subscribers served before others get their turn.
    pub slice: usize,
    /// Publications remembered per channel while a connection attaches.
    pub attach_buffer: usize,
    /// One read of a stream.
    pub page: PageLimit,
    /// Subscriptions of this worker that are told within a second that they have to begin anew.
    pub restarts: usize,
    /// Subscribers above which joins and leaves are not told.
    pub join_leave_max: usize,
    /// Before a read that failed is tried again.
    pub retry: Duration,
}

/// What a hub works with.
pub struct HubParts {
    /// Which worker it belongs to.
    pub worker: WorkerId,
    /// Where streams and presence live.
    pub broker: Arc<Broker>,
    /// Reads of streams, which the workers of a node share.
    pub reads: Arc<Reads>,
    /// Memory for what is held back meanwhile, which they share as well.
    pub gap_buffers: Arc<GapBufferBudget>,
    /// What the broker has for this worker.
    pub mailbox: Arc<Mailbox>,
    /// Options of the channels.
    pub namespaces: Arc<Namespaces>,
    /// Bounds.
    pub limits: HubLimits,
    /// This worker's counts.
    pub metrics: Arc<WorkerMetrics>,
}

/// See the module.
pub struct Hub {
    parts: HubParts,
    start: Instant,
    budget: Rc<Budget>,
    state: RefCell<State>,
    attendance: Attendance,
    restarts: Restarts,
    missed: Missed,
    roll: Roll,
    /// A batch went out whole.
    served: Notify,
    /// The task that delivers, while it waits.
    idle: Cell<Option<std::task::Waker>>,
    lives: Cell<u32>,
}

#[derive(Default)]
struct State {
    connections: Slab<Entry>,
    generation: u32,
    ids: HashMap<ConnectionId, u32, foldhash::quality::RandomState>,
    users: HashMap<UserId, Vec<u32>, foldhash::quality::RandomState>,
    channels: HashMap<ChannelName, SlotKey, NameHasher>,
    slots: Slab<Slot>,
    /// Channels that wait for their turn of the fan-out.
    line: VecDeque<SlotKey>,
    /// Deliveries that wait in all slots.
    pending: usize,
    wheel: Option<Wheel<ConnKey>>,
}

/// One connection.
struct Entry {
    generation: u32,
    id: ConnectionId,
    since: Duration,
    info: Option<Arc<ClientInfo>>,
    outbox: Rc<Outbox>,
    subscriptions: Vec<subscribe::Subscription>,
}

/// Names a connection of this hub; a later connection at the same index has another generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnKey {
    index: u32,
    generation: u32,
}

impl State {
    fn entry(&mut self, key: ConnKey) -> Option<&mut Entry> {
        self.connections.get_mut(key.index as usize).filter(|entry| entry.generation == key.generation)
    }

    fn slot(&mut self, key: SlotKey) -> Option<&mut Slot> {
        self.slots.get_mut(key.index())
    }
}

impl Hub {
    /// An empty hub. [`Self::run`] makes it live.
    pub fn new(parts: HubParts) -> Rc<Self> {
        let start = Instant::now();
        Rc::new(Self {
            start,
            budget: Budget::new(parts.limits.worker_outbox_bytes),
            state: RefCell::new(State { wheel: Some(Wheel::new(Tick(0))), ..State::default() }),
            attendance: Attendance::default(),
            restarts: Restarts::default(),
            missed: Missed::default(),
            roll: Roll::default(),
            served: Notify::new(),
            idle: Cell::new(None),
            lives: Cell::new(0),
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
        self.roll.leave(key, entry.id);
        self.parts.metrics.dropped(DropCause::ConnectionClosed, entry.outbox.deliveries() as u64);
        if let Some(info) = &entry.info
            && let Some(connections) = state.users.get_mut(&info.user)
        {
            connections.retain(|index| *index != key.index);
            if connections.is_empty() {
                state.users.remove(&info.user);
            }
        }
        shrink(&mut state);
        self.parts.metrics.set(Level::ConnectionsOpen, state.connections.len() as u64);
        drop(state);
    }

    /// Runs the worker's hands until the hub is dropped with its runtime.
    pub async fn run(self: Rc<Self>) {
        let tick = self.clone().tick();
        let attend = self.clone().attend();
        let restart = self.clone().restart_all();
        let (look, roll) = (self.clone().look_up_revocations(), self.clone().keep_roll());
        let deliver = self.deliver_all();
        futures_util::join!(tick, attend, restart, look, roll, deliver);
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

/// Gives memory back after a crowd has left.
fn shrink(state: &mut State) {
    if state.connections.is_empty() {
        state.connections.shrink_to_fit();
    }
    if state.ids.capacity() > 4 * state.ids.len() + 1024 {
        state.ids.shrink_to_fit();
        state.users.shrink_to_fit();
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

impl Entry {
    fn summary(&self, slots: &Slab<Slot>, start_ms: u64) -> ConnectionSummary {
        ConnectionSummary {
            id: self.id,
            user: self.info.as_ref().map_or_else(UserId::anonymous, |info| info.user.clone()),
            channels: self.subscriptions.iter().filter_map(|s| slots.get(s.slot.index())).map(|slot| slot.name.clone()).collect(),
            since_ms: start_ms + self.since.as_millis() as u64,
        }
    }
}
