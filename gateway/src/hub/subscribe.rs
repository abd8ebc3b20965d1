//! A subscription's life in the hub: join, go live, leave.

use super::{
    hub::Hub,
    keys::{ConnKey, SlotKey},
    output::{batch::Batch, encode, outbox::Outbox},
    state::{
        entry::{Cursor, Place, Subscription},
        slot::{Member, Slot},
        table::State,
    },
};
use crate::telemetry::{Count, Level};
use gateway_core::{
    channel::{
        ChannelOptions,
        feed::{Feed, continues, is_valid},
    },
    model::{Age, ChannelName, ClientInfo, Page, PageLimit, Position, Publication, Side},
};
use std::{rc::Rc, sync::Arc};

/// What came of an attempt to go live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Deliveries come from now on.
    Live,
    /// More has to be read first, after this offset; see [`Hub::advance`].
    Behind(u64),
    /// The connection is no longer attaching to this channel.
    Gone,
}

/// What a further page of history led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advance {
    /// As for [`Hub::go_live`].
    To(Live),
    /// The stream was trimmed faster than it could be handed over.
    Lost,
}

impl Hub {
    /// Makes the connection an attaching subscriber: from when the broker confirms the worker's subscription, nothing is missed for it.
    /// `info` is given where the channel tells others. False if the connection is gone.
    pub fn join(
        &self,
        key: ConnKey,
        channel: &ChannelName,
        options: &Arc<ChannelOptions>,
        info: Option<Arc<ClientInfo>>,
        side: Side,
        join_leave: bool,
    ) -> bool {
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        if state.entry(key).is_none() {
            return false;
        }
        let slot = *state.channels.entry(channel.clone()).or_insert_with(|| {
            self.slot_generation.set(self.slot_generation.get().wrapping_add(1));
            SlotKey::new(state.slots.insert(Slot::new(
                channel.clone(),
                self.slot_generation.get(),
                options.clone(),
                Feed::new(self.parts.hold.clone()),
            )))
        });
        let Some(entry) = state.connections.get_mut(key.index as usize) else { return false };
        if entry.subscription(slot).is_some() {
            return true;
        }
        entry.subscriptions.reserve_exact(usize::from(entry.subscriptions.is_empty()));
        entry.subscriptions.push(Subscription { slot, place: Place::Attaching(None), side, join_leave, info });
        if let Some(slot) = state.slot(slot) {
            slot.attaching += 1;
        }
        self.parts.metrics.raise(Level::SubscriptionsOpen, 1);
        self.count(state);
        true
    }

    /// Notes how far the stream was read for an attaching connection.
    pub fn set_cursor(&self, key: ConnKey, channel: &ChannelName, at: Position, top: u64) {
        let mut state = self.state.borrow_mut();
        let Some(slot) = state.channels.get(channel).copied() else { return };
        if let Some(Subscription { place: Place::Attaching(cursor), .. }) = state.entry(key).and_then(|entry| entry.subscription(slot)) {
            *cursor = Some(Box::new(Cursor { at, top }));
        }
    }

    // NL-4.10, NL-5.3
    /// Hands over what came since the cursor, and lets deliveries through; unless more has to be read first.
    pub fn go_live(self: &Rc<Self>, key: ConnKey, channel: &ChannelName) -> Live {
        let (slot_key, backfill, missed, outbox) = {
            let mut state_guard = self.state.borrow_mut();
            let state = &mut *state_guard;
            let Some(slot_key) = state.channels.get(channel).copied() else { return Live::Gone };
            let Some(entry) = state.entry(key) else { return Live::Gone };
            let bytes = if entry.outbox.has_room() { self.parts.limits.page.bytes } else { 0 };
            let Some(subscription) = entry.subscription(slot_key) else { return Live::Gone };
            let Place::Attaching(cursor) = &subscription.place else { return Live::Live };
            let (cursor, side, join_leave) = (cursor.as_deref().copied(), subscription.side, subscription.join_leave);
            let Some(slot) = state.slots.get_mut(slot_key.index()) else { return Live::Gone };
            let (mut joined, mut backfill, mut missed) = (0, false, Vec::new());
            if let Some(cursor) = cursor {
                if cursor.at.offset < cursor.top {
                    return Live::Behind(cursor.at.offset);
                }
                if slot.feed.position().is_some_and(|position| position.epoch != cursor.at.epoch) {
                    // One of the two is of an older timeline: each finds out by reading.
                    let after = slot.feed.stands_at(cursor.at);
                    drop(state_guard);
                    if after.is_some() {
                        self.begin_backfill(slot_key, Age::Fresh);
                    }
                    return Live::Behind(cursor.at.offset);
                }
                backfill = slot.feed.start(cursor.at).is_some();
                let Some(since) = slot.since(cursor.at.offset, PageLimit { entries: usize::MAX, bytes }) else {
                    return Live::Behind(cursor.at.offset);
                };
                joined = slot.feed.position().map_or(0, |position| position.offset).max(cursor.at.offset);
                missed = since;
            }
            let index = slot.members.add(Member { connection: key.index, timeline: slot.timeline, join_leave, role: side.into(), joined });
            slot.attached();
            let Some(entry) = state.entry(key) else { return Live::Gone };
            if let Some(subscription) = entry.subscription(slot_key) {
                subscription.place = Place::Live(index as u32);
            }
            (slot_key, backfill, missed, entry.outbox.clone())
        };
        self.hand_over(channel, &missed, &outbox);
        if backfill {
            self.begin_backfill(slot_key, Age::Fresh);
        }
        Live::Live
    }

    // NL-5.5
    /// Hands a page of history, read after the cursor, to a connection that is behind, and tries again to go live.
    pub fn advance(self: &Rc<Self>, key: ConnKey, channel: &ChannelName, page: &Page) -> Advance {
        let (outbox, members_timeline) = {
            let mut state = self.state.borrow_mut();
            let Some(slot) = state.channels.get(channel).copied() else { return Advance::To(Live::Gone) };
            let Some(entry) = state.entry(key) else { return Advance::To(Live::Gone) };
            let outbox = entry.outbox.clone();
            let Some(Subscription { place: Place::Attaching(Some(cursor)), side, .. }) = entry.subscription(slot) else {
                return Advance::To(Live::Gone);
            };
            // The client was told the cursor's epoch, and can be told another one only where it did not ask for the subscription.
            let (before, at) = (cursor.at, Position { epoch: page.epoch, ..cursor.at });
            if !(before == at || (*side == Side::Server && is_valid(before, page.epoch, &page.forks))) || !continues(at.offset, page) {
                return Advance::Lost;
            }
            let last = page.publications.last().and_then(|last| last.position);
            **cursor = Cursor { at: Position { offset: last.map_or(at.offset, |last| last.offset), ..at }, top: page.top };
            (outbox, (before != at).then_some(at))
        };
        if let Some(at) = members_timeline {
            outbox.push(self.now(), Batch::new(encode::position(channel, at), &self.budget));
        }
        self.hand_over(channel, &page.publications, &outbox);
        Advance::To(self.go_live(key, channel))
    }

    /// Queues what was read for one connection.
    fn hand_over(&self, channel: &ChannelName, publications: &[Arc<Publication>], outbox: &Outbox) {
        if publications.is_empty() {
            return;
        }
        let (count, metrics) = (publications.len(), &self.parts.metrics);
        match outbox.push_read(self.now(), Batch::of(count, encode::publications(channel, publications), &self.budget)) {
            Ok(()) => metrics.count(Count::Deliveries, count as u64),
            Err(refused) => metrics.dropped(refused.cause(), count as u64),
        }
    }

    /// Takes the connection out of a channel, wherever it stands there. True if deliveries came to it.
    pub fn leave(&self, key: ConnKey, channel: &ChannelName) -> bool {
        let slot = self.state.borrow().channels.get(channel).copied();
        slot.is_some_and(|slot| self.leave_slot(key, slot))
    }

    pub(super) fn leave_slot(&self, key: ConnKey, slot_key: SlotKey) -> bool {
        let (vacated, live) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let Some(entry) = state.entry(key) else { return false };
            let Some(at) = entry.subscriptions.iter().position(|subscription| subscription.slot == slot_key) else { return false };
            let gone = entry.subscriptions.swap_remove(at);
            self.parts.metrics.lower(Level::SubscriptionsOpen, 1);
            let Some(slot) = state.slots.get_mut(slot_key.index()) else { return false };
            let live = matches!(gone.place, Place::Live(_));
            match gone.place {
                Place::Attaching(_) => slot.attached(),
                Place::Live(index) => {
                    let connections = &mut state.connections;
                    slot.members.remove(index as usize, |member, to| {
                        let moved = connections.get_mut(member.connection as usize).and_then(|entry| entry.subscription(slot_key));
                        if let Some(moved) = moved {
                            moved.place = Place::Live(to as u32);
                        }
                    });
                }
            }
            if let Some(info) = gone.info {
                self.presence_queue.depart(slot.name.clone(), info);
            }
            let vacated = self.vacate(state, slot_key);
            (vacated, live)
        };
        if let Some(channel) = vacated {
            self.parts.broker.unsubscribe(&channel, self.parts.worker);
        }
        live
    }

    /// Removes a channel that nobody needs here any more.
    pub(super) fn vacate(&self, state: &mut State, key: SlotKey) -> Option<ChannelName> {
        let vacated = state.slot(key).is_some_and(|slot| slot.is_vacant()).then(|| state.remove_slot(key)).flatten();
        self.count(state);
        vacated
    }

    fn count(&self, state: &State) {
        self.parts.metrics.set(Level::ChannelsOpen, state.channels.len() as u64);
    }
}
