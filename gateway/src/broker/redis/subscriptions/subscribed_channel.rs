//! The state of one channel in the table of subscriptions.

use crate::broker::redis::servers::topology::Master;
use gateway_core::model::{ChannelName, Position, Tick, WorkerSet};
use tokio::sync::oneshot;

/// A publication of this node that Redis acknowledged. Redis must also deliver it to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ExpectedDelivery {
    pub(super) deadline: Tick,
    /// The newest acknowledged position.
    pub(super) up_to: Position,
    /// The newest delivered position when the deadline was set.
    pub(super) delivered: Option<Position>,
}

/// The number of a channel's current subscription. Each new confirmation increases it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubscriptionNumber(pub(super) u64);

#[derive(Debug)]
pub(super) struct SubscribedChannel {
    /// The name that all deliveries of the channel share.
    pub(super) name: ChannelName,
    /// The master of the channel's slot, if one is known.
    pub(super) owner: Option<Master>,
    pub(super) workers: WorkerSet,
    /// Whether the channel has a history, from which workers can read lost publications.
    pub(super) has_history: bool,
    pub(super) stage: Stage,
    pub(super) waiters: Vec<oneshot::Sender<()>>,
    /// Whether publications may be lost, because a connection broke while the channel was subscribed, or because a delivery is missing.
    pub(super) interrupted: bool,
    pub(super) number: SubscriptionNumber,
    /// The newest delivered position.
    pub(super) delivered: Option<Position>,
    pub(super) expected: Option<ExpectedDelivery>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The listener must subscribe.
    ToSubscribe,
    /// The listener has sent the command and waits for the confirmation.
    Subscribing,
    /// Redis has confirmed the subscription of the current connection.
    Subscribed,
    /// Redis has confirmed the subscription but does not deliver. The listener must subscribe again.
    ToResubscribe,
    /// The channel is subscribed, but no worker needs it. The subscription ends only at this time, because a reloaded page subscribes again
    /// soon.
    UnsubscribeLater(Tick),
    /// The listener has sent the command to unsubscribe.
    Unsubscribing,
}

impl SubscribedChannel {
    pub(super) fn new(name: ChannelName, owner: Option<Master>, has_history: bool) -> Self {
        Self {
            name,
            owner,
            workers: WorkerSet::default(),
            has_history,
            stage: Stage::ToSubscribe,
            waiters: Vec::new(),
            interrupted: false,
            number: SubscriptionNumber(0),
            delivered: None,
            expected: None,
        }
    }

    pub(super) fn is_audited(&self) -> bool {
        self.has_history && self.stage == Stage::Subscribed
    }

    pub(super) fn has_delivered(&self, at: Position) -> bool {
        self.delivered.is_some_and(|delivered| delivered.epoch == at.epoch && delivered.offset >= at.offset)
    }

    pub(super) fn is(&self, owner: Master, stage: Stage) -> bool {
        (self.owner, self.stage) == (Some(owner), stage)
    }

    /// Whether the owner may have a subscription of this channel that the listener has not ended.
    pub(super) fn may_exist(&self) -> bool {
        matches!(self.stage, Stage::Subscribing | Stage::Subscribed | Stage::ToResubscribe | Stage::UnsubscribeLater(_))
    }

    /// Ends the subscription, in any stage. Returns whether a worker needs a new one.
    pub(super) fn interrupt(&mut self) -> bool {
        self.interrupted |= self.stage == Stage::Subscribed;
        self.stage = Stage::ToSubscribe;
        !self.workers.is_empty()
    }
}
