//! Decides when and over which link each publication is sent, sends it again after a loss, and keeps its deadline. Sans-I/O.
//!
//! A channel has at most one publication in flight, its head. So a newer publication never overtakes a refused or lost one of its channel:
//! the head is sent again first. Channels are independent of each other.

#[cfg(test)]
mod tests;

use super::channel_queue::{ChannelQueue, Expiry, HeadState};
use super::links::{LinkId, LinkState, link_for};
use crate::link::Publish;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

// NL-8.2
/// The queue of all publications of this instance. `W` receives the outcome of a publication.
#[derive(Debug)]
pub(super) struct PublishQueue<W> {
    /// The queues by channel. A channel without publications has none.
    channels: HashMap<String, ChannelQueue<W>>,
    /// The channel of each head, by the head's id.
    heads: HashMap<u64, String>,
    links: BTreeMap<LinkId, LinkState>,
    /// Channels whose head is ready.
    ready: VecDeque<String>,
    /// Channels whose head is paused, by the end of the pause.
    pauses: BTreeSet<(Instant, String)>,
    /// Deadline, id and channel of every publication.
    deadlines: BTreeSet<(Instant, u64, String)>,
    next_id: u64,
    len: usize,
    limit: usize,
    resent: u64,
}

impl<W> PublishQueue<W> {
    /// A queue for at most `limit` publications.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            channels: HashMap::new(),
            heads: HashMap::new(),
            links: BTreeMap::new(),
            ready: VecDeque::new(),
            pauses: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            next_id: 1,
            len: 0,
            limit,
            resent: 0,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of resends since the start.
    pub(super) fn resent(&self) -> u64 {
        self.resent
    }

    /// Adds a publication behind all others of its channel, and assigns its id.
    pub(super) fn submit(&mut self, mut publish: Publish, deadline: Instant, waiter: W) {
        publish.id = self.next_id;
        self.next_id += 1;
        self.len += 1;
        self.deadlines.insert((deadline, publish.id, publish.channel.clone()));
        let channel = publish.channel.clone();
        let queue = self.channels.entry(channel.clone()).or_default();
        let first = queue.is_empty();
        queue.push(publish, deadline, waiter);
        if first {
            self.start_head(channel);
        }
    }

    /// Adds a link that accepts up to `window` unacknowledged publications.
    pub(super) fn link_up(&mut self, link: LinkId, node: String, window: usize) {
        self.links.insert(link, LinkState { node, window: window.max(1), in_flight: HashSet::new(), draining: false });
    }

    /// The link's node is shutting down: it gets no new publications, but may still answer those in flight.
    pub(super) fn link_draining(&mut self, link: LinkId) {
        if let Some(state) = self.links.get_mut(&link) {
            state.draining = true;
        }
    }

    // NL-8.3
    /// The link is lost: its unanswered publications are sent again, with the same id and key and before newer ones.
    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(state) = self.links.remove(&link) else { return };
        let mut lost: Vec<u64> = state.in_flight.into_iter().collect();
        lost.sort_unstable();
        for id in lost {
            let Some(channel) = self.heads.get(&id) else { continue };
            if let Some(queue) = self.channels.get_mut(channel) {
                queue.head = HeadState::Ready;
                queue.may_be_stored = true;
                self.ready.push_back(channel.clone());
                self.resent += 1;
            }
        }
    }

    /// The next publication that can be sent now, and its link.
    pub(super) fn next_send(&mut self) -> Option<(LinkId, Publish)> {
        for _ in 0..self.ready.len() {
            let channel = self.ready.pop_front()?;
            let Some(queue) = self.channels.get_mut(&channel) else { continue };
            let Some(link) = link_for(&self.links, &channel) else {
                self.ready.push_back(channel);
                continue;
            };
            let Some(publish) = queue.front().map(|entry| entry.publish.clone()) else { continue };
            queue.head = HeadState::Sent;
            if let Some(state) = self.links.get_mut(&link) {
                state.in_flight.insert(publish.id);
            }
            return Some((link, publish));
        }
        None
    }

    /// The node acknowledged the publication. Returns the receiver of the outcome.
    pub(super) fn ack(&mut self, link: LinkId, id: u64) -> Option<W> {
        self.take_in_flight(link, id)?;
        self.finish_head(id)
    }

    /// The node refused the publication permanently. Returns the receiver of the outcome.
    pub(super) fn refuse(&mut self, link: LinkId, id: u64) -> Option<W> {
        self.ack(link, id)
    }

    /// The node refused the publication temporarily, or does not know whether it is stored (`may_be_stored`). It is sent again after a
    /// pause; `pause` gets the number of consecutive refusals.
    pub(super) fn retry(&mut self, link: LinkId, id: u64, may_be_stored: bool, now: Instant, pause: impl FnOnce(u32) -> Duration) {
        if self.take_in_flight(link, id).is_none() {
            return;
        }
        let Some(channel) = self.heads.get(&id) else { return };
        let Some(queue) = self.channels.get_mut(channel) else { return };
        queue.refusals += 1;
        queue.head = HeadState::Paused;
        queue.may_be_stored |= may_be_stored;
        self.pauses.insert((now + pause(queue.refusals), channel.clone()));
        self.resent += 1;
    }

    /// The time of the next pause or deadline that ends, for [`PublishQueue::tick`].
    pub(super) fn next_tick(&self) -> Option<Instant> {
        let pause = self.pauses.first().map(|(at, _)| *at);
        let expiry = self.deadlines.first().map(|(at, ..)| *at);
        pause.into_iter().chain(expiry).min()
    }

    /// Ends pauses that are over, and removes publications whose deadline has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<(W, Expiry)> {
        while let Some((_, channel)) = pop_due(&mut self.pauses, |(at, _)| *at <= now) {
            if let Some(queue) = self.channels.get_mut(&channel)
                && queue.head == HeadState::Paused
            {
                queue.head = HeadState::Ready;
                self.ready.push_back(channel);
            }
        }
        let mut expired = Vec::new();
        while let Some((_, id, channel)) = pop_due(&mut self.deadlines, |(at, ..)| *at <= now) {
            expired.extend(self.expire(id, &channel));
        }
        expired
    }

    fn expire(&mut self, id: u64, channel: &str) -> Option<(W, Expiry)> {
        let queue = self.channels.get_mut(channel)?;
        if queue.front().is_some_and(|entry| entry.publish.id == id) {
            let expiry = queue.head_expiry();
            return self.finish_head(id).map(|waiter| (waiter, expiry));
        }
        let entry = queue.remove(id)?;
        self.len -= 1;
        Some((entry.waiter, Expiry::NotDone))
    }

    /// Removes an answered publication from the link's window. Returns `None` if this link does not carry it.
    fn take_in_flight(&mut self, link: LinkId, id: u64) -> Option<()> {
        self.links.get_mut(&link)?.in_flight.remove(&id).then_some(())
    }

    /// Removes a head. The next publication of its channel becomes the head.
    fn finish_head(&mut self, id: u64) -> Option<W> {
        let channel = self.heads.remove(&id)?;
        let entry = self.channels.get_mut(&channel)?.pop()?;
        self.deadlines.remove(&(entry.deadline, id, channel.clone()));
        self.pauses.retain(|(_, paused)| *paused != channel);
        self.len -= 1;
        self.start_head(channel);
        Some(entry.waiter)
    }

    fn start_head(&mut self, channel: String) {
        let Entry::Occupied(mut queue) = self.channels.entry(channel.clone()) else { return };
        let Some(id) = queue.get().front().map(|entry| entry.publish.id) else {
            queue.remove();
            self.ready.retain(|waiting| *waiting != channel);
            return;
        };
        queue.get_mut().head = HeadState::Ready;
        queue.get_mut().refusals = 0;
        queue.get_mut().may_be_stored = false;
        self.heads.insert(id, channel.clone());
        if !self.ready.contains(&channel) {
            self.ready.push_back(channel);
        }
    }
}

fn pop_due<T: Ord>(set: &mut BTreeSet<T>, due: impl FnOnce(&T) -> bool) -> Option<T> {
    if due(set.first()?) { set.pop_first() } else { None }
}
