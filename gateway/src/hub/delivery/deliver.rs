//! Moves deliveries from the mailbox to the worker's channels.

use crate::{
    broker::{Announcement, Delivery, MailboxEntry, TopReason},
    hub::{hub::Hub, keys::ChannelKey},
    telemetry::{Count, DropCause, PostResult},
};
use gateway_core::{
    channel::feed::{Continuity, Disposition, Next},
    model::{ChannelName, Freshness, Position, Publication},
};
use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll};
use tokio::task::spawn_local;

/// Number of pending deliveries above which the worker takes nothing from its mailbox, which is bounded.
const MAX_PENDING: usize = 4096;

impl Hub {
    /// Delivers the entries of the mailbox. Never returns.
    pub(crate) async fn run_delivery(self: Rc<Self>) {
        let mut entries = Vec::new();
        loop {
            poll_fn(|cx| {
                let (busy, full) = {
                    let state = self.state.borrow();
                    (!state.fan_out_queue.is_empty(), state.pending >= MAX_PENDING)
                };
                if full || self.parts.mailbox.poll_take(cx, &mut entries).is_ready() || busy {
                    return Poll::Ready(());
                }
                self.delivery_waker.set(Some(cx.waker().clone()));
                Poll::Pending
            })
            .await;
            for entry in entries.drain(..) {
                self.accept(entry);
            }
            self.fan_out_turn();
            tokio::task::yield_now().await;
        }
    }

    fn accept(self: &Rc<Self>, entry: MailboxEntry) {
        match entry {
            MailboxEntry::Delivery(channel, Delivery::Publication(publication)) => self.publication(&channel, publication),
            MailboxEntry::Delivery(channel, Delivery::Announcement(announcement)) => self.announcement(&channel, announcement),
            MailboxEntry::Dirty(channel) => self.dirty(&channel),
            MailboxEntry::AllDirty => {
                let channels: Vec<_> = self.state.borrow().channels.keys().cloned().collect();
                for channel in &channels {
                    self.dirty(channel);
                }
            }
            MailboxEntry::Top(channel, top, reason) => self.compare_top(&channel, top, reason),
            MailboxEntry::Command(target, command, answer) => self.command(&target, &command, &answer),
            MailboxEntry::Query(query) => self.answer_query(query),
            // Nobody learns the outcome any more, so there must be none.
            MailboxEntry::Post(.., answer) if answer.is_closed() => self.parts.metrics.posted(PostResult::Late),
            MailboxEntry::Post(key, commands, answer) => drop(answer.send(self.post(key, commands))),
            MailboxEntry::RegisterAgain => {
                self.restore_presence();
                self.reregister_all();
                self.reregister_subscriptions();
            }
            MailboxEntry::CheckRevocations => self.revocation_checks.check_all(),
            MailboxEntry::RegisterConnections => self.register_all(),
            MailboxEntry::RegisterSubscriptions => self.register_all_subscriptions(),
            MailboxEntry::Drain(plan) => {
                spawn_local(self.clone().drain(plan));
            }
        }
    }

    fn publication(self: &Rc<Self>, channel: &ChannelName, publication: Arc<Publication>) {
        self.parts.metrics.count(Count::PublicationsIn, 1);
        let gap = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(local_channel) = state.local_channel(key) else { return };
            match local_channel.feed.receive(&publication) {
                Disposition::Deliver => {
                    self.deliver_to(&mut state, key, publication);
                    state.queue_fan_out(key);
                    None
                }
                Disposition::Duplicate => {
                    self.parts.metrics.dropped(DropCause::Duplicate, 1);
                    None
                }
                Disposition::Buffered => None,
                Disposition::Gap => Some(key),
            }
        };
        if let Some(local_channel) = gap {
            self.begin_backfill(local_channel, Freshness::Any);
        }
    }

    fn announcement(&self, channel: &ChannelName, announcement: Announcement) {
        self.parts.reads.presence().changed(channel);
        let mut state = self.state.borrow_mut();
        let Some(key) = state.channels.get(channel).copied() else { return };
        let Some(local_channel) = state.local_channel(key) else { return };
        let before = local_channel.pending.len();
        local_channel.announce(announcement);
        let added = local_channel.pending.len() - before;
        state.pending += added;
        state.queue_fan_out(key);
    }

    /// Handles the loss of some deliveries of this channel, for which the mailbox had no room.
    fn dirty(self: &Rc<Self>, channel: &ChannelName) {
        let now = self.now();
        let known = self.state.borrow().channels.get(channel).copied();
        // Nobody waits for it, so it is not worth a read.
        if known.is_some_and(|key| self.drop_unused(key)) {
            return;
        }
        let (key, read, at_most_once) = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(local_channel) = state.local_channel(key) else { return };
            if local_channel.options.retention.is_some() {
                (key, local_channel.feed.deliveries_lost(now), false)
            } else {
                (key, None, true)
            }
        };
        if at_most_once {
            self.parts.metrics.dropped(DropCause::AtMostOnce, 1);
            let ended = self.state.borrow_mut().end_subscriptions(key);
            for each in ended {
                self.request_resubscribe(each);
            }
        } else if read.is_some() {
            self.begin_backfill(key, Freshness::Fresh);
        }
    }

    /// Compares the feed with the newest position of the channel's history, and starts a backfill if the feed is behind.
    fn compare_top(self: &Rc<Self>, channel: &ChannelName, top: Position, reason: TopReason) {
        let behind = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(local_channel) = state.local_channel(key) else { return };
            let before = local_channel.feed.position();
            local_channel.feed.observe_top(top).map(|_| (key, before))
        };
        if let Some((key, before)) = behind {
            // In another epoch, the difference may come from a fork alone, which is no loss of a delivery.
            if reason == TopReason::Audit && before.is_some_and(|before| before.epoch == top.epoch) {
                self.parts.metrics.count(Count::AuditLosses, 1);
                self.parts.broker.resubscribe(channel);
            }
            self.begin_backfill(key, Freshness::Fresh);
        }
    }

    /// Applies a page of history to the channel that requested it. `None` if the worker has closed that channel since.
    pub(crate) fn apply_page(&self, key: ChannelKey, number: u64, page: gateway_core::model::Page) -> Option<Next> {
        let mut state = self.state.borrow_mut();
        let local_channel = state.local_channel(key).filter(|local_channel| local_channel.number == number)?;
        let applied = local_channel.feed.apply(page);
        match applied.continuity {
            Continuity::Unbroken => {}
            Continuity::EpochChanged(change) => {
                self.parts.metrics.count(Count::Forks, 1);
                local_channel.queue_fork(change);
                state.pending += 1;
            }
            Continuity::Broken => {
                self.parts.metrics.count(Count::GapsLost, 1);
                self.resubscribe_queue.extend(state.end_subscriptions(key));
            }
        }
        for publication in applied.deliver {
            self.deliver_to(&mut state, key, publication);
        }
        state.queue_fan_out(key);
        drop(state);
        if let Some(idle) = self.delivery_waker.take() {
            idle.wake();
        }
        Some(applied.next)
    }
}
