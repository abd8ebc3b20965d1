//! One instance of a service, as its link registered it.

use super::{
    super::{
        call_types::CallResult,
        lifecycle::{event::Lifecycle, kinds::Interests},
        queued::delivery::in_hand::InHand,
    },
    breaker::{Breaker, BreakerState, Role},
    latency::{Latencies, LatencySummary},
};
use gateway_core::model::Tick;
use shared_proto::link::{Event, ToService};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Identifies a link within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LinkId(pub(super) u64);

/// A message that waits to be written to a link.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Frame(ToService),
    /// A lifecycle event. It is encoded only when it is written, so that an unwritten one can go to another link.
    Lifecycle(Lifecycle),
    /// An event from a queue, with its id. The pool has its delivery, and says whether it may still be written.
    Queued(Box<Event>),
    Ping,
    Pong(bytes::Bytes),
}

/// A link after its hello.
pub(crate) struct NewLink {
    pub(crate) instance: Arc<str>,
    pub(crate) credit: u32,
    pub(crate) interests: Interests,
    pub(crate) queue: mpsc::Sender<Outgoing>,
    /// Cancelled when another link of the same instance takes over.
    pub(crate) replaced: CancellationToken,
}

/// Identifies a call in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CallId {
    pub(crate) link: LinkId,
    pub(crate) id: u64,
}

/// Why a caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbandonReason {
    /// The deadline passed.
    Deadline,
    /// The caller left.
    Cancelled,
}

/// Maximum credit of an instance.
pub(crate) const CREDIT_MAX: u32 = 1 << 16;

/// Number of deliveries of one instance from which on it is worth looking for old ones.
pub(super) const MANY: usize = 256;

/// How much of an instance's credit an event may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CreditUse {
    /// All credit.
    All,
    /// Only the credit above half of the amount in `hello`, so that many events leave credit for calls.
    AboveReserve,
}

/// Result of a lifecycle event at a service that wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offered {
    /// It is queued for an instance.
    Sent,
    /// The chosen instance has no credit or a full queue.
    NoCredit,
    /// No interested instance is running.
    NoInstance,
    /// It waits in the queue of the service.
    Waiting,
    /// The queue of the service is full.
    QueueFull,
}

pub(crate) struct Pending {
    pub(crate) answer: oneshot::Sender<CallResult>,
    pub(crate) role: Role,
}

pub(crate) struct Instance {
    pub(crate) name: Arc<str>,
    pub(crate) link: LinkId,
    pub(crate) queue: mpsc::Sender<Outgoing>,
    pub(crate) replaced: CancellationToken,
    pub(crate) credit: u32,
    /// Credit that events with [`CreditUse::AboveReserve`] leave for calls.
    pub(crate) reserve: u32,
    pub(crate) interests: Interests,
    /// It announced that it will leave.
    pub(crate) leaving: bool,
    /// An operator drains it.
    pub(crate) drained: bool,
    pub(crate) breaker: Breaker,
    pub(crate) pending: HashMap<u64, Pending>,
    pub(crate) last_call: u64,
    pub(crate) latencies: Latencies,
    /// Deliveries of a queue that wait to be written or acknowledged, by the id of the event.
    pub(crate) in_hand: BTreeMap<Box<str>, InHand>,
    /// Number of them from which on it is worth looking for old ones.
    pub(crate) look_for_old: usize,
}

/// One instance, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSummary {
    /// Its name.
    pub instance: Arc<str>,
    /// Calls in flight.
    pub in_flight: usize,
    /// Calls and events that it accepts now.
    pub credit: u32,
    /// Whether it announced that it will leave, or an operator drains it. It gets no new calls and events.
    pub draining: bool,
    /// See [`BreakerState`].
    pub breaker: BreakerState,
    /// Its calls of the last minute; None without any.
    pub latency: Option<LatencySummary>,
}

impl Instance {
    /// Whether it gets no new calls and events.
    pub(crate) fn is_draining(&self) -> bool {
        self.leaving || self.drained
    }

    pub(crate) fn has_credit(&self, credit_use: CreditUse) -> bool {
        self.credit > if credit_use == CreditUse::AboveReserve { self.reserve } else { 0 }
    }

    pub(crate) fn push(&mut self, credit_use: CreditUse, event: impl FnOnce() -> Outgoing) -> bool {
        let sent = self.has_credit(credit_use) && self.queue.try_send(event()).is_ok();
        self.credit -= u32::from(sent);
        sent
    }

    /// Calls and deliveries that it has.
    pub(crate) fn load(&self) -> usize {
        self.pending.len() + self.in_hand.len()
    }

    pub(crate) fn summary(&self, now: Tick) -> InstanceSummary {
        InstanceSummary {
            instance: Arc::clone(&self.name),
            in_flight: self.pending.len(),
            credit: self.credit,
            draining: self.is_draining(),
            breaker: self.breaker.state(now),
            latency: self.latencies.summary(now),
        }
    }
}
