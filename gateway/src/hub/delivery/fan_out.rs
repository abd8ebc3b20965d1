//! From the slots to the outboxes: all that waits becomes one batch, and each turn hands it to a slice of the subscribers.

use crate::{
    hub::{
        hub::Hub,
        keys::SlotKey,
        output::{
            batch::{Batch, Budget},
            encode,
            outbox::{Overflow, Refused},
        },
        state::{
            entry::Entry,
            slot::{Content, FanOut, Member, Role, Run, Slot},
            table::State,
        },
    },
    telemetry::{Count, DropCause, OverflowPolicy, SpanKind, TraceSpan},
};
use gateway_core::{channel::SlowConsumer, model::Tick};
use slab::Slab;
use std::rc::Rc;

impl Hub {
    /// Serves channels in line until a slice of subscribers has been served.
    pub(crate) fn fan_out_turn(&self) {
        let now = self.now();
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let mut left = self.parts.limits.slice;
        let mut turns = state.line.len();
        while left > 0 && turns > 0 {
            let Some(key) = state.line.pop_front() else { break };
            let served = self.serve(state, key, left, now);
            left -= served.min(left);
            turns -= 1;
        }
    }

    /// One turn of one channel. Answers how many subscribers it served, at least one.
    fn serve(&self, state: &mut State, key: SlotKey, size: usize, now: Tick) -> usize {
        let Some(slot) = state.slots.get_mut(key.index()) else { return 1 };
        slot.is_queued = false;
        if slot.fan_out.is_none() {
            let before = slot.pending.len();
            slot.begin(self.parts.limits.batch_bytes, &self.budget);
            state.pending -= before - slot.pending.len();
            self.parts.metrics.count(Count::FanOutBatches, 1);
        }
        let Some(mut fan_out) = slot.fan_out.take() else { return 1 };
        let delivery = Turn { hub: self, slow: slot.options.slow_consumer, key, life: slot.life, now, name: slot.name.clone() };
        let members = slot.members.slice(size);
        let served = members.len();
        if let Content::Fork(crossing) = &fan_out.content {
            let ended = delivery.cross(&fan_out.batch, crossing, members, &state.connections);
            slot.ended += ended.len() as u32;
            self.restarts.extend(ended);
        } else {
            let delivered: usize = members.iter().map(|member| delivery.hand(&mut fan_out, member, &state.connections)).sum();
            self.parts.metrics.count(Count::Deliveries, delivered as u64);
        }
        if served == 0 {
            if let Content::Fork(crossing) = &fan_out.content {
                slot.members_crossed(crossing);
            }
            self.served.notify_waiters();
        } else {
            slot.fan_out = Some(fan_out);
        }
        state.queue(key);
        served.max(1)
    }
}

impl Slot {
    /// Makes what waits into a batch for all who are members now.
    fn begin(&mut self, bytes: usize, budget: &Rc<Budget>) {
        let (count, encoded, content) = match self.next_run(bytes) {
            None => return,
            Some(Run::Publications(all)) => (all.len(), encode::publications(&self.name, &all), Content::Publications(all)),
            Some(Run::Announcements(all)) => (all.len(), encode::announcements(&self.name, all), Content::Announcements),
            Some(Run::Fork(crossing)) => (0, encode::position(&self.name, crossing.at()), Content::Fork(crossing)),
        };
        self.members.begin();
        let causes = match &content {
            Content::Publications(all) => &all[..],
            Content::Announcements | Content::Fork(_) => &[],
        };
        let step = TraceSpan::after(SpanKind::Deliver, causes.iter().filter_map(|cause| cause.traceparent.as_deref()?.parse().ok()));
        self.fan_out = Some(Box::new(FanOut { batch: Batch::of(count, encoded, budget), content, newest: None, _step: step }));
    }
}

/// One turn of one channel.
pub(crate) struct Turn<'a> {
    pub(crate) hub: &'a Hub,
    slow: SlowConsumer,
    pub(crate) key: SlotKey,
    pub(crate) life: u32,
    pub(crate) now: Tick,
    pub(crate) name: gateway_core::model::ChannelName,
}

impl Turn<'_> {
    /// Gives a member what it lacks of the batch. Answers how many deliveries its outbox took.
    fn hand(&self, fan_out: &mut FanOut, member: &Member, connections: &Slab<Entry>) -> usize {
        if member.role == Role::Ended {
            return 0;
        }
        let Some(entry) = connections.get(member.connection as usize) else { return 0 };
        if matches!(fan_out.content, Content::Announcements) && !member.join_leave {
            return 0;
        }
        let batch = if fan_out.first_offset().is_some_and(|first| member.joined >= first) {
            let lacking = fan_out.lacking(member.joined);
            if lacking.is_empty() {
                return 0;
            }
            Batch::of(lacking.len(), encode::publications(&self.name, &lacking), self.hub.budget())
        } else {
            fan_out.batch.clone()
        };
        let count = batch.deliveries();
        match entry.outbox.push_channel(self.now, batch, self.key) {
            Ok(()) => count,
            Err(Refused::Full(overflow)) => self.overflow(fan_out, entry, count, overflow),
            Err(Refused::Ended) => self.dropped(Refused::Ended, count),
        }
    }

    /// The namespace's policy for who reads too slowly.
    fn overflow(&self, fan_out: &mut FanOut, entry: &Entry, count: usize, overflow: Overflow) -> usize {
        if let (SlowConsumer::Latest, Content::Publications(all)) = (self.slow, &fan_out.content) {
            let metrics = &self.hub.parts.metrics;
            metrics.overflowed(OverflowPolicy::Latest);
            metrics.dropped(DropCause::OutboxReplaced, entry.outbox.drop_channel(self.key) as u64);
            let newest = fan_out.newest.get_or_insert_with(|| {
                let newest = &all[all.len().saturating_sub(1)..];
                Batch::of(newest.len(), encode::publications(&self.name, newest), self.hub.budget())
            });
            if entry.outbox.push_channel(self.now, newest.clone(), self.key).is_ok() {
                metrics.dropped(DropCause::OutboxReplaced, count as u64 - 1);
                return 1;
            }
        }
        entry.outbox.fail(overflow);
        self.dropped(Refused::Full(overflow), count)
    }

    fn dropped(&self, why: Refused, count: usize) -> usize {
        self.hub.parts.metrics.dropped(why.cause(), count as u64);
        0
    }
}
