//! Moves deliveries from the channels to the outboxes, and applies the slow-consumer policy when an outbox is full. Pending deliveries of a
//! channel become one batch. Each turn delivers the batch to some of the subscribers.

use crate::{
    hub::{
        hub::Hub,
        keys::ChannelKey,
        output::{
            batch::Batch,
            encode::ChannelNames,
            outbox::{Overflow, PushError},
        },
        state::{
            deliveries::{
                fan_out::{Chain, Content, FanOut, publications},
                formed::Formed,
                selection::Selection,
            },
            entry::Entry,
            local_channel::{LocalChannel, Member, MemberState, RareParts},
            table::State,
        },
    },
    telemetry::{Count, DropCause, OverflowPolicy, SpanKind, TraceSpan},
};
use gateway_core::{
    channel::{DeltaOption, SlowConsumer, TagsFilter},
    model::Tick,
    protocol::DeliveryForm,
};
use slab::Slab;
use std::{cell::Cell, rc::Rc, sync::Arc};

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
            local_channel.begin_fan_out(self.parts.limits.batch_bytes, &self.last_message_number);
            state.pending -= before - local_channel.pending.len();
            self.parts.metrics.count(Count::FanOutBatches, 1);
        }
        let Some(mut fan_out) = local_channel.fan_out.take() else { return 1 };
        let turn = FanOutTurn {
            hub: self,
            slow: local_channel.options.slow_consumer,
            key,
            number: local_channel.number,
            now,
            name: local_channel.name.clone(),
            rare: local_channel.rare.as_deref(),
        };
        let members = local_channel.members.slice(size);
        let served = members.len();
        if let Content::Fork(transition) = fan_out.content {
            let ended = turn.apply_fork(&mut fan_out, transition, members, &state.connections);
            local_channel.awaiting_resubscribe += ended.len() as u32;
            self.resubscribe_queue.extend(ended);
        } else {
            let delivered: usize = members.iter_mut().map(|member| turn.deliver_to(&mut fan_out, member, &state.connections)).sum();
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
    /// Starts a fan-out of the next pending deliveries, of about `bytes` bytes, to all present members. STOMP messages are
    /// numbered.
    fn begin_fan_out(&mut self, bytes: usize, last_message_number: &Cell<u64>) {
        let Some(content) = self.next_run(bytes) else { return };
        self.members.begin_fan_out();
        let causes = match &content {
            Content::Publications(all) => &all[..],
            Content::Announcements(_) | Content::Fork(_) => &[],
        };
        let step = TraceSpan::after(SpanKind::Deliver, causes.iter().filter_map(|cause| cause.traceparent.as_deref()?.parse().ok()));
        let previous = self.rare.as_mut().and_then(|rare| rare.last_delivery.take());
        if self.options.delta != DeltaOption::None {
            self.rare().last_delivery = causes.last().cloned().or_else(|| previous.clone());
        }
        let has_forms = self.rare.as_ref().is_some_and(|rare| !rare.forms.is_empty());
        let formed = has_forms.then(|| {
            let first = last_message_number.get() + 1;
            last_message_number.set(last_message_number.get() + causes.len() as u64);
            Formed::new(first)
        });
        self.fan_out = Some(Box::new(FanOut::new(content, previous, formed, step)));
    }
}

/// One turn of one channel in the fan-out.
pub(crate) struct FanOutTurn<'a> {
    pub(crate) hub: &'a Hub,
    slow: SlowConsumer,
    pub(crate) key: ChannelKey,
    pub(crate) number: u64,
    pub(crate) now: Tick,
    pub(crate) name: gateway_core::model::ChannelName,
    rare: Option<&'a RareParts>,
}

impl FanOutTurn<'_> {
    pub(crate) fn names(&self) -> ChannelNames<'_> {
        ChannelNames { name: &self.name, number: self.number }
    }

    /// Queues the batch for a member, without the publications that it already has. Returns the number of deliveries that its outbox took.
    fn deliver_to(&self, fan_out: &mut FanOut, member: &mut Member, connections: &Slab<Entry>) -> usize {
        if member.state == MemberState::Ended {
            return 0;
        }
        let Some(entry) = connections.get(member.connection as usize) else { return 0 };
        if matches!(fan_out.content, Content::Announcements(_)) && !member.terms.join_leave() {
            return 0;
        }
        let format = member.terms.format();
        let chain = if format.has_deltas() { take_chain(fan_out, member) } else { Chain::Begins };
        let batch = if member.terms.has_form() {
            self.form(member).and_then(|form| fan_out.formed(form, member.start_offset, self.hub.budget()))
        } else if member.terms.has_filter() || fan_out.begins_before(member.start_offset) {
            self.part(fan_out, member)
        } else {
            Some(fan_out.whole(self.names(), format, chain, self.hub.budget()))
        };
        let Some(batch) = batch else { return 0 };
        let count = batch.deliveries();
        let delivered = match entry.outbox.push_channel(self.now, batch, self.key) {
            Ok(()) => count,
            Err(PushError::Full(overflow)) => self.overflow(fan_out, member, (entry, count), overflow),
            Err(PushError::Closed) => self.dropped(PushError::Closed, count),
        };
        // The last publication of every batch is the last of the fan-out.
        if let (true, Content::Publications(_), MemberState::Client { has_last_delivery }) =
            (format.has_deltas(), &fan_out.content, &mut member.state)
        {
            *has_last_delivery = delivered > 0;
        }
        delivered
    }

    /// The publications that a member lacks and that pass its filter.
    #[inline(never)] // Most members get everything.
    fn part(&self, fan_out: &mut FanOut, member: &Member) -> Option<Rc<Batch>> {
        let (format, filter) = (member.terms.format(), self.filter(member));
        let (names, budget) = (self.names(), self.hub.budget());
        match fan_out.select(filter) {
            Selection::Nothing => None,
            _ if fan_out.begins_before(member.start_offset) => {
                let lacking = fan_out.publications_after(member.start_offset, filter);
                (!lacking.is_empty()).then(|| publications(&lacking, names, format, budget))
            }
            Selection::Part(selected) => Some(fan_out.part(&selected, names, format, budget)),
            Selection::All => Some(fan_out.whole(names, format, Chain::Begins, budget)),
        }
    }

    #[inline(never)] // Connections of the Centrifuge protocol have no forms.
    fn form(&self, member: &Member) -> Option<&DeliveryForm> {
        self.rare.and_then(|rare| rare.forms.get(member.connection))
    }

    fn filter(&self, member: &Member) -> Option<&Arc<TagsFilter>> {
        self.rare.filter(|_| member.terms.has_filter()).and_then(|rare| rare.filters.get(member.connection))
    }

    /// Applies the namespace's policy for slow consumers. Returns the number of deliveries that the outbox took.
    fn overflow(&self, fan_out: &mut FanOut, member: &Member, (entry, count): (&Entry, usize), overflow: Overflow) -> usize {
        if let (SlowConsumer::Latest, Content::Publications(_)) = (self.slow, &fan_out.content) {
            let metrics = &self.hub.parts.metrics;
            metrics.overflowed(OverflowPolicy::Latest);
            metrics.dropped(DropCause::OutboxReplaced, entry.outbox.drop_channel(self.key) as u64);
            let budget = self.hub.budget();
            let newest = if member.terms.has_form() {
                self.form(member).and_then(|form| fan_out.newest_formed(form, budget))
            } else {
                let selection = fan_out.select(self.filter(member));
                Some(fan_out.newest(&selection, self.names(), member.terms.format(), budget))
            };
            if let Some(newest) = newest {
                let kept = newest.deliveries();
                if entry.outbox.push_channel(self.now, newest, self.key).is_ok() {
                    metrics.dropped(DropCause::OutboxReplaced, (count - kept) as u64);
                    return kept;
                }
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

/// What the first publication for a member refers to. The member has the channel's last delivery no more, until it gets this one.
fn take_chain(fan_out: &FanOut, member: &mut Member) -> Chain {
    match (&fan_out.content, &mut member.state) {
        (Content::Publications(_), MemberState::Client { has_last_delivery }) if *has_last_delivery => {
            *has_last_delivery = false;
            Chain::Continues
        }
        _ => Chain::Begins,
    }
}
