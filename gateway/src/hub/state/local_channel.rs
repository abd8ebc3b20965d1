//! One channel on one worker: its feed, its members, and its pending deliveries.

use super::{
    by_connection::ByConnection,
    deliveries::{
        fan_out::{Content, FanOut},
        fork::ForkTransition,
        recent::{Recent, Room},
    },
    members::Members,
    queues::resubscribe_queue::Resubscribe,
    terms::Terms,
};
use crate::{
    broker::Announcement,
    hub::{keys::ChannelKey, limits::HubLimits},
};
use gateway_core::{
    channel::{
        ChannelOptions, TagsFilter,
        feed::{EpochChange, Feed},
    },
    model::{ChannelName, PageLimit, Position, Publication, SubscriptionSide, Tick},
    protocol::DeliveryForm,
};
use std::{collections::VecDeque, sync::Arc, time::Duration};

/// One channel on one worker.
pub(crate) struct LocalChannel {
    pub(crate) name: ChannelName,
    /// Distinguishes this channel from earlier ones of this worker. It is also the channel's name in compact pushes. Never reused; begins at 1.
    pub(crate) number: u64,
    pub(crate) options: Arc<ChannelOptions>,
    pub(crate) feed: Feed,
    pub(crate) members: Members<Member>,
    /// Number of attaching connections.
    pub(crate) attaching: u32,
    /// Number of ended subscriptions whose clients are expected to subscribe again.
    pub(crate) awaiting_resubscribe: u32,
    /// The newest publications.
    pub(crate) recent: Recent,
    /// Since when no subscription needs the channel. It is kept for clients that return soon.
    pub(crate) unused_since: Option<Tick>,
    pub(crate) pending: VecDeque<PendingDelivery>,
    /// What few channels need.
    pub(crate) rare: Option<Box<RareParts>>,
    /// Number of the feed's present timeline. It counts forks and losses, and wraps around.
    pub(crate) timeline: u16,
    /// Number of the newest timeline that all members have entered.
    pub(crate) members_timeline: u16,
    pub(crate) fan_out: Option<Box<FanOut>>,
    /// Whether the channel is in the worker's fan-out queue.
    pub(crate) is_queued: bool,
    /// Whether the channel has a wake-up in [`State::channel_wheel`](super::table::State::channel_wheel).
    pub(crate) has_wake_up: bool,
}

/// The parts of a channel that few channels need.
#[derive(Default)]
pub(crate) struct RareParts {
    /// The last publication of the last fan-out, where the channel has deltas.
    pub(crate) last_delivery: Option<Arc<Publication>>,
    pub(crate) filters: ByConnection<Arc<TagsFilter>>,
    /// How deliveries are written for connections without the Centrifuge protocol.
    pub(crate) forms: ByConnection<DeliveryForm>,
}

/// A live subscription.
#[derive(Debug)]
pub(crate) struct Member {
    /// The connection's index in the hub. A connection removes its members before it gives its index back.
    pub(crate) connection: u32,
    /// Number of the newest timeline that the member has entered.
    pub(crate) timeline: u16,
    pub(crate) terms: Terms,
    pub(crate) state: MemberState,
    /// The client had everything up to this offset when it went live.
    pub(crate) start_offset: u64,
}

/// The kind of a live subscription, or its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberState {
    /// Client-side.
    Client {
        /// Whether the client has the channel's last delivery, so that the next one may be a delta to it.
        has_last_delivery: bool,
    },
    /// Server-side.
    Server,
    /// The subscription receives no more deliveries. Its client has to subscribe again.
    Ended,
}

impl From<SubscriptionSide> for MemberState {
    fn from(side: SubscriptionSide) -> Self {
        match side {
            SubscriptionSide::Client => Self::Client { has_last_delivery: false },
            SubscriptionSide::Server => Self::Server,
        }
    }
}

/// A delivery that is in no batch yet.
pub(crate) enum PendingDelivery {
    Publication(Arc<Publication>),
    Announcement(Announcement),
    Fork(ForkTransition),
}

impl Member {
    /// Ends the subscription. Returns `None` if it had already ended.
    pub(crate) fn end(&mut self, local_channel: ChannelKey, channel_number: u64) -> Option<Resubscribe> {
        let before = std::mem::replace(&mut self.state, MemberState::Ended);
        (before != MemberState::Ended).then_some(Resubscribe { connection: self.connection, local_channel, channel_number })
    }
}

impl LocalChannel {
    pub(crate) fn new(name: ChannelName, number: u64, options: Arc<ChannelOptions>, feed: Feed, recent: Recent) -> Self {
        Self {
            name,
            number,
            options,
            feed,
            members: Members::default(),
            attaching: 0,
            awaiting_resubscribe: 0,
            recent,
            unused_since: None,
            pending: VecDeque::new(),
            rare: None,
            timeline: 0,
            members_timeline: 0,
            fan_out: None,
            is_queued: false,
            has_wake_up: false,
        }
    }

    /// The parts that few channels need.
    pub(crate) fn rare(&mut self) -> &mut RareParts {
        self.rare.get_or_insert_default()
    }

    /// The filter of a connection's subscription.
    pub(crate) fn filter(&self, connection: u32) -> Option<&Arc<TagsFilter>> {
        self.rare.as_ref()?.filters.get(connection)
    }

    /// How deliveries are written for a connection without the Centrifuge protocol.
    pub(crate) fn form(&self, connection: u32) -> Option<&DeliveryForm> {
        self.rare.as_ref()?.forms.get(connection)
    }

    /// Removes what the channel kept for a subscription with these terms.
    pub(crate) fn forget_rare(&mut self, connection: u32, terms: Terms) {
        let Some(rare) = &mut self.rare else { return };
        if terms.has_filter() {
            rare.filters.remove(connection);
        }
        if terms.has_form() {
            rare.forms.remove(connection);
        }
    }

    /// Whether no subscription of this worker needs the channel.
    pub(crate) fn is_unused(&self) -> bool {
        self.attaching == 0 && self.awaiting_resubscribe == 0 && self.members.is_empty()
    }

    /// Whether a batch or a delivery is pending.
    pub(crate) fn has_work(&self) -> bool {
        self.fan_out.is_some() || !self.pending.is_empty()
    }

    /// Whether a connection attaches, or has to subscribe again, or has not passed the newest fork. It needs the recent publications.
    fn needs_recent(&self) -> bool {
        self.attaching > 0 || self.awaiting_resubscribe > 0 || self.members_timeline != self.timeline
    }

    /// Queues a publication for the members. Keeps it among the recent publications if a connection needs them or may return for them.
    pub(crate) fn deliver(&mut self, publication: Arc<Publication>, now: Tick, limits: &HubLimits) {
        let is_needed = self.needs_recent();
        if publication.position.is_some() && (is_needed || !limits.memory.time.is_zero()) {
            let kept = self.options.retention.map_or(0, |retention| retention.size as usize);
            let room = if is_needed {
                Room { entries: limits.attach_buffer, bytes: None }
            } else {
                Room { entries: limits.attach_buffer.min(kept), bytes: Some(limits.memory.bytes) }
            };
            self.recent.push(now, publication.clone(), room);
        }
        if !self.members.is_empty() {
            self.pending.push_back(PendingDelivery::Publication(publication));
        }
    }

    /// Queues a join or leave.
    pub(crate) fn announce(&mut self, announcement: Announcement) {
        if !self.members.is_empty() {
            self.pending.push_back(PendingDelivery::Announcement(announcement));
        }
    }

    /// The publications after `offset`, up to the feed's position. `None` if some of them are not kept, or if all together exceed `limit`.
    pub(crate) fn recent_after(&self, offset: u64, limit: PageLimit) -> Option<Vec<Arc<Publication>>> {
        let newest = self.feed.position().map_or(0, |position| position.offset);
        if newest <= offset {
            return Some(Vec::new());
        }
        self.recent.after(offset, newest, limit)
    }

    /// The position up to which the member at `index` has everything. `None`: there is none, or a fork is on its way to the member.
    pub(crate) fn delivered_to(&self, index: usize) -> Option<Position> {
        let (position, member) = (self.feed.position()?, self.members.get(index)?);
        let awaited = self.fan_out.as_deref().filter(|_| self.members.awaits_batch(index));
        let is_fork = |it: &PendingDelivery| matches!(it, PendingDelivery::Fork(_));
        if member.state == MemberState::Ended
            || awaited.is_some_and(|fan_out| matches!(fan_out.content, Content::Fork(_)))
            || self.pending.iter().any(is_fork)
        {
            return None;
        }
        let first_pending = self.pending.iter().find_map(|it| match it {
            PendingDelivery::Publication(publication) => publication.position.map(|at| at.offset),
            PendingDelivery::Announcement(_) | PendingDelivery::Fork(_) => None,
        });
        let next = awaited.and_then(FanOut::first_offset).or(first_pending);
        let offset = next.map_or(position.offset, |next| next.saturating_sub(1));
        Some(Position { offset: offset.max(member.start_offset), ..position })
    }

    /// Ends the attach of one connection.
    pub(crate) fn finish_attach(&mut self) {
        self.attaching -= 1;
    }

    /// Records that all members have entered the timeline of this fork.
    pub(crate) fn finish_fork_transition(&mut self, transition: &ForkTransition) {
        if transition.is_after(self.members_timeline) {
            self.members_timeline = transition.timeline;
        }
    }

    /// How long recent publications are kept where the worker keeps them for `time`: not longer than the history keeps them.
    pub(crate) fn recent_time(&self, time: Duration) -> Duration {
        self.options.retention.map_or(time, |retention| retention.ttl.min(time))
    }

    /// Forgets recent publications that are older than `time` or the history allows, unless a connection needs them.
    pub(crate) fn forget_recent(&mut self, now: Tick, time: Duration) {
        if !self.needs_recent() {
            self.recent.forget(Tick(now.0.saturating_sub(self.recent_time(time).as_millis() as u64)));
        }
    }

    /// Removes consecutive deliveries of one kind from the queue, of about `bytes` bytes.
    pub(crate) fn next_run(&mut self, bytes: usize) -> Option<Content> {
        let mut size = 0;
        match self.pending.front()? {
            PendingDelivery::Publication(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(PendingDelivery::Publication(next)) =
                        self.pending.pop_front_if(|next| matches!(next, PendingDelivery::Publication(_)))
                    else {
                        break;
                    };
                    size += next.size();
                    run.push(next);
                }
                Some(Content::Publications(run))
            }
            PendingDelivery::Announcement(_) => {
                let mut run = Vec::new();
                while size < bytes {
                    let Some(PendingDelivery::Announcement(next)) =
                        self.pending.pop_front_if(|next| matches!(next, PendingDelivery::Announcement(_)))
                    else {
                        break;
                    };
                    size += ANNOUNCEMENT_BYTES;
                    run.push(next);
                }
                Some(Content::Announcements(run))
            }
            PendingDelivery::Fork(transition) => {
                let transition = *transition;
                self.pending.pop_front();
                Some(Content::Fork(transition))
            }
        }
    }

    /// Queues a fork behind the pending deliveries.
    pub(crate) fn queue_fork(&mut self, change: EpochChange) {
        self.timeline = self.timeline.wrapping_add(1);
        self.pending.push_back(PendingDelivery::Fork(ForkTransition { change, timeline: self.timeline }));
    }

    /// Ends every live subscription. They receive no more deliveries, so that the positions of their clients do not change.
    pub(crate) fn end_subscriptions(&mut self, key: ChannelKey) -> Vec<Resubscribe> {
        // The offsets of these deliveries may name other publications in the next timeline.
        self.pending.clear();
        self.recent.clear();
        self.timeline = self.timeline.wrapping_add(1);
        self.members_timeline = self.timeline;
        let number = self.number;
        let ended: Vec<_> = self.members.iter_mut().filter_map(|member| member.end(key, number)).collect();
        self.awaiting_resubscribe += ended.len() as u32;
        ended
    }
}

/// Approximate encoded size of a join, in bytes.
const ANNOUNCEMENT_BYTES: usize = 256;
