//! A worker's hub: its connections, its channels, and its tasks.
//!
//! The hub ends every borrow of its state before it calls code that may use the state again.

use super::{
    keys::ConnKey,
    limits::HubParts,
    output::{
        batch::Budget,
        encode::Protocol,
        outbox::{Notice, Outbox},
    },
    state::{
        entry::Entry,
        queues::presence_queue::PresenceQueue,
        queues::registry_queue::RegistryQueue,
        queues::resubscribe_queue::ResubscribeQueue,
        queues::revocation_checks::RevocationChecks,
        subscription_registry::SubscriptionRegistry,
        table::State,
        wheel::{self, Wheel},
    },
};
use crate::{
    broker::Reads,
    telemetry::{DropCause, Level, OpenTask, WorkerMetrics},
};
use gateway_core::model::{ClientInfo, ConnectionId, PageLimit, RevocableClaims, Tick, UserId, WorkerId};
use std::{
    cell::{Cell, RefCell},
    net::IpAddr,
    rc::Rc,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::Notify;

/// Connections that a tick wakes before everything else on the worker runs once.
pub(super) const WAKES_AT_ONCE: usize = 256;

/// One worker's table of connections and subscriptions.
pub struct Hub {
    pub(super) parts: HubParts,
    pub(super) budget: Rc<Budget>,
    pub(super) state: RefCell<State>,
    pub(super) presence_queue: PresenceQueue,
    pub(super) resubscribe_queue: ResubscribeQueue,
    pub(super) revocation_checks: RevocationChecks,
    pub(super) registry_queue: RegistryQueue,
    pub(super) subscription_registry: SubscriptionRegistry,
    /// Signals that a fan-out has reached all its subscribers.
    pub(super) batch_done: Notify,
    /// The waker of the delivery task, while that task waits.
    pub(super) delivery_waker: Cell<Option<std::task::Waker>>,
    pub(super) last_channel_number: Cell<u64>,
    pub(super) last_message_number: Cell<u64>,
    pub(super) last_subscription_number: Cell<u64>,
}

impl Hub {
    /// Creates an empty hub. [`Self::run`] starts its tasks.
    pub fn new(parts: HubParts) -> Rc<Self> {
        let now = Tick(parts.start.elapsed().as_millis() as u64);
        Rc::new(Self {
            budget: Budget::new(parts.limits.worker_outbox_bytes),
            state: RefCell::new(State { wheel: Some(Wheel::new(now)), channel_wheel: Some(Wheel::new(now)), ..State::default() }),
            presence_queue: PresenceQueue::default(),
            resubscribe_queue: ResubscribeQueue::default(),
            revocation_checks: RevocationChecks::default(),
            registry_queue: RegistryQueue::default(),
            subscription_registry: SubscriptionRegistry::default(),
            batch_done: Notify::new(),
            delivery_waker: Cell::new(None),
            last_channel_number: Cell::new(0),
            last_message_number: Cell::new(0),
            last_subscription_number: Cell::new(0),
            parts,
        })
    }

    /// The current time of this worker's clock.
    pub fn now(&self) -> Tick {
        Tick(self.parts.start.elapsed().as_millis() as u64)
    }

    /// The worker that owns the hub.
    pub fn worker(&self) -> WorkerId {
        self.parts.worker
    }

    /// Largest result of one history read.
    pub fn page(&self) -> PageLimit {
        self.parts.limits.page
    }

    /// Approximate largest size of one reply, in bytes. An outbox that has room can take such a reply.
    pub fn answer_bytes(&self) -> usize {
        self.parts.limits.outbox_bytes / 4
    }

    /// A random pause before the next attempt at a failed broker operation.
    pub fn retry(&self) -> Duration {
        self.parts.limits.retry.mul_f32(rand::random_range(0.5..1.5))
    }

    /// History reads.
    pub fn reads(&self) -> &Reads {
        &self.parts.reads
    }

    /// This worker's metrics.
    pub fn metrics(&self) -> &Arc<WorkerMetrics> {
        &self.parts.metrics
    }

    /// The memory budget of this worker's outboxes.
    pub fn budget(&self) -> &Rc<Budget> {
        &self.budget
    }

    /// The number of connections.
    pub fn connections(&self) -> usize {
        self.state.borrow().connections.len()
    }

    /// Adds a connection that uses this protocol. Dropping the registration removes it.
    pub fn register(self: &Rc<Self>, id: ConnectionId, protocol: Protocol) -> Registration {
        let outbox = Outbox::new(self.parts.limits.outbox_bytes);
        let mut state = self.state.borrow_mut();
        state.generation = state.generation.wrapping_add(1);
        let generation = state.generation;
        let entry = Entry {
            generation,
            id,
            protocol,
            since_us: unix_us(),
            address: None,
            token_row: None,
            info: None,
            outbox: outbox.clone(),
            subscriptions: Vec::new(),
        };
        let index = state.connections.insert(entry) as u32;
        state.ids.insert(id, index);
        self.parts.metrics.set(Level::ConnectionsOpen, state.connections.len() as u64);
        let task = OpenTask::new(&self.parts.metrics);
        Registration { hub: self.clone(), key: ConnKey { index, generation }, outbox, _task: task }
    }

    /// Sends [`Notice::Tick`] to the connection at this time, or up to a second later.
    pub fn wake_at(&self, at: Tick, key: ConnKey) {
        if let Some(wheel) = &mut self.state.borrow_mut().wheel {
            wheel.insert(at, key);
        }
    }

    /// Sets the address of a connection's client.
    pub fn set_address(&self, key: ConnKey, address: IpAddr) {
        if let Some(entry) = self.state.borrow_mut().entry(key) {
            entry.address = Some(address);
        }
    }

    /// The address of a connection's client.
    pub fn address(&self, key: ConnKey) -> Option<IpAddr> {
        self.state.borrow_mut().entry(key).and_then(|entry| entry.address)
    }

    /// Sets the user of a connection. From now on it counts as one of this user: who opened a connection earlier has no older place.
    pub fn identify(&self, key: ConnKey, info: Arc<ClientInfo>) {
        let mut state = self.state.borrow_mut();
        let user = info.user.clone();
        let Some(entry) = state.entry(key) else { return };
        if entry.info.replace(info).is_some() {
            return;
        }
        entry.since_us = unix_us();
        if !user.is_anonymous() {
            let connections = state.users.entry(user).or_default();
            connections.reserve_exact(usize::from(connections.is_empty()));
            connections.push(key.index);
        }
    }

    /// Registers a connection under the claims of its first token.
    pub fn set_claims(&self, key: ConnKey, claims: Option<&RevocableClaims>) {
        self.state.borrow_mut().set_claims(key, claims);
    }

    // NL-7.9
    /// Registers a connection under the claims of another token, and looks for revocations that came before.
    pub fn replace_claims(&self, key: ConnKey, claims: Option<&RevocableClaims>) {
        self.state.borrow_mut().set_claims(key, claims);
        if claims.is_some() {
            self.check_again(key);
        }
    }

    /// Looks the user and the token of a connection up, as soon as the store answers.
    pub fn check_again(&self, key: ConnKey) {
        self.revocation_checks.check(key.index);
    }

    /// How many connections a user has at this worker.
    pub fn connections_of(&self, user: &UserId) -> usize {
        self.state.borrow().users.get(user).map_or(0, Vec::len)
    }

    fn remove(&self, key: ConnKey) {
        loop {
            let Some(channel) = self.state.borrow_mut().entry(key).map(|entry| entry.subscriptions.last().map(|last| last.local_channel))
            else {
                return;
            };
            let Some(local_channel) = channel else { break };
            self.leave_channel(key, local_channel);
        }
        let mut state = self.state.borrow_mut();
        let entry = state.connections.remove(key.index as usize);
        state.ids.remove(&entry.id);
        if let Some(row) = entry.token_row {
            state.remove_claims(row);
        }
        self.registry_queue.leave(key);
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

    /// Runs the hub's tasks. Never returns.
    pub async fn run(self: Rc<Self>) {
        let tick = self.clone().tick();
        let write_presence = self.clone().write_presence();
        let send_resubscribes = self.clone().send_resubscribes();
        let (check_revocations, write_registry) = (self.clone().check_revocations(), self.clone().write_registry());
        let deliver = self.run_delivery();
        futures_util::join!(tick, write_presence, send_resubscribes, check_revocations, write_registry, deliver);
    }

    async fn tick(self: Rc<Self>) {
        let mut interval = tokio::time::interval(Duration::from_millis(wheel::BUCKET_MS));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            interval.tick().await;
            self.forget_old();
            let mut due = Vec::new();
            let now = self.now();
            if let Some(wheel) = &mut self.state.borrow_mut().wheel {
                wheel.due(now, |key| due.push(key));
            }
            for (count, key) in due.into_iter().enumerate() {
                if count % WAKES_AT_ONCE == WAKES_AT_ONCE - 1 {
                    tokio::task::yield_now().await;
                }
                let outbox = self.state.borrow_mut().entry(key).map(|entry| entry.outbox.clone());
                if let Some(outbox) = outbox {
                    outbox.notify(Notice::Tick);
                }
            }
            self.parts.metrics.set(Level::OutboxBytes, self.budget.used() as u64);
        }
    }
}

/// A connection's registration in the hub. Dropping it removes the connection from the hub and from all its channels.
pub struct Registration {
    hub: Rc<Hub>,
    key: ConnKey,
    outbox: Rc<Outbox>,
    _task: OpenTask,
}

impl Registration {
    /// The hub that holds the connection.
    pub fn hub(&self) -> &Rc<Hub> {
        &self.hub
    }

    /// The connection's key in the hub.
    pub fn key(&self) -> ConnKey {
        self.key
    }

    /// The connection's outbox.
    pub fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.hub.remove(self.key);
    }
}

/// The wall clock, in microseconds since 1970.
fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros() as u64
}
