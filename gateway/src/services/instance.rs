//! One instance of a service, as its link registered it.

use super::{
    breaker::{Breaker, BreakerState, Role},
    call_types::CallResult,
    lifecycle::Interests,
};
use gateway_core::model::Tick;
use shared_proto::link::{Event, ToService};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Identifies a link within its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId(pub(super) u64);

/// A message that waits to be written to a link.
#[derive(Debug)]
pub(super) enum Outgoing {
    Frame(ToService),
    Ping,
    Pong(bytes::Bytes),
}

/// A link after its hello.
pub(super) struct NewLink {
    pub(super) instance: Arc<str>,
    pub(super) credit: u32,
    pub(super) interests: Interests,
    pub(super) queue: mpsc::Sender<Outgoing>,
    /// Cancelled when another link of the same instance takes over.
    pub(super) replaced: CancellationToken,
}

/// Identifies a call in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallId {
    pub(super) link: LinkId,
    pub(super) id: u64,
}

/// Why a caller stopped waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AbandonReason {
    /// The deadline passed.
    Deadline,
    /// The caller left.
    Cancelled,
}

/// Largest credit of an instance.
pub(super) const CREDIT_MAX: u32 = 1 << 16;

/// How much of an instance's credit an event may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CreditUse {
    /// All credit.
    All,
    /// Only credit above half of what `hello` granted: events that come in large numbers leave room for calls.
    AboveReserve,
}

/// Result of a lifecycle event at a service that wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It is queued for an instance.
    Sent,
    /// The chosen instance has no credit or a full queue.
    NoCredit,
    /// No instance that wants it is running.
    NoInstance,
}

pub(super) struct Pending {
    pub(super) answer: oneshot::Sender<CallResult>,
    pub(super) role: Role,
}

pub(super) struct Instance {
    pub(super) name: Arc<str>,
    pub(super) link: LinkId,
    pub(super) queue: mpsc::Sender<Outgoing>,
    pub(super) replaced: CancellationToken,
    pub(super) credit: u32,
    /// Credit that events with [`CreditUse::AboveReserve`] leave for calls.
    pub(super) reserve: u32,
    pub(super) interests: Interests,
    pub(super) draining: bool,
    pub(super) breaker: Breaker,
    pub(super) pending: HashMap<u64, Pending>,
    pub(super) last_call: u64,
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
    /// Whether it announced that it will leave.
    pub draining: bool,
    /// See [`BreakerState`].
    pub breaker: BreakerState,
}

impl Instance {
    pub(super) fn push(&mut self, credit_use: CreditUse, event: impl FnOnce() -> Event) -> bool {
        let keep = if credit_use == CreditUse::AboveReserve { self.reserve } else { 0 };
        let sent = self.credit > keep && self.queue.try_send(Outgoing::Frame(ToService::Event(event()))).is_ok();
        self.credit -= u32::from(sent);
        sent
    }

    pub(super) fn summary(&self, now: Tick) -> InstanceSummary {
        InstanceSummary {
            instance: Arc::clone(&self.name),
            in_flight: self.pending.len(),
            credit: self.credit,
            draining: self.draining,
            breaker: self.breaker.state(now),
        }
    }
}
