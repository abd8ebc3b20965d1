//! The steps of a subscription in the hub: join, go live, leave.

use super::{
    hub::Hub,
    keys::{ChannelKey, ConnKey},
    output::{
        batch::Batch,
        encode::{self, ChannelNames, DeliveryFormat, Protocol},
        outbox::Outbox,
    },
    state::{
        deliveries::{fan_out::publications, formed, recent::Recent},
        entry::{ReadProgress, Subscription, SubscriptionState},
        local_channel::{LocalChannel, Member},
        terms::Terms,
    },
};
use crate::telemetry::{Count, Level};
use gateway_core::{
    channel::{
        ChannelOptions, TagsFilter,
        feed::{Feed, continues, is_valid},
    },
    model::{ChannelName, ClientInfo, Freshness, Page, PageLimit, Position, Publication, SubscriptionSide},
    protocol::{
        DeliveryForm,
        stomp::{MessageForm, MessageSubscription},
    },
};
use std::{rc::Rc, sync::Arc};

/// How far a subscription is from live delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LiveStatus {
    /// The connection receives all further deliveries.
    Live,
    /// The connection first needs the history after this offset; see [`Hub::deliver_page`].
    Behind(u64),
    /// The connection is not attaching to this channel any more.
    Detached,
}

/// A subscription that a connection begins.
#[derive(Debug)]
pub struct NewSubscription<'a> {
    /// The options of the channel.
    pub options: &'a Arc<ChannelOptions>,
    /// What other subscribers see of the connection. `None` where the channel shows nothing.
    pub info: Option<Arc<ClientInfo>>,
    /// Who made the subscription.
    pub side: SubscriptionSide,
    /// Whether the client receives joins and leaves.
    pub join_leave: bool,
    /// Whether pushes have the channel's number in place of its name.
    pub is_compact: bool,
    /// Whether publications are deltas to the ones before them.
    pub has_deltas: bool,
    /// Which publications the client wants; none: all.
    pub filter: Option<Arc<TagsFilter>>,
    /// How deliveries are written for a connection without the Centrifuge protocol; none: it gets none.
    pub form: Option<DeliveryForm>,
}

/// A form in which subscriptions that the form before lacks begin after `top`.
fn during_catch_up(form: Arc<MessageForm>, before: Option<&MessageForm>, top: u64) -> Arc<MessageForm> {
    let known = |id: &str| before.and_then(|before| before.subscriptions.iter().find(|it| *it.id == *id));
    let begun =
        |it: &MessageSubscription| MessageSubscription { after: known(&it.id).map_or(Some(top), |known| known.after), ..it.clone() };
    Arc::new(MessageForm { subscriptions: form.subscriptions.iter().map(begun).collect(), ..(*form).clone() })
}

/// The end of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Whether it was live.
    pub was_live: bool,
    /// The position up to which the outbox got everything. `None`: it is not known, or the channel has no history.
    pub delivered_to: Option<Position>,
}

/// Where and how publications from history are queued.
struct HistoryTarget {
    outbox: Rc<Outbox>,
    number: u64,
    terms: Terms,
    filter: Option<Arc<TagsFilter>>,
    form: Option<DeliveryForm>,
}

/// The result of one page of history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUpStep {
    /// The page was delivered. The status is that of [`Hub::go_live`].
    Status(LiveStatus),
    /// The page does not continue at the connection's position.
    Lost,
}

impl Hub {
    /// Adds the connection to a channel as an attaching subscriber. Once the broker confirms the worker's subscription, the channel keeps all new
    /// publications for it.
    ///
    /// Returns the number that compact pushes have in place of the channel's name. `None` if the connection no longer exists.
    pub fn join(&self, key: ConnKey, channel: &ChannelName, subscription: NewSubscription<'_>) -> Option<u64> {
        let NewSubscription { options, info, side, join_leave, is_compact, has_deltas, filter, form } = subscription;
        let mut state = self.state.borrow_mut();
        let state = &mut *state;
        let terms = match state.entry(key)?.protocol {
            Protocol::Centrifuge(encoding) => {
                Terms::centrifuge(DeliveryFormat::new(encoding, is_compact, has_deltas), join_leave, filter.is_some())
            }
            Protocol::WithForm => Terms::with_form(),
        };
        let local_channel = *state.channels.entry(channel.clone()).or_insert_with(|| {
            self.last_channel_number.update(|last| last + 1);
            ChannelKey::new(state.local_channels.insert(LocalChannel::new(
                channel.clone(),
                self.last_channel_number.get(),
                options.clone(),
                Feed::new(self.parts.gap_buffers.clone()),
                Recent::new(state.recent_bytes.clone()),
            )))
        });
        let channel_state = state.local_channels.get_mut(local_channel.index())?;
        state.unused_channels -= usize::from(channel_state.unused_since.take().is_some());
        let number = channel_state.number;
        let entry = state.connections.get_mut(key.index as usize)?;
        if entry.subscription(local_channel).is_some() {
            return Some(number);
        }
        if let Some(filter) = filter {
            channel_state.rare().filters.insert(key.index, filter);
        }
        if let Some(form) = form {
            channel_state.rare().forms.insert(key.index, form);
        }
        channel_state.attaching += 1;
        entry.subscriptions.reserve_exact(usize::from(entry.subscriptions.is_empty()));
        entry.subscriptions.push(Subscription { local_channel, state: SubscriptionState::Attaching(None), side, terms, info });
        self.parts.metrics.raise(Level::SubscriptionsOpen, 1);
        self.count_channels(state);
        Some(number)
    }

    /// Changes how the deliveries of a channel are written for a STOMP connection that is in the channel, from the next delivery on. `None`: they
    /// are not written any more.
    ///
    /// While the connection catches up, what it catches up with is not for subscriptions that are new in the form.
    pub fn set_form(&self, key: ConnKey, channel: &ChannelName, form: Option<Arc<MessageForm>>) {
        let mut state = self.state.borrow_mut();
        let Some(channel_key) = state.channels.get(channel).copied() else { return };
        let subscription = state.entry(key).and_then(|entry| entry.subscription(channel_key)).filter(|it| it.terms.has_form());
        let Some(subscription) = subscription else { return };
        let catches_up_to = match &subscription.state {
            SubscriptionState::Attaching(Some(progress)) => Some(progress.top),
            SubscriptionState::Attaching(None) | SubscriptionState::Live(_) => None,
        };
        let Some(local_channel) = state.local_channel(channel_key) else { return };
        let forms = &mut local_channel.rare().forms;
        match (form, catches_up_to) {
            (Some(form), Some(top)) => {
                let before = match forms.get(key.index) {
                    Some(DeliveryForm::Stomp(before)) => Some(&**before),
                    Some(DeliveryForm::Events(_)) | None => None,
                };
                let form = during_catch_up(form, before, top);
                forms.insert(key.index, DeliveryForm::Stomp(form));
            }
            (Some(form), None) => forms.insert(key.index, DeliveryForm::Stomp(form)),
            (None, _) => forms.remove(key.index),
        }
    }

    /// Sets the position up to which an attaching connection has the history, and the newest offset of the history.
    pub fn set_read_progress(&self, key: ConnKey, channel: &ChannelName, at: Position, top: u64) {
        let mut state = self.state.borrow_mut();
        let Some(local_channel) = state.channels.get(channel).copied() else { return };
        if let Some(Subscription { state: SubscriptionState::Attaching(progress), .. }) =
            state.entry(key).and_then(|entry| entry.subscription(local_channel))
        {
            *progress = Some(Box::new(ReadProgress { at, top }));
        }
    }

    /// The position up to which the connection's outbox got everything of a channel. `None`: it is not known, or the channel has no history.
    pub fn delivered_to(&self, key: ConnKey, channel: &ChannelName) -> Option<Position> {
        let mut state = self.state.borrow_mut();
        let channel_key = state.channels.get(channel).copied()?;
        let member = match &state.entry(key)?.subscription(channel_key)?.state {
            SubscriptionState::Live(index) => *index as usize,
            SubscriptionState::Attaching(progress) => return progress.as_ref().map(|progress| progress.at),
        };
        state.local_channel(channel_key)?.delivered_to(member)
    }

    // NL-4.10, NL-5.3
    /// Delivers the recent publications after the connection's position, and starts live delivery. Does neither if the connection first needs
    /// history.
    pub fn go_live(self: &Rc<Self>, key: ConnKey, channel: &ChannelName) -> LiveStatus {
        let (target, backfill, missed, has_lifecycle) = {
            let mut state_guard = self.state.borrow_mut();
            let state = &mut *state_guard;
            let Some(channel_key) = state.channels.get(channel).copied() else { return LiveStatus::Detached };
            let Some(entry) = state.entry(key) else { return LiveStatus::Detached };
            let bytes = if entry.outbox.has_room() { self.parts.limits.page.bytes } else { 0 };
            let Some(subscription) = entry.subscription(channel_key) else { return LiveStatus::Detached };
            let SubscriptionState::Attaching(progress) = &subscription.state else { return LiveStatus::Live };
            let (progress, side, terms) = (progress.as_deref().copied(), subscription.side, subscription.terms);
            let Some(local_channel) = state.local_channels.get_mut(channel_key.index()) else { return LiveStatus::Detached };
            let (mut start_offset, mut backfill, mut missed) = (0, false, Vec::new());
            if let Some(progress) = progress {
                if progress.at.offset < progress.top {
                    return LiveStatus::Behind(progress.at.offset);
                }
                if local_channel.feed.position().is_some_and(|position| position.epoch != progress.at.epoch) {
                    // Either the feed or the connection has an older epoch. Both read the history, which shows the current one.
                    let after = local_channel.feed.observe_top(progress.at);
                    drop(state_guard);
                    if after.is_some() {
                        self.begin_backfill(channel_key, Freshness::Fresh);
                    }
                    return LiveStatus::Behind(progress.at.offset);
                }
                backfill = local_channel.feed.start(progress.at).is_some();
                let Some(recent) = local_channel.recent_after(progress.at.offset, PageLimit { entries: usize::MAX, bytes }) else {
                    return LiveStatus::Behind(progress.at.offset);
                };
                start_offset = local_channel.feed.position().map_or(0, |position| position.offset).max(progress.at.offset);
                missed = recent;
            }
            let index = local_channel.members.add(Member {
                connection: key.index,
                timeline: local_channel.timeline,
                terms,
                state: side.into(),
                start_offset,
            });
            local_channel.finish_attach();
            let (number, filter, form) =
                (local_channel.number, local_channel.filter(key.index).cloned(), local_channel.form(key.index).cloned());
            let has_lifecycle = local_channel.options.lifecycle;
            let Some(entry) = state.entry(key) else { return LiveStatus::Detached };
            if let Some(subscription) = entry.subscription(channel_key) {
                subscription.state = SubscriptionState::Live(index as u32);
            }
            (
                HistoryTarget { outbox: entry.outbox.clone(), number, terms, filter, form },
                backfill.then_some(channel_key),
                missed,
                has_lifecycle,
            )
        };
        if has_lifecycle {
            self.parts.holds.enter(channel);
        }
        self.queue_history(channel, &missed, &target);
        if let Some(channel_key) = backfill {
            self.begin_backfill(channel_key, Freshness::Fresh);
        }
        LiveStatus::Live
    }

    // NL-5.5
    /// Delivers a page of history to a connection that is behind, and tries again to go live.
    pub fn deliver_page(self: &Rc<Self>, key: ConnKey, channel: &ChannelName, page: &Page) -> CatchUpStep {
        let (target, new_position) = {
            let mut state = self.state.borrow_mut();
            let Some(local_channel) = state.channels.get(channel).copied() else { return CatchUpStep::Status(LiveStatus::Detached) };
            let Some(channel_state) = state.local_channel(local_channel) else { return CatchUpStep::Status(LiveStatus::Detached) };
            let (number, filter, form) =
                (channel_state.number, channel_state.filter(key.index).cloned(), channel_state.form(key.index).cloned());
            let Some(entry) = state.entry(key) else { return CatchUpStep::Status(LiveStatus::Detached) };
            let outbox = entry.outbox.clone();
            let Some(Subscription { state: SubscriptionState::Attaching(Some(progress)), side, terms, .. }) =
                entry.subscription(local_channel)
            else {
                return CatchUpStep::Status(LiveStatus::Detached);
            };
            // The client already has the old epoch. The protocol can replace it only for a server-side subscription.
            let (before, at) = (progress.at, Position { epoch: page.epoch, ..progress.at });
            if !(before == at || (*side == SubscriptionSide::Server && is_valid(before, page.epoch, &page.forks)))
                || !continues(at.offset, page)
            {
                return CatchUpStep::Lost;
            }
            let last = page.publications.last().and_then(|last| last.position);
            **progress = ReadProgress { at: Position { offset: last.map_or(at.offset, |last| last.offset), ..at }, top: page.top };
            let terms = *terms;
            // The next delivery in a form has the new position.
            let new_position = (before != at && !terms.has_form()).then_some(at);
            (HistoryTarget { outbox, number, terms, filter, form }, new_position)
        };
        if let Some(at) = new_position {
            target.outbox.push(self.now(), Batch::new(encode::position(channel, target.terms.format().encoding(), at), &self.budget));
        }
        self.queue_history(channel, &page.publications, &target);
        CatchUpStep::Status(self.go_live(key, channel))
    }

    /// Queues publications from history for one connection.
    fn queue_history(&self, channel: &ChannelName, missed: &[Arc<Publication>], target: &HistoryTarget) {
        let wanted: Vec<_>;
        let missed = match &target.filter {
            None => missed,
            Some(filter) => {
                wanted = missed.iter().filter(|publication| filter.matches(&publication.tags)).cloned().collect();
                &wanted
            }
        };
        if missed.is_empty() {
            return;
        }
        let batch = match &target.form {
            Some(form) => formed::history(missed, form, &self.budget),
            None if target.terms.has_form() => None,
            None => {
                let names = ChannelNames { name: channel, number: target.number };
                Some(publications(missed, names, target.terms.format(), &self.budget))
            }
        };
        let Some(batch) = batch else { return };
        let (count, metrics) = (batch.deliveries(), &self.parts.metrics);
        match target.outbox.push_history(self.now(), batch) {
            Ok(()) => metrics.count(Count::Deliveries, count as u64),
            Err(error) => metrics.dropped(error.cause(), count as u64),
        }
    }

    /// The channels whose deliveries the connection receives.
    pub fn live_channels(&self, key: ConnKey) -> Vec<ChannelName> {
        let state = self.state.borrow();
        let Some(entry) = state.connections.get(key.index as usize).filter(|entry| entry.generation == key.generation) else {
            return Vec::new();
        };
        let live = entry.subscriptions.iter().filter(|subscription| subscription.is_live());
        let names = live.filter_map(|subscription| state.local_channels.get(subscription.local_channel.index()));
        names.map(|local_channel| local_channel.name.clone()).collect()
    }

    /// Removes the connection from a channel. `None`: it was not in it.
    pub fn leave(&self, key: ConnKey, channel: &ChannelName) -> Option<Left> {
        let local_channel = self.state.borrow().channels.get(channel).copied()?;
        self.leave_channel(key, local_channel)
    }

    pub(super) fn leave_channel(&self, key: ConnKey, channel_key: ChannelKey) -> Option<Left> {
        let (removed, left) = {
            let mut state = self.state.borrow_mut();
            let state = &mut *state;
            let entry = state.entry(key)?;
            let at = entry.subscriptions.iter().position(|subscription| subscription.local_channel == channel_key)?;
            let removed_subscription = entry.subscriptions.swap_remove(at);
            self.parts.metrics.lower(Level::SubscriptionsOpen, 1);
            let local_channel = state.local_channels.get_mut(channel_key.index())?;
            let live = removed_subscription.is_live();
            let delivered_to = match &removed_subscription.state {
                SubscriptionState::Live(index) => local_channel.delivered_to(*index as usize),
                SubscriptionState::Attaching(progress) => progress.as_ref().map(|progress| progress.at),
            };
            if live && local_channel.options.lifecycle {
                self.parts.holds.leave(&local_channel.name);
            }
            local_channel.forget_rare(key.index, removed_subscription.terms);
            match removed_subscription.state {
                SubscriptionState::Attaching(_) => local_channel.finish_attach(),
                SubscriptionState::Live(index) => {
                    let connections = &mut state.connections;
                    local_channel.members.remove(index as usize, |member, to| {
                        let moved = connections.get_mut(member.connection as usize).and_then(|entry| entry.subscription(channel_key));
                        if let Some(moved) = moved {
                            moved.state = SubscriptionState::Live(to as u32);
                        }
                    });
                }
            }
            if let Some(info) = removed_subscription.info {
                self.presence_queue.remove(local_channel.name.clone(), info);
            }
            let removed = self.release_if_unused(state, channel_key);
            (removed, Left { was_live: live, delivered_to })
        };
        if let Some(channel) = removed {
            self.parts.broker.unsubscribe(&channel, self.parts.worker);
        }
        Some(left)
    }
}
