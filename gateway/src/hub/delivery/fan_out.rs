//! Moves deliveries from the channels to the outboxes, and applies the slow-consumer policy when an outbox is full. Pending deliveries of a
//! channel become one batch. Each turn delivers the batch to some of the subscribers.

use crate::{
    hub::{
        hub::Hub,
        keys::ChannelKey,
        output::{
            batch::{Batch, Budget},
            encode,
            outbox::{Overflow, PushError},
        },
        state::{
            entry::Entry,
            local_channel::{Content, DeliveryRun, FanOut, LocalChannel, Member, MemberState},
            table::State,
        },
    },
    telemetry::{Count, DropCause, OverflowPolicy, SpanKind, TraceSpan},
};
use gateway_core::{channel::SlowConsumer, model::Tick};
use slab::Slab;
use std::rc::Rc;

impl Hub {
    /// Gives queued channels one turn each, until the turns have reached one slice of subscribers.
    pub(crate) fn fan_out_turn(&self) {
        let now = self.now();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut left = self.parts.limits.slice;
        let mut turns = state.fan_out_queue.len();
        while left > 0 && turns > 0 {
            let Some(key) = state.fan_out_queue.pop_front() else { break };
            let served = self.fan_out_channel(state, key, left, now);
            left -= served.min(left);
            turns -= 1;
        }
    }

    /// Runs one turn of one channel. Returns the number of subscribers that it reached, at least 1.
    fn fan_out_channel(&self, state: &mut State, key: ChannelKey, size: usize, now: Tick) -> usize {
        let Some(local_channel) = state.local_channels.get_mut(key.index()) else { return 1 };
        local_channel.is_queued = false;
        if local_channel.fan_out.is_none() {
            let before = local_channel.pending.len();
            local_channel.begin_batch(self.parts.limits.batch_bytes, &self.budget);
            state.pending -= before - local_channel.pending.len();
            self.parts.metrics.count(Count::FanOutBatches, 1);
        }
        let Some(mut fan_out) = local_channel.fan_out.take() else { return 1 };
        let turn = FanOutTurn {
            hub: self,
            slow: local_channel.options.slow_consumer,
            key,
            generation: local_channel.generation,
            now,
            name: local_channel.name.clone(),
        };
        let members = local_channel.members.slice(size);
        let served = members.len();
        if let Content::Fork(transition) = &fan_out.content {
            let ended = turn.apply_fork(&fan_out.batch, transition, members, &state.connections);
            local_channel.awaiting_resubscribe += ended.len() as u32;
            self.resubscribe_queue.extend(ended);
        } else {
            let delivered: usize = members.iter().map(|member| turn.deliver_to(&mut fan_out, member, &state.connections)).sum();
            self.parts.metrics.count(Count::Deliveries, delivered as u64);
        }
        if served == 0 {
            if let Content::Fork(transition) = &fan_out.content {
                local_channel.finish_fork_transition(transition);
            }
            self.batch_done.notify_waiters();
        } else {
            local_channel.fan_out = Some(fan_out);
        }
        state.queue_fan_out(key);
        served.max(1)
    }
}

impl LocalChannel {
    /// Makes the next pending deliveries into a batch for all present members.
    fn begin_batch(&mut self, bytes: usize, budget: &Rc<Budget>) {
        let (count, encoded, content) = match self.next_run(bytes) {
            None => return,
            Some(DeliveryRun::Publications(all)) => (all.len(), encode::publications(&self.name, &all), Content::Publications(all)),
            Some(DeliveryRun::Announcements(all)) => (all.len(), encode::announcements(&self.name, all), Content::Announcements),
            Some(DeliveryRun::Fork(transition)) => (0, encode::position(&self.name, transition.position()), Content::Fork(transition)),
        };
        self.members.begin_fan_out();
        let causes = match &content {
            Content::Publications(all) => &all[..],
            Content::Announcements | Content::Fork(_) => &[],
        };
        let step = TraceSpan::after(SpanKind::Deliver, causes.iter().filter_map(|cause| cause.traceparent.as_deref()?.parse().ok()));
        self.fan_out = Some(Box::new(FanOut { batch: Batch::with_deliveries(count, encoded, budget), content, newest: None, _step: step }));
    }
}

/// One turn of one channel in the fan-out.
pub(crate) struct FanOutTurn<'a> {
    pub(crate) hub: &'a Hub,
    slow: SlowConsumer,
    pub(crate) key: ChannelKey,
    pub(crate) generation: u32,
    pub(crate) now: Tick,
    pub(crate) name: gateway_core::model::ChannelName,
}

impl FanOutTurn<'_> {
    /// Queues the batch for a member, without the publications that it already has. Returns the number of deliveries that its outbox took.
    fn deliver_to(&self, fan_out: &mut FanOut, member: &Member, connections: &Slab<Entry>) -> usize {
        if member.state == MemberState::Ended {
            return 0;
        }
        let Some(entry) = connections.get(member.connection as usize) else { return 0 };
        if matches!(fan_out.content, Content::Announcements) && !member.join_leave {
            return 0;
        }
        let batch = if fan_out.first_offset().is_some_and(|first| member.start_offset >= first) {
            let lacking = fan_out.publications_after(member.start_offset);
            if lacking.is_empty() {
                return 0;
            }
            Batch::with_deliveries(lacking.len(), encode::publications(&self.name, &lacking), self.hub.budget())
        } else {
            fan_out.batch.clone()
        };
        let count = batch.deliveries();
        match entry.outbox.push_channel(self.now, batch, self.key) {
            Ok(()) => count,
            Err(PushError::Full(overflow)) => self.overflow(fan_out, entry, count, overflow),
            Err(PushError::Closed) => self.dropped(PushError::Closed, count),
        }
    }

    /// Applies the namespace's policy for slow consumers. Returns the number of deliveries that the outbox took.
    fn overflow(&self, fan_out: &mut FanOut, entry: &Entry, count: usize, overflow: Overflow) -> usize {
        if let (SlowConsumer::Latest, Content::Publications(all)) = (self.slow, &fan_out.content) {
            let metrics = &self.hub.parts.metrics;
            metrics.overflowed(OverflowPolicy::Latest);
            metrics.dropped(DropCause::OutboxReplaced, entry.outbox.drop_channel(self.key) as u64);
            let newest = fan_out.newest.get_or_insert_with(|| {
                let newest = &all[all.len().saturating_sub(1)..];
                Batch::with_deliveries(newest.len(), encode::publications(&self.name, newest), self.hub.budget())
            });
            if entry.outbox.push_channel(self.now, newest.clone(), self.key).is_ok() {
                metrics.dropped(DropCause::OutboxReplaced, count as u64 - 1);
                return 1;
            }
        }
        entry.outbox.mark_overflowed(overflow);
        self.dropped(PushError::Full(overflow), count)
    }

    fn dropped(&self, error: PushError, count: usize) -> usize {
        self.hub.parts.metrics.dropped(error.cause(), count as u64);
        0
    }
}
