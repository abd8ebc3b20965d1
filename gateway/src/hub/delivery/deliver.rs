//! From the mailbox to the slots.

use crate::{
    broker::{Announcement, Check, Delivery, Post},
    hub::{hub::Hub, keys::SlotKey},
    telemetry::{Count, DropCause},
};
use gateway_core::{
    channel::feed::{Next, Offer, Subscribers},
    model::{Age, ChannelName, Position, Publication},
};
use std::{future::poll_fn, rc::Rc, sync::Arc, task::Poll};
use tokio::task::spawn_local;

/// Deliveries that may wait in slots before the mailbox is emptied again; what is beyond waits, bounded, in the mailbox.
const PENDING: usize = 4096;

impl Hub {
    /// Takes what the broker has for this worker and hands it out, for good.
    pub(crate) async fn deliver_all(self: Rc<Self>) {
        let mut posts = Vec::new();
        loop {
            poll_fn(|cx| {
                let (busy, full) = {
                    let state = self.state.borrow();
                    (!state.line.is_empty(), state.pending >= PENDING)
                };
                if full || self.parts.mailbox.poll_take(cx, &mut posts).is_ready() || busy {
                    return Poll::Ready(());
                }
                self.idle.set(Some(cx.waker().clone()));
                Poll::Pending
            })
            .await;
            for post in posts.drain(..) {
                self.accept(post);
            }
            self.fan_out_turn();
            tokio::task::yield_now().await;
        }
    }

    fn accept(self: &Rc<Self>, post: Post) {
        match post {
            Post::Delivery(channel, Delivery::Publication(publication)) => self.publication(&channel, publication),
            Post::Delivery(channel, Delivery::Announcement(announcement)) => self.announcement(&channel, announcement),
            Post::Dirty(channel) => self.dirty(&channel),
            Post::AllDirty => {
                let channels: Vec<_> = self.state.borrow().channels.keys().cloned().collect();
                for channel in &channels {
                    self.dirty(channel);
                }
            }
            Post::Top(channel, top, check) => self.stands_at(&channel, top, check),
            Post::Command(target, command, answer) => self.command(&target, &command, &answer),
            Post::Survey(survey) => self.survey(survey),
            Post::RegisterAgain => {
                self.present_again();
                self.register_all_again();
            }
            Post::CheckRevocations => self.revocation_check.notify_one(),
            Post::RegisterConnections => self.register_all(),
            Post::Drain(plan) => {
                spawn_local(self.clone().drain(plan));
            }
        }
    }

    fn publication(self: &Rc<Self>, channel: &ChannelName, publication: Arc<Publication>) {
        self.parts.metrics.count(Count::PublicationsIn, 1);
        let gap = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(slot) = state.slot(key) else { return };
            match slot.feed.offer(&publication) {
                Offer::Deliver => {
                    let before = slot.pending.len();
                    slot.deliver(publication, self.parts.limits.attach_buffer);
                    let added = slot.pending.len() - before;
                    state.pending += added;
                    state.queue(key);
                    None
                }
                Offer::Duplicate => {
                    self.parts.metrics.dropped(DropCause::Duplicate, 1);
                    None
                }
                Offer::Held => None,
                Offer::Gap => Some(key),
            }
        };
        if let Some(slot) = gap {
            self.begin_backfill(slot, Age::Any);
        }
    }

    fn announcement(&self, channel: &ChannelName, announcement: Announcement) {
        let mut state = self.state.borrow_mut();
        let Some(key) = state.channels.get(channel).copied() else { return };
        let Some(slot) = state.slot(key) else { return };
        let before = slot.pending.len();
        slot.announce(announcement);
        let added = slot.pending.len() - before;
        state.pending += added;
        state.queue(key);
    }

    /// The mailbox had no room for some deliveries of this channel.
    fn dirty(self: &Rc<Self>, channel: &ChannelName) {
        let now = self.now();
        let (key, read, at_most_once) = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(slot) = state.slot(key) else { return };
            if slot.options.retention.is_some() { (key, slot.feed.dirty(now), false) } else { (key, None, true) }
        };
        if at_most_once {
            self.parts.metrics.dropped(DropCause::AtMostOnce, 1);
            let ended = self.state.borrow_mut().end_all(key);
            for each in ended {
                self.restart(each);
            }
        } else if read.is_some() {
            self.begin_backfill(key, Age::Fresh);
        }
    }

    /// The channel's stream was seen to stand at `top`.
    fn stands_at(self: &Rc<Self>, channel: &ChannelName, top: Position, check: Check) {
        let behind = {
            let mut state = self.state.borrow_mut();
            let Some(key) = state.channels.get(channel).copied() else { return };
            let Some(slot) = state.slot(key) else { return };
            let before = slot.feed.position();
            slot.feed.stands_at(top).map(|_| (key, before))
        };
        if let Some((key, before)) = behind {
            // Another timeline into which nothing was published yet is noticed here; that is no loss on the way from the store.
            if check == Check::Audit && before.is_some_and(|before| before.epoch == top.epoch) {
                self.parts.metrics.count(Count::AuditLosses, 1);
                self.parts.broker.doubt(channel);
            }
            self.begin_backfill(key, Age::Fresh);
        }
    }

    /// Takes a page of the stream that closes a gap, for the life of the channel that asked for it; none if that is over.
    pub(crate) fn caught(&self, key: SlotKey, life: u32, page: gateway_core::model::Page) -> Option<Next> {
        let mut state = self.state.borrow_mut();
        let slot = state.slot(key).filter(|slot| slot.life == life)?;
        let caught = slot.feed.page(page);
        match caught.subscribers {
            Subscribers::GoOn => {}
            Subscribers::Cross(fork) => {
                self.parts.metrics.count(Count::Forks, 1);
                slot.cross(fork);
                state.pending += 1;
            }
            Subscribers::Lost => {
                self.parts.metrics.count(Count::GapsLost, 1);
                self.restarts.extend(state.end_all(key));
            }
        }
        let slot = state.slot(key)?;
        let before = slot.pending.len();
        for publication in caught.deliver {
            slot.deliver(publication, self.parts.limits.attach_buffer);
        }
        let added = slot.pending.len() - before;
        state.pending += added;
        state.queue(key);
        drop(state);
        if let Some(idle) = self.idle.take() {
            idle.wake();
        }
        Some(caught.next)
    }
}
