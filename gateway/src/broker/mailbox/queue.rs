//! The queue of a mailbox, used under its lock.

use super::{
    post::{Delivery, Post},
    stats::{Dropped, MailboxStats},
};
use crate::broker::{NameHasher, types::Announcement};
use gateway_core::model::{ChannelName, ServerCommand};
use std::collections::{HashMap, HashSet};

/// Number and size of posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Load {
    entries: usize,
    bytes: usize,
}

impl Load {
    fn one(bytes: usize) -> Self {
        Self { entries: 1, bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self { entries: self.entries.saturating_add(other.entries), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn fits(self, bound: Self) -> bool {
        self.entries <= bound.entries && self.bytes <= bound.bytes
    }

    fn is_zero(self) -> bool {
        self.entries == 0
    }
}

/// The capacity of a mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct Capacity {
    total: Load,
    per_channel: Load,
    controls: Load,
    dirty: usize,
}

impl Capacity {
    /// The minimum number of control posts that fit.
    const CONTROLS_MIN: usize = 64;

    pub(super) fn new(entries: usize, bytes: usize) -> Self {
        let per_channel = Load { entries: entries / 4, bytes: bytes / 4 };
        let controls = Load { entries: per_channel.entries.max(Self::CONTROLS_MIN), bytes: per_channel.bytes };
        Self { total: Load { entries, bytes }, per_channel, controls, dirty: entries }
    }
}

/// Channels with dropped deliveries since the last drain.
#[derive(Debug)]
enum DirtyChannels {
    Of(HashSet<ChannelName, NameHasher>),
    /// More channels than the mailbox can name.
    OfMany,
}

impl DirtyChannels {
    fn covers(&self, channel: &ChannelName) -> bool {
        match self {
            Self::Of(channels) => !channels.is_empty() && channels.contains(channel),
            Self::OfMany => true,
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Of(channels) if channels.is_empty())
    }

    fn add(&mut self, channel: &ChannelName, bound: usize) {
        match self {
            Self::Of(channels) if channels.len() < bound || channels.contains(channel) => {
                channels.insert(channel.clone());
            }
            _ => *self = Self::OfMany,
        }
    }

    fn hand_out(&mut self, into: &mut Vec<Post>) {
        match self {
            Self::Of(channels) => into.extend(channels.drain().map(Post::Dirty)),
            Self::OfMany => {
                into.push(Post::AllDirty);
                *self = Self::Of(HashSet::default());
            }
        }
    }
}

/// Posts in their order, and the channels with dropped deliveries.
#[derive(Debug)]
pub(super) struct Queue {
    posts: Vec<Post>,
    deliveries: Load,
    controls: Load,
    /// The load of each channel. Counted only after the total exceeds the limit of one channel, and until the next drain. Before that no
    /// channel can exceed its limit.
    loads: Option<HashMap<ChannelName, Load, NameHasher>>,
    left_out: DirtyChannels,
    dropped: Dropped,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            posts: Vec::new(),
            deliveries: Load::default(),
            controls: Load::default(),
            loads: None,
            left_out: DirtyChannels::Of(HashSet::default()),
            dropped: Dropped::default(),
        }
    }
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.posts.is_empty() && self.left_out.is_empty()
    }

    pub(super) fn stats(&self) -> MailboxStats {
        let Load { entries, bytes } = self.deliveries;
        MailboxStats { entries, bytes, controls: self.controls.entries, dropped: self.dropped }
    }

    // NL-4.1
    /// Queues a delivery, or marks its channel dirty.
    pub(super) fn deliver(&mut self, capacity: Capacity, channel: &ChannelName, delivery: Delivery) {
        if self.left_out.covers(channel) {
            self.dropped.dirty += 1;
            return;
        }
        let new = Load::one(delivery_size(&delivery));
        if !self.deliveries.is_zero() && !self.deliveries.plus(new).fits(capacity.total) {
            self.dropped.full += 1;
            return self.left_out.add(channel, capacity.dirty);
        }
        if !self.add_load(capacity, channel, new) {
            self.dropped.channel_full += 1;
            return self.left_out.add(channel, capacity.dirty);
        }
        self.deliveries = self.deliveries.plus(new);
        self.posts.push(Post::Delivery(channel.clone(), delivery));
    }

    /// Queues a control post. Returns false if there is no room.
    pub(super) fn post(&mut self, capacity: Capacity, post: Post) -> bool {
        let post = match post {
            Post::Delivery(channel, delivery) => {
                self.deliver(capacity, &channel, delivery);
                return true;
            }
            Post::Dirty(channel) => {
                self.left_out.add(&channel, capacity.dirty);
                return true;
            }
            Post::AllDirty => {
                self.left_out = DirtyChannels::OfMany;
                return true;
            }
            // The worker reads its stream anyway.
            Post::Top(channel, ..) if self.left_out.covers(&channel) => return true,
            control @ (Post::Top(..)
            | Post::RegisterAgain
            | Post::CheckRevocations
            | Post::RegisterConnections
            | Post::Command(..)
            | Post::Survey(_)
            | Post::Drain(_)) => control,
        };
        let after = self.controls.plus(Load::one(control_size(&post)));
        if !self.controls.is_zero() && !after.fits(capacity.controls) {
            if let Post::Top(channel, ..) = &post {
                self.left_out.add(channel, capacity.dirty);
                return true;
            }
            self.dropped.control += 1;
            return false;
        }
        self.controls = after;
        self.posts.push(post);
        true
    }

    /// Moves all posts to the worker. Returns false if there are none.
    pub(super) fn take(&mut self, into: &mut Vec<Post>) -> bool {
        if self.is_empty() {
            return false;
        }
        std::mem::swap(&mut self.posts, into);
        self.left_out.hand_out(into);
        (self.deliveries, self.controls, self.loads) = (Load::default(), Load::default(), None);
        true
    }

    /// Adds to the load of the channel, unless that exceeds its limit.
    fn add_load(&mut self, capacity: Capacity, channel: &ChannelName, new: Load) -> bool {
        if self.loads.is_none() && self.deliveries.plus(new).fits(capacity.per_channel) {
            return true;
        }
        let loads = self.loads.get_or_insert_with(|| count(&self.posts));
        let Some(load) = loads.get_mut(channel) else {
            loads.insert(channel.clone(), new);
            return true;
        };
        let after = load.plus(new);
        let fits = after.fits(capacity.per_channel);
        if fits {
            *load = after;
        }
        fits
    }
}

fn count(posts: &[Post]) -> HashMap<ChannelName, Load, NameHasher> {
    let mut loads: HashMap<ChannelName, Load, NameHasher> = HashMap::default();
    for post in posts {
        if let Post::Delivery(channel, delivery) = post {
            let load = loads.entry(channel.clone()).or_default();
            *load = load.plus(Load::one(delivery_size(delivery)));
        }
    }
    loads
}

fn delivery_size(delivery: &Delivery) -> usize {
    let content = match delivery {
        Delivery::Publication(publication) => publication.size(),
        Delivery::Announcement(Announcement::Join(info) | Announcement::Leave(info)) => info.size(),
    };
    size_of::<Post>() + content
}

fn control_size(post: &Post) -> usize {
    let content = match post {
        Post::Command(_, ServerCommand::Message(data), _) => data.get().len(),
        Post::Command(_, ServerCommand::Disconnect { reason, .. }, _) => reason.len(),
        _ => 0,
    };
    size_of::<Post>() + content
}
