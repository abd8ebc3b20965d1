//! A simulated node: the real task of an owner, and a consumer.

use super::{
    flaw::QueueFlaw,
    ledger::{End, Nature, VISIBILITY},
    plan::Shape,
    server::Server,
    situations::Situation,
    wire::{First, SimulatedStore},
};
use crate::{
    queues::{Delivery, OwnerConfig, PartitionHandles, own},
    simulation::wake_flag::WakeFlag,
};
use gateway_core::{
    model::lock,
    queue::{
        PartitionId, QueueName,
        owner::{OwnerLimits, Report, Ticket},
    },
};
use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Waker},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

/// See the module.
pub(super) struct Node {
    name: String,
    shape: Shape,
    flaw: Option<QueueFlaw>,
    pub(super) store: Arc<SimulatedStore>,
    handles: PartitionHandles,
    task: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    flag: Arc<WakeFlag>,
    preferred: watch::Sender<bool>,
    stop: CancellationToken,
    pub(super) is_frozen: bool,
    pub(super) is_absent: bool,
    /// What the consumer works at.
    held: Vec<Held>,
    pub(super) reached: BTreeSet<Situation>,
}

/// A delivery that a consumer has.
#[derive(Clone, Copy)]
struct Held {
    ticket: Ticket,
    event: usize,
    /// Which delivery of the event it is.
    write: usize,
}

impl Node {
    pub(super) fn new(name: &str, shape: Shape, flaw: Option<QueueFlaw>, server: Arc<Mutex<Server>>, arrival: Arc<Notify>) -> Self {
        let first = if flaw == Some(QueueFlaw::SkipsFirstUnanswered) { First::Unknown } else { First::Known };
        let store = Arc::new(SimulatedStore::new(server, arrival, first));
        let (preferred, receiver) = watch::channel(false);
        let stop = CancellationToken::new();
        let (handles, task) = own(store.clone(), partition(), config(name, &shape), receiver, stop.clone());
        Self {
            name: name.to_owned(),
            shape,
            flaw,
            store,
            handles,
            task: Some(Box::pin(task)),
            flag: WakeFlag::new(),
            preferred,
            stop,
            is_frozen: false,
            is_absent: false,
            held: Vec::new(),
            reached: BTreeSet::new(),
        }
    }

    /// Polls the task. Returns whether there was anything to do.
    pub(super) fn poll(&mut self) -> bool {
        if self.is_frozen || !self.flag.take() {
            return false;
        }
        let Some(task) = &mut self.task else { return false };
        let waker = Waker::from(self.flag.clone());
        if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            self.task = None;
        }
        true
    }

    /// The process dies, and begins again.
    pub(super) fn restart(&mut self) {
        let preferred = *self.preferred.borrow();
        let (server, arrival) = (self.store.server.clone(), self.store.arrival.clone());
        let wire = std::mem::take(&mut *lock(&self.store.wire));
        let reached = std::mem::take(&mut self.reached);
        *self = Self { reached, ..Self::new(&self.name.clone(), self.shape, self.flaw, server, arrival) };
        *lock(&self.store.wire) = wire;
        lock(&self.store.wire).cut();
        self.prefer(preferred);
    }

    pub(super) fn prefer(&self, preferred: bool) {
        self.preferred.send_replace(preferred);
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Whether it has stopped.
    pub(super) fn has_stopped(&self) -> bool {
        self.task.is_none()
    }

    fn server<R>(&self, act: impl FnOnce(&mut Server) -> R) -> R {
        act(&mut lock(&self.store.server))
    }

    /// The consumer takes a delivery.
    pub(super) fn consume(&mut self) -> bool {
        if self.is_frozen || self.handles.reports.capacity() < 2 {
            return false;
        }
        let Ok(delivery) = self.handles.deliveries.try_recv() else { return false };
        let Delivery { ticket, ref id, expires, .. } = delivery;
        let event: usize = id.strip_prefix('e').and_then(|number| number.parse().ok()).unwrap_or(usize::MAX);
        let may_write = self.handles.guard.allows(ticket) || self.flaw == Some(QueueFlaw::IgnoresGuard);
        let is_late = expires.is_some_and(|expires| Instant::now() >= expires) && self.flaw != Some(QueueFlaw::IgnoresExpiry);
        if !may_write || is_late || self.is_absent {
            let situation = if self.is_absent { Situation::Absent } else { Situation::TakenBack };
            self.reached.insert(situation);
            self.server(|server| server.ledger.not_sent(event));
            let is_wrong = self.is_absent && self.flaw == Some(QueueFlaw::AbsenceIsTry);
            self.report(ticket, if is_wrong { Report::Lost } else { Report::NotSent });
            return true;
        }
        let name = self.name.clone();
        let write = self.server(|server| {
            if server.owner_node() != Some(&name) {
                server.ledger.wrong(format!("{name} delivered event {event} without owning the partition"));
            }
            let now_ms = server.now_ms();
            server.ledger.written(event, Instant::now(), now_ms)
        });
        self.report(ticket, Report::Sent);
        self.held.push(Held { ticket, event, write });
        if self.flaw == Some(QueueFlaw::AcknowledgesEarly) {
            self.report(ticket, Report::Done);
        }
        true
    }

    fn report(&self, ticket: Ticket, report: Report) {
        let _ = self.handles.reports.try_send((ticket, report));
    }

    /// The consumer reports about a delivery that it has.
    pub(super) fn finish(&mut self, which: usize, end: End) -> bool {
        if self.held.is_empty() || self.is_frozen || self.handles.reports.capacity() < 2 {
            return false;
        }
        let Held { ticket, event, write } = self.held.remove(which % self.held.len());
        self.server(|server| server.ledger.ended(event, write, end, Instant::now()));
        let failed = |temporary| Report::Failed { temporary, retry_after: None, detail: "it failed".into() };
        self.report(
            ticket,
            match end {
                End::Done => Report::Done,
                End::Failed => failed(true),
                End::Refused => failed(false),
                End::Lost => Report::Lost,
            },
        );
        true
    }

    /// How the delivery ends that the consumer finishes next.
    pub(super) fn end(&self, which: usize, amount: usize, is_healthy: bool) -> End {
        let Some(held) = self.held.get(which % self.held.len().max(1)) else { return End::Done };
        let nature = self.server(|server| server.ledger.events[held.event].nature);
        match (nature, amount % 12) {
            (_, 0) => End::Lost,
            (_, 1) => End::Refused,
            (Nature::Poison, _) if !is_healthy => End::Failed,
            (_, 2 | 3) => End::Failed,
            _ => End::Done,
        }
    }

    /// The consumer's link breaks, with all that it has.
    pub(super) fn kill_consumer(&mut self) -> bool {
        let any = !self.held.is_empty();
        while self.finish(0, End::Lost) {}
        any
    }

    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }
}

fn partition() -> PartitionId {
    PartitionId { queue: QueueName::Service("simulated".parse().expect("a valid name")), partition: 0 }
}

fn config(name: &str, shape: &Shape) -> OwnerConfig {
    OwnerConfig {
        node: name.into(),
        limits: OwnerLimits {
            tries: shape.tries,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(8),
            visibility: VISIBILITY,
            window: shape.window,
            window_bytes: shape.window_bytes,
            blocked_ids: shape.blocked_ids,
            entry_bytes: 100,
        },
    }
}
