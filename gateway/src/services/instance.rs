//! One instance of a service, as its link described it.

use super::{
    breaker::{Breaker, BreakerState, Role},
    call_types::Answer,
    lifecycle::Interests,
};
use gateway_core::model::Tick;
use shared_proto::link::{Event, ToService};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// One link among those of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkId(pub(super) u64);

/// What waits to be written to a link.
#[derive(Debug)]
pub(super) enum Queued {
    Frame(ToService),
    Ping,
    Pong(bytes::Bytes),
}

/// A link that said hello.
pub(super) struct Joining {
    pub(super) instance: Arc<str>,
    pub(super) credit: u32,
    pub(super) interests: Interests,
    pub(super) queue: mpsc::Sender<Queued>,
    /// Cancelled when another link of the same instance takes over.
    pub(super) replaced: CancellationToken,
}

/// Names a call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CallId {
    pub(super) link: LinkId,
    pub(super) id: u64,
}

/// Why a caller no longer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// No answer came in time.
    Deadline,
    /// The caller went away.
    Cancelled,
}

/// Credit that an instance may hold, in all.
pub(super) const CREDIT_MAX: u32 = 1 << 16;

/// How much of its credit an instance is sent something for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spend {
    /// All of it.
    All,
    /// What is above half of what it gave with `hello`: what comes in a crowd leaves room for calls.
    Spare,
}

/// What became of a lifecycle event at a service that asks for it, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// An instance is sent it.
    Sent,
    /// The instance that should get it has no room.
    Full,
    /// None that asked for it is there.
    Away,
}

pub(super) struct Pending {
    pub(super) answer: oneshot::Sender<Answer>,
    pub(super) role: Role,
}

pub(super) struct Instance {
    pub(super) name: Arc<str>,
    pub(super) link: LinkId,
    pub(super) queue: mpsc::Sender<Queued>,
    pub(super) replaced: CancellationToken,
    pub(super) credit: u32,
    /// Credit that it leaves to calls.
    pub(super) reserve: u32,
    pub(super) interests: Interests,
    pub(super) draining: bool,
    pub(super) breaker: Breaker,
    pub(super) pending: HashMap<u64, Pending>,
    pub(super) last_call: u64,
}

/// One instance as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSummary {
    /// Its name.
    pub instance: Arc<str>,
    /// Calls under way.
    pub in_flight: usize,
    /// Calls and events that it may still be sent.
    pub credit: u32,
    /// Whether it said that it is about to leave.
    pub draining: bool,
    /// See [`BreakerState`].
    pub breaker: BreakerState,
}

impl Instance {
    pub(super) fn push(&mut self, spend: Spend, event: impl FnOnce() -> Event) -> bool {
        let keep = if spend == Spend::Spare { self.reserve } else { 0 };
        let sent = self.credit > keep && self.queue.try_send(Queued::Frame(ToService::Event(event()))).is_ok();
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
