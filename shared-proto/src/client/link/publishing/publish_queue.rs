//! Publications under way: which link carries which channel, what is unacknowledged, what is sent again. Sans-I/O.
//!
//! A channel has at most one publication in flight. So nothing of a channel can overtake what was nacked or lost with its
//! link, and a resend needs no more than to put the head of the channel's queue back. Channels go side by side.

mod lane;
#[cfg(test)]
mod tests;

use crate::link::Publish;
use lane::{Head, Lane};
use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::time::Duration;
use tokio::time::Instant;

/// Names one connected link; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct LinkId(pub(super) u64);

/// How a publication left the outbox without an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expired {
    /// It was on no link since its last retryable refusal: surely not done.
    NeverTaken,
    /// It was on a link and no answer came.
    Unanswered,
}

/// A link that publications may go over.
#[derive(Debug)]
struct Carrier {
    node: String,
    window: usize,
    /// Sent and unanswered; an expired one stays until its answer comes or the link is lost.
    in_flight: HashSet<u64>,
    draining: bool,
}

impl Carrier {
    fn has_room(&self) -> bool {
        self.in_flight.len() < self.window
    }
}

/// The queue of all publications of this instance; `W` is who waits for the outcome.
#[derive(Debug)]
pub(super) struct Outbox<W> {
    lanes: HashMap<String, Lane<W>>,
    /// Id of a sent or waiting head, to its channel.
    heads: HashMap<u64, String>,
    links: BTreeMap<LinkId, Carrier>,
    /// Channels whose head may be sent.
    ready: VecDeque<String>,
    /// Channels whose head pauses after a retryable refusal.
    pauses: BTreeSet<(Instant, String)>,
    deadlines: BTreeSet<(Instant, u64, String)>,
    next_id: u64,
    len: usize,
    limit: usize,
    resent: u64,
}

impl<W> Outbox<W> {
    /// At most `limit` publications are held.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            lanes: HashMap::new(),
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

    /// How often a publication was sent again, since the start.
    pub(super) fn resent(&self) -> u64 {
        self.resent
    }

    /// Takes a publication over, behind everything of its channel. Its id is set here.
    pub(super) fn submit(&mut self, mut publish: Publish, deadline: Instant, waiter: W) {
        publish.id = self.next_id;
        self.next_id += 1;
        self.len += 1;
        self.deadlines.insert((deadline, publish.id, publish.channel.clone()));
        let channel = publish.channel.clone();
        let lane = self.lanes.entry(channel.clone()).or_default();
        let first = lane.is_empty();
        lane.push(publish, deadline, waiter);
        if first {
            self.begin_head(channel);
        }
    }

    /// A link is there; it takes up to `window` unacknowledged publications.
    pub(super) fn link_up(&mut self, link: LinkId, node: String, window: usize) {
        self.links.insert(link, Carrier { node, window: window.max(1), in_flight: HashSet::new(), draining: false });
    }

    /// The link's node is about to leave: what is unanswered may still be answered, nothing new goes there.
    pub(super) fn link_draining(&mut self, link: LinkId) {
        if let Some(carrier) = self.links.get_mut(&link) {
            carrier.draining = true;
        }
    }

    /// The link is lost: what it left unanswered is sent again, under the same id and key, before anything newer.
    pub(super) fn link_down(&mut self, link: LinkId) {
        let Some(carrier) = self.links.remove(&link) else { return };
        let mut lost: Vec<u64> = carrier.in_flight.into_iter().collect();
        lost.sort_unstable();
        for id in lost {
            let Some(channel) = self.heads.get(&id) else { continue };
            if let Some(lane) = self.lanes.get_mut(channel) {
                lane.head = Head::Ready;
                lane.may_have_landed = true;
                self.ready.push_back(channel.clone());
                self.resent += 1;
            }
        }
    }

    /// The next publication that can be sent now, and over which link.
    pub(super) fn next_send(&mut self) -> Option<(LinkId, Publish)> {
        for _ in 0..self.ready.len() {
            let channel = self.ready.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&channel) else { continue };
            let Some(link) = choose(&self.links, &channel) else {
                self.ready.push_back(channel);
                continue;
            };
            let Some(publish) = lane.front().map(|entry| entry.publish.clone()) else { continue };
            lane.head = Head::Sent;
            if let Some(carrier) = self.links.get_mut(&link) {
                carrier.in_flight.insert(publish.id);
            }
            return Some((link, publish));
        }
        None
    }

    /// The node took the publication: who waited for it.
    pub(super) fn ack(&mut self, link: LinkId, id: u64) -> Option<W> {
        self.answered(link, id)?;
        self.finish_head(id)
    }

    /// The node refused the publication for good: who waited for it.
    pub(super) fn refuse(&mut self, link: LinkId, id: u64) -> Option<W> {
        self.ack(link, id)
    }

    /// The node did not take the publication now (`landed` says whether it may have all the same): again after a pause that grows.
    pub(super) fn retry(&mut self, link: LinkId, id: u64, landed: bool, now: Instant, pause: impl FnOnce(u32) -> Duration) {
        if self.answered(link, id).is_none() {
            return;
        }
        let Some(channel) = self.heads.get(&id) else { return };
        let Some(lane) = self.lanes.get_mut(channel) else { return };
        lane.refusals += 1;
        lane.head = Head::Paused;
        lane.may_have_landed |= landed;
        self.pauses.insert((now + pause(lane.refusals), channel.clone()));
        self.resent += 1;
    }

    /// When [`Outbox::tick`] has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let pause = self.pauses.first().map(|(at, _)| *at);
        let expiry = self.deadlines.first().map(|(at, ..)| *at);
        pause.into_iter().chain(expiry).min()
    }

    /// Ends pauses that are over and gives up what is past its deadline.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<(W, Expired)> {
        while let Some((_, channel)) = pop_due(&mut self.pauses, |(at, _)| *at <= now) {
            if let Some(lane) = self.lanes.get_mut(&channel)
                && lane.head == Head::Paused
            {
                lane.head = Head::Ready;
                self.ready.push_back(channel);
            }
        }
        let mut expired = Vec::new();
        while let Some((_, id, channel)) = pop_due(&mut self.deadlines, |(at, ..)| *at <= now) {
            expired.extend(self.expire(id, &channel));
        }
        expired
    }

    fn expire(&mut self, id: u64, channel: &str) -> Option<(W, Expired)> {
        let lane = self.lanes.get_mut(channel)?;
        if lane.front().is_some_and(|entry| entry.publish.id == id) {
            let fate = lane.fate();
            return self.finish_head(id).map(|waiter| (waiter, fate));
        }
        let entry = lane.remove(id)?;
        self.len -= 1;
        Some((entry.waiter, Expired::NeverTaken))
    }

    fn answered(&mut self, link: LinkId, id: u64) -> Option<()> {
        self.links.get_mut(&link)?.in_flight.remove(&id).then_some(())
    }

    /// Removes a head and lets the next of its channel begin.
    fn finish_head(&mut self, id: u64) -> Option<W> {
        let channel = self.heads.remove(&id)?;
        let entry = self.lanes.get_mut(&channel)?.pop()?;
        self.deadlines.remove(&(entry.deadline, id, channel.clone()));
        self.pauses.retain(|(_, paused)| *paused != channel);
        self.len -= 1;
        self.begin_head(channel);
        Some(entry.waiter)
    }

    fn begin_head(&mut self, channel: String) {
        let Entry::Occupied(mut lane) = self.lanes.entry(channel.clone()) else { return };
        let Some(id) = lane.get().front().map(|entry| entry.publish.id) else {
            lane.remove();
            self.ready.retain(|waiting| *waiting != channel);
            return;
        };
        lane.get_mut().head = Head::Ready;
        lane.get_mut().refusals = 0;
        lane.get_mut().may_have_landed = false;
        self.heads.insert(id, channel.clone());
        if !self.ready.contains(&channel) {
            self.ready.push_back(channel);
        }
    }
}

/// Rendezvous hashing over the nodes: stable while they stay, and one that comes or goes moves only its own share.
fn choose(links: &BTreeMap<LinkId, Carrier>, channel: &str) -> Option<LinkId> {
    let open = links.iter().filter(|(_, carrier)| !carrier.draining);
    let (link, carrier) = open.max_by_key(|(_, carrier)| weight(&carrier.node, channel))?;
    carrier.has_room().then_some(*link)
}

fn weight(node: &str, channel: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (node, channel).hash(&mut hasher);
    hasher.finish()
}

fn pop_due<T: Ord>(set: &mut BTreeSet<T>, due: impl FnOnce(&T) -> bool) -> Option<T> {
    if due(set.first()?) { set.pop_first() } else { None }
}
